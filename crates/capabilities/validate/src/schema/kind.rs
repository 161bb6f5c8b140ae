//! What is known of a kind of object: how it is read, and how its differences are judged.

use atalaya_catalog::ObjectStage;

use super::report::Severity;

/// What a query may go by: one side's version, and both sides'.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Servers {
    /// The major version of the server that is asked.
    pub(crate) own: u32,
    /// The older of both.
    pub(crate) older: u32,
    /// Whether both have the same.
    pub(crate) same: bool,
}

/// A kind of object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// In the field's words, such as `index`.
    pub(crate) name: &'static str,
    /// The query. Its columns by name, all but `identity` optional: `schema`, `name`, `relation_schema`,
    /// `relation_name`, `identity`, `parent`, `oid`, `create_sql`, `drop_sql`, `implied`, `with_parent`, `stage` (`copied`, `foreign key` or `finish`),
    /// and `attributes`, an array of name, value and statement in turn.
    pub(crate) query: fn(Servers) -> String,
    /// What its absence, or its presence on the target alone, means.
    pub(crate) severity: Severity,
    /// How its attributes are judged; one that is not named is compared exactly, as severe as the kind.
    pub(crate) rules: &'static [Rule],
    /// Whether removing it loses more than a definition, so that nobody may do it unasked.
    pub(crate) holds_data: bool,
    /// Why no statement makes a missing one, where none does.
    pub(crate) unmade: &'static str,
}

/// How an attribute is judged and mended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) attribute: &'static str,
    pub(crate) severity: Severity,
    pub(crate) compare: Compare,
    pub(crate) mend: Mend,
    /// Whether it is set again on an object that was just made.
    pub(crate) after_create: bool,
    /// When a move restores it, where that is not with the object.
    pub(crate) stage: Option<ObjectStage>,
}

/// When two values of an attribute differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// When they are not the same text.
    Exactly,
    /// When the source has `true` and the target has not: the target may be better.
    NotWorse,
    /// When both have one, and not the same.
    WhereBothHave,
    /// When what both lists (JSON) have in common stands in another order.
    Order,
    /// As exactly, but versions spell it differently: the target is asked to spell the source's.
    Spelling,
}

/// What puts an attribute right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mend {
    /// The source's own statement.
    Set,
    /// Removing the target's object and making the source's.
    Replace,
    /// No statement; why.
    ByHand(&'static str),
}

impl Rule {
    /// Compared exactly, mended by the source's statement.
    pub(crate) const fn new(attribute: &'static str, severity: Severity) -> Self {
        Self { attribute, severity, compare: Compare::Exactly, mend: Mend::Set, after_create: false, stage: None }
    }

    pub(crate) const fn compared(self, compare: Compare) -> Self {
        Self { compare, ..self }
    }

    pub(crate) const fn mended(self, mend: Mend) -> Self {
        Self { mend, ..self }
    }

    pub(crate) const fn after_create(self) -> Self {
        Self { after_create: true, ..self }
    }

    pub(crate) const fn at_finish(self) -> Self {
        Self { stage: Some(ObjectStage::Finish), ..self }
    }

    pub(crate) const fn with_contents(self) -> Self {
        Self { stage: Some(ObjectStage::Contents), ..self }
    }
}

/// A comment: cosmetic, and lost when an object is made again.
pub(crate) const COMMENT: Rule = Rule::new("comment", Severity::Cosmetic).after_create();
/// An owner.
pub(crate) const OWNER: Rule = Rule::new("owner", Severity::Behaviour).after_create();

/// Schemas whose objects count, by the alias of `pg_namespace`.
pub(crate) fn counts(alias: &str) -> String {
    format!("{alias}.nspname !~ '^pg_' AND {alias}.nspname NOT IN ('information_schema', 'atalaya')")
}

/// What no extension brings, nor another object of its own, such as a range's functions.
pub(crate) fn own(catalog: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_catalog.{catalog}'::regclass AND x.objid = {oid}
                        AND x.objsubid = 0 AND x.deptype = 'e')"
    )
}
