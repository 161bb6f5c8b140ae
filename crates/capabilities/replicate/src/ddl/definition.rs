//! What a table of the source was when its copy began, and whether it is still the same.
//!
//! Taken before the snapshot: a change right after is then seen, be it too often.

use atalaya_data::RelationName;
use atalaya_pgwire::pgoutput;

use crate::Error;

/// A table by its identity, the file its rows are in, and its columns.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Definition {
    /// `pg_class.oid`: another table may take its name.
    pub(crate) oid: u32,
    /// A rewrite gives it another file: places of rows change, and some rewrites hide rows from older snapshots.
    pub(crate) filenode: u32,
    /// `pg_class.relnatts`: how many columns it has ever had.
    #[serde(default)]
    pub(crate) attributes: i16,
    /// Columns in `attnum` order.
    pub(crate) columns: Vec<DefinedColumn>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct DefinedColumn {
    pub(super) number: i16,
    pub(super) name: String,
    pub(super) type_oid: u32,
    pub(super) type_modifier: i32,
}

impl Definition {
    /// The number that the newest column ever had; a dropped one keeps its own.
    pub(crate) fn newest(&self) -> i16 {
        self.columns.iter().map(|column| column.number).max().unwrap_or_default().max(self.attributes)
    }

    /// Refuses a relation message that describes another table, or columns that only have the old ones' names.
    /// Columns that came or went are the business of the comparison with the target.
    pub(crate) fn check_message(
        &self,
        source: &RelationName,
        message: &pgoutput::Relation,
        now: Option<&Self>,
    ) -> Result<(), Error> {
        let changed = |change: String| {
            Error::refused(
                "table-redefined",
                format!("table {source} has changed on the source: {change}"),
                format!(
                    "nothing of this transaction was applied; rows copied before do not tell what the change made of \
                     them: make the same change on the target, then `atalaya migrate add-table --table {} --again`, \
                     then start again",
                    source.to_argument()
                ),
            )
        };
        if message.id != self.oid {
            return Err(changed("another table has taken its name".to_owned()));
        }
        let mut last = None;
        for sent in &message.columns {
            let Some((place, was)) = self.columns.iter().enumerate().find(|(_, was)| was.name == sent.name) else {
                continue;
            };
            if was.type_oid != sent.type_oid || was.type_modifier != sent.type_modifier {
                return Err(changed(format!("column `{}` has another type than before", sent.name)));
            }
            let renumbered = now.is_some_and(|now| {
                now.columns.iter().any(|column| column.name == was.name && column.number != was.number)
            });
            if last.is_some_and(|last| place < last) || renumbered {
                return Err(changed(format!("column `{}` is another one of the same name", sent.name)));
            }
            last = Some(place);
        }
        Ok(())
    }

    /// Whether a column of that name was there.
    pub(crate) fn had(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defined(columns: &[(i16, &str, i32)]) -> Definition {
        let columns = columns
            .iter()
            .map(|(number, name, type_modifier)| DefinedColumn {
                number: *number,
                name: (*name).to_owned(),
                type_oid: 25,
                type_modifier: *type_modifier,
            })
            .collect();
        Definition { oid: 7, filenode: 1, attributes: 3, columns }
    }

    fn sent(id: u32, columns: &[(&str, i32)]) -> pgoutput::Relation {
        let columns = columns
            .iter()
            .map(|(name, type_modifier)| pgoutput::RelationColumn {
                is_key: false,
                name: (*name).to_owned(),
                type_oid: 25,
                type_modifier: *type_modifier,
            })
            .collect();
        pgoutput::Relation {
            id,
            schema: "public".to_owned(),
            name: "t".to_owned(),
            replica_identity: pgoutput::ReplicaIdentity::Default,
            columns,
        }
    }

    fn check(message: &pgoutput::Relation, now: &Definition) -> Result<(), String> {
        let was = defined(&[(1, "a", -1), (3, "b", 8)]);
        let name = RelationName::new("public", "t");
        was.check_message(&name, message, Some(now)).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_that_come_and_go_are_not_judged_here() {
        let now = defined(&[(1, "a", -1), (4, "c", -1)]);
        assert_eq!(check(&sent(7, &[("a", -1), ("c", -1)]), &now), Ok(()));
    }

    #[test]
    fn whatever_only_has_the_old_name_is_refused() {
        let same = defined(&[(1, "a", -1), (3, "b", 8)]);
        assert!(check(&sent(8, &[("a", -1), ("b", 8)]), &same).unwrap_err().contains("another table"));
        assert!(check(&sent(7, &[("a", -1), ("b", 9)]), &same).unwrap_err().contains("another type"));
        assert!(check(&sent(7, &[("b", 8), ("a", -1)]), &same).unwrap_err().contains("same name"));
        let again = defined(&[(1, "a", -1), (4, "b", 8)]);
        assert!(check(&sent(7, &[("a", -1), ("b", 8)]), &again).unwrap_err().contains("same name"));
    }
}
