//! Two sides' objects of one kind beside each other.

use std::collections::HashMap;

use atalaya_catalog::{ObjectAttribute, ObjectStage, SchemaObject};

use super::kind::{Compare, Kind, Mend, Rule};
use super::read::Objects;
use super::report::{Problem, SchemaDifference, Severity};

/// A difference with what decides whether it counts yet.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) difference: SchemaDifference,
    /// When a move restores what is missing here.
    pub(crate) stage: ObjectStage,
    /// How the difference was seen; a spelling has to be looked at again.
    pub(crate) compare: Compare,
    /// The object's OID on the side that has it: the order in which things were made.
    pub(crate) oid: u32,
}

/// Objects that only one side has, by kind and identity: what belongs to them is not told again.
pub(crate) type Gone = HashMap<String, Fate>;

/// What comes of an object that only one side has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A statement makes it; what belongs to it still has to be made.
    Made,
    /// It goes, or no statement makes it; what belongs to it goes the same way.
    Lost,
}

/// Compares; adds to `gone` what is on one side only.
pub(crate) fn compare(kind: &'static Kind, source: &Objects, target: &Objects, gone: &mut Gone) -> Vec<Found> {
    let mut found = Vec::new();
    for object in source.values() {
        match target.get(&object.identity) {
            Some(other) => found.extend(compare_attributes(kind, object, other)),
            None => found.extend(one_sided(kind, object, Problem::Missing, gone)),
        }
    }
    for object in target.values().filter(|object| !source.contains_key(&object.identity)) {
        found.extend(one_sided(kind, object, Problem::Extra, gone));
    }
    found
}

/// Whether what is said of the object's parent says it all.
fn is_told_by_parent(object: &SchemaObject, gone: &Gone) -> bool {
    match object.parent.as_ref().and_then(|parent| gone.get(parent)) {
        Some(Fate::Lost) => true,
        Some(Fate::Made) => object.with_parent,
        None => false,
    }
}

/// An object that only one side has.
fn one_sided(kind: &'static Kind, object: &SchemaObject, problem: Problem, gone: &mut Gone) -> Option<Found> {
    let told = !object.implied && !is_told_by_parent(object, gone);
    let made = told && problem == Problem::Missing && object.create.is_some();
    gone.insert(format!("{} {}", kind.name, object.identity), if made { Fate::Made } else { Fate::Lost });
    if !told {
        return None;
    }
    let (sql, note) = match problem {
        Problem::Missing => {
            let made = make(kind, object);
            let note = made.is_empty().then(|| kind.unmade.to_owned());
            (made, note)
        }
        _ => {
            let sql: Vec<String> = object.drop.iter().cloned().collect();
            let note = match (sql.is_empty(), kind.holds_data) {
                (true, _) => Some("no statement removes it; the source has none".to_owned()),
                (false, true) => Some("removing it cannot be undone: look at it first".to_owned()),
                (false, false) => None,
            };
            (sql, note)
        }
    };
    let unproven = problem == Problem::Missing && kind.name == "column" && !sql.is_empty();
    Some(Found {
        difference: SchemaDifference {
            kind: kind.name,
            identity: object.identity.clone(),
            table: object.relation.clone(),
            problem,
            attribute: None,
            severity: severity_of(kind, object),
            source: None,
            target: None,
            destroys: problem == Problem::Extra && kind.holds_data,
            note: if unproven { Some(COLUMN_NOTE.to_owned()) } else { note },
            sql,
        },
        stage: if problem == Problem::Missing { object.stage } else { ObjectStage::BeforeData },
        compare: Compare::Exactly,
        oid: object.oid,
    })
}

const COLUMN_NOTE: &str = "the column is made without the source's values; `atalaya validate --repair` brings them";

/// A unique index keeps rows out, whatever indexes are for otherwise.
fn severity_of(kind: &Kind, object: &SchemaObject) -> Severity {
    match object.attribute("unique") {
        Some(unique) if unique.value.as_deref() == Some("true") => Severity::Data,
        _ => kind.severity,
    }
}

/// The statements that make an object as it is on its side.
fn make(kind: &Kind, object: &SchemaObject) -> Vec<String> {
    let Some(create) = &object.create else { return Vec::new() };
    let after = kind.rules.iter().filter(|rule| rule.after_create).filter_map(|rule| {
        let attribute = object.attribute(rule.attribute)?;
        // What a new object has anyway need not be said.
        let plain = match attribute.value.as_deref() {
            None => true,
            Some(value) => value == "false" || (rule.attribute == "fires" && value == "origin"),
        };
        attribute.set.clone().filter(|_| !plain)
    });
    std::iter::once(create.clone()).chain(after).collect()
}

fn compare_attributes(kind: &'static Kind, source: &SchemaObject, target: &SchemaObject) -> Vec<Found> {
    let mut found: Vec<Found> = source
        .attributes
        .iter()
        .filter_map(|attribute| {
            let rule = rule_of(kind, &attribute.name);
            let other = target.attribute(&attribute.name)?;
            differs(rule.compare, attribute, other)
                .then(|| attribute_found(kind, rule, source, target, attribute, other))
        })
        .collect();
    // An object that is made again has all of them right.
    if let Some(replacing) = found.iter().position(|each| each.difference.sql.len() > 1) {
        for (position, each) in found.iter_mut().enumerate() {
            if position != replacing && each.compare != Compare::Spelling && kind.remakes(&each.difference) {
                each.difference.sql.clear();
                each.difference.note = Some("mended by making the object again".to_owned());
            }
        }
    }
    found
}

fn rule_of(kind: &Kind, attribute: &str) -> Rule {
    let known = kind.rules.iter().find(|rule| rule.attribute == attribute).copied();
    known.unwrap_or(Rule { attribute: "", ..Rule::new("", kind.severity) })
}

fn differs(compare: Compare, source: &ObjectAttribute, target: &ObjectAttribute) -> bool {
    match compare {
        Compare::Exactly | Compare::Spelling => source.value != target.value,
        Compare::NotWorse => source.value.as_deref() == Some("true") && target.value.as_deref() == Some("false"),
        Compare::WhereBothHave => source.value.is_some() && target.value.is_some() && source.value != target.value,
        Compare::Order => other_order(source.value.as_deref(), target.value.as_deref()),
    }
}

/// Whether what two lists have in common stands in another order.
fn other_order(source: Option<&str>, target: Option<&str>) -> bool {
    let read = |text: Option<&str>| -> Vec<String> {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (source, target) = (read(source), read(target));
    let common = |of: &[String], other: &[String]| -> Vec<String> {
        of.iter().filter(|name| other.contains(name)).cloned().collect()
    };
    common(&source, &target) != common(&target, &source)
}

fn attribute_found(
    kind: &'static Kind,
    rule: Rule,
    source: &SchemaObject,
    target: &SchemaObject,
    attribute: &ObjectAttribute,
    other: &ObjectAttribute,
) -> Found {
    let unable = |why: &str| (Vec::new(), Some(why.to_owned()));
    let (sql, note) = match rule.mend {
        Mend::Set => match &attribute.set {
            Some(set) => (vec![set.clone()], None),
            None => unable("no statement sets it"),
        },
        Mend::Replace => match (&target.drop, make(kind, source)) {
            (Some(drop), made) if !made.is_empty() => (std::iter::once(drop.clone()).chain(made).collect(), None),
            _ => unable(kind.unmade),
        },
        Mend::ByHand(why) => unable(why),
    };
    let stage = rule.stage.unwrap_or(source.stage);
    Found {
        difference: SchemaDifference {
            kind: kind.name,
            identity: source.identity.clone(),
            table: source.relation.clone(),
            problem: Problem::Different,
            attribute: Some(attribute.name.clone()),
            severity: rule.severity,
            source: attribute.value.clone(),
            target: other.value.clone(),
            sql,
            destroys: false,
            note,
        },
        // What differs is there: only what is not there at all may still come.
        stage: if is_absent(other) { stage } else { ObjectStage::BeforeData },
        compare: rule.compare,
        oid: source.oid,
    }
}

/// Whether an attribute is as on an object that was just made. A view that needs a primary key is made twice by
/// pg_dump's order: first with NULL for every column, then, with rules and triggers, as it is.
fn is_absent(attribute: &ObjectAttribute) -> bool {
    match attribute.value.as_deref() {
        None | Some("false") => true,
        Some(value) => attribute.name == "query" && value.trim_start().starts_with("SELECT NULL::"),
    }
}

impl Kind {
    /// Whether making the object again also puts this difference right.
    fn remakes(&self, difference: &SchemaDifference) -> bool {
        let attribute = difference.attribute.as_deref().unwrap_or_default();
        let rule = rule_of(self, attribute);
        rule.after_create || rule.mend == Mend::Replace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_lists_have_can_be_in_another_order() {
        assert!(!other_order(Some(r#"["a","b","c"]"#), Some(r#"["a","c","d"]"#)));
        assert!(other_order(Some(r#"["a","b"]"#), Some(r#"["b","a","d"]"#)));
        assert!(!other_order(None, Some(r#"["a"]"#)));
    }
}
