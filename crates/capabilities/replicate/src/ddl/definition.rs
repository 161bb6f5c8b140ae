//! What a table of the source was when its copy began, and whether it is still the same.
//!
//! Taken before the snapshot: a change right after is then seen, be it too often.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_pgwire::pgoutput;
use atalaya_postgres::Session;

use crate::Error;

/// A table by its identity, the file its rows are in, and its columns.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Definition {
    /// `pg_class.oid`: another table may take its name.
    pub(crate) oid: u32,
    /// A rewrite gives it another file: places of rows change, and some rewrites hide rows from older snapshots.
    pub(crate) filenode: u32,
    /// Columns in `attnum` order.
    pub(crate) columns: Vec<DefinedColumn>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct DefinedColumn {
    number: i16,
    name: String,
    type_oid: u32,
    type_modifier: i32,
}

impl Definition {
    /// Definitions of every plain table, by name.
    pub(crate) async fn read_all(source: &Session) -> Result<HashMap<RelationName, Self>, Error> {
        Ok(read(source, "true").await?.into_iter().collect())
    }

    /// What the table of that OID is now; none when it is gone.
    pub(crate) async fn read_one(source: &Session, oid: u32) -> Result<Option<(RelationName, Self)>, Error> {
        Ok(read(source, &format!("c.oid = {oid}::oid")).await?.pop())
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
                "nothing of this transaction was applied; rows copied before do not tell what the change made of them: \
                 `atalaya migrate abort` and move again",
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

async fn read(source: &Session, condition: &str) -> Result<Vec<(RelationName, Definition)>, Error> {
    let rows = source
        .query(
            &format!(
                "SELECT n.nspname::text, c.relname::text, c.oid, pg_catalog.pg_relation_filenode(c.oid),
                        (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                                    'number', a.attnum, 'name', a.attname, 'type_oid', a.atttypid::int8,
                                    'type_modifier', a.atttypmod) ORDER BY a.attnum), '[]')::text
                           FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {condition}"
            ),
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let columns = serde_json::from_str(&row.get::<_, String>(4))
                .map_err(|_| Error::Broken("the columns of a table cannot be read"))?;
            let filenode = row.get::<_, Option<u32>>(3).unwrap_or_default();
            let name = RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1));
            Ok((name, Definition { oid: row.get(2), filenode, columns }))
        })
        .collect()
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
        Definition { oid: 7, filenode: 1, columns }
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
