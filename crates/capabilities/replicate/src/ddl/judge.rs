//! What has become of a table since it was last known, and whether its rows can go on as they come.
//!
//! The catalog may be ahead of the stream. Only what the catalog proves of every row from before the change is
//! followed; a guess would be a wrong value in each of them.

use atalaya_catalog::Relation as TargetRelation;
use atalaya_data::{RelationName, quote_identifier};
use atalaya_pgwire::pgoutput;

use super::definition::Definition;
use super::described::{SourceColumn, SourceTable};

/// A change that is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfollowed {
    /// What was seen, after the table's name.
    pub(crate) change: String,
    /// What makes the target alike.
    pub(crate) remedy: Remedy,
}

/// How to go on after a change that is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The same statement on the target.
    Statement(String),
    /// The table's former name on the source.
    FormerName,
    /// What the target lacks, by hand.
    ByHand,
    /// The rows from before are others by now: they have to be copied anew.
    CopyAgain,
}

impl Unfollowed {
    pub(crate) fn new(change: String, remedy: Remedy) -> Self {
        Self { change, remedy }
    }

    /// The refusal of a table with such a change.
    pub(crate) fn refusal(&self, source: &RelationName, statement: Option<&str>) -> crate::Error {
        let by = statement.map_or_else(String::new, |statement| format!(" (by {statement})"));
        let hint = match &self.remedy {
            Remedy::Statement(sql) => {
                format!("nothing of this transaction was applied; run `{sql}` on the target, then start again")
            }
            Remedy::FormerName => {
                "give it its former name on the source until the move is finished, or `atalaya migrate abort` and move \
                 again"
                    .to_owned()
            }
            Remedy::ByHand => {
                "nothing of this transaction was applied; make on the target what this change needs, then start again"
                    .to_owned()
            }
            Remedy::CopyAgain => format!(
                "nothing of this transaction was applied, and rows copied before do not tell what the change made of \
                 them: make the same change on the target, then `atalaya migrate add-table --table {} --again`, then start \
                 again",
                source.to_argument()
            ),
        };
        crate::Error::refused(
            "table-redefined",
            format!("table {source} has changed on the source{by}: {}", self.change),
            hint,
        )
    }
}

/// Columns that a table has gained, in their order; each is proven to hold in every row from before what the same
/// column made anew would hold.
///
/// # Errors
/// What else has changed, that the target does not have as well, or what is not proven.
pub(crate) fn gained<'now>(
    was: &Definition,
    now: &'now SourceTable,
    target: &TargetRelation,
) -> Result<Vec<&'now SourceColumn>, Unfollowed> {
    if was.oid != now.definition.oid {
        return Err(Unfollowed::new("another table has taken its name".to_owned(), Remedy::CopyAgain));
    }
    let on_target = |name: &str| target.columns.iter().any(|column| column.name == name);
    let table = target.name.to_sql();
    for old in &was.columns {
        let name = &old.name;
        let Some(new) = now.columns.iter().find(|column| column.defined.number == old.number) else {
            // Made again under its name, it is another column.
            if on_target(name) {
                let sql = format!("ALTER TABLE {table} DROP COLUMN {}", quote_identifier(name));
                return Err(Unfollowed::new(format!("column `{name}` was dropped"), Remedy::Statement(sql)));
            }
            continue;
        };
        if (new.defined.type_oid, new.defined.type_modifier) != (old.type_oid, old.type_modifier) {
            return Err(Unfollowed::new(format!("column `{name}` has another type than before"), Remedy::CopyAgain));
        }
        let renamed = &new.defined.name;
        let renamed_there = on_target(renamed) && !on_target(name);
        if renamed != name && !renamed_there {
            let sql = format!(
                "ALTER TABLE {table} RENAME COLUMN {} TO {}",
                quote_identifier(name),
                quote_identifier(renamed)
            );
            return Err(Unfollowed::new(format!("column `{name}` is called `{renamed}` now"), Remedy::Statement(sql)));
        }
    }
    let came: Vec<&SourceColumn> = now.columns.iter().filter(|column| column.defined.number > was.newest()).collect();
    let numbers = i32::from(now.definition.attributes) - i32::from(was.newest());
    if usize::try_from(numbers).ok() != Some(came.len()) && !came.is_empty() {
        return Err(Unfollowed::new(
            "columns were added and dropped again, so that rows of now may have had another one of a new column's name"
                .to_owned(),
            Remedy::CopyAgain,
        ));
    }
    let came: Vec<&SourceColumn> = came.into_iter().filter(|column| column.travels).collect();
    let rewritten = was.filenode != now.definition.filenode;
    match came.iter().find(|column| rewritten && column.missing.is_none()) {
        Some(column) => Err(Unfollowed::new(
            format!(
                "column `{}` was added and the table rewritten, as for a default that differs from row to row",
                column.defined.name
            ),
            Remedy::CopyAgain,
        )),
        None => Ok(came),
    }
}

/// Whether the stream describes the table just as the catalog does by now.
pub(crate) fn is_described_by(now: &SourceTable, message: &pgoutput::Relation) -> bool {
    let travelling: Vec<(&str, u32, i32)> = now
        .columns
        .iter()
        .filter(|column| column.travels)
        .map(|column| (column.defined.name.as_str(), column.defined.type_oid, column.defined.type_modifier))
        .collect();
    let sent: Vec<(&str, u32, i32)> =
        message.columns.iter().map(|column| (column.name.as_str(), column.type_oid, column.type_modifier)).collect();
    now.definition.oid == message.id && travelling == sent
}
