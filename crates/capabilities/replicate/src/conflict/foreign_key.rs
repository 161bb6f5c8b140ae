//! Foreign keys of a target that others write to.
//!
//! Changes are applied as a replica, which checks no foreign key: the source has. But a parent that somebody deleted on
//! the target, or a child that somebody gave a parent which the source deletes, leaves a row without its parent. So before
//! a group is committed its new children and its deleted parents are looked up, parents locked as the server's own check
//! would. Nobody pays for it where no table has a policy: nobody else writes there.

use std::collections::{HashMap, HashSet};

use atalaya_data::{RelationName, quote_identifier};
use atalaya_pgwire::pgoutput::{Tuple, Value};
use atalaya_postgres::{Session, ToSql};
use bytes::Bytes;

use crate::Error;
use crate::apply::{Change, ChangeKind, TargetTable};

/// Keys of one foreign key that a group remembers; beyond it the whole table is looked through.
const KEYS_A_GROUP: usize = 10_000;

/// One side's columns.
#[derive(Clone, Debug)]
struct Side {
    table: RelationName,
    columns: Vec<String>,
    types: Vec<String>,
}

/// Its equality operators, one a column, safe under an empty search path.
#[derive(Clone, Debug)]
struct Operators {
    parent_child: Vec<String>,
    parent_parent: Vec<String>,
    child_child: Vec<String>,
}

/// A foreign key of the target between tables of which at least one has a policy.
#[derive(Clone, Debug)]
struct ForeignKey {
    name: String,
    child: Side,
    parent: Side,
    operators: Operators,
}

/// Values of a key, as the stream brought them.
type Key = Vec<Bytes>;

/// What of one foreign key a group has touched.
#[derive(Default)]
struct Suspects {
    /// Keys that new or changed children refer to.
    wanted: HashSet<Key>,
    /// Keys of parents that are gone.
    gone: HashSet<Key>,
    /// Too many, or not known: every child is a suspect.
    whole: bool,
}

impl Suspects {
    fn bound(&mut self) {
        if self.wanted.len() + self.gone.len() > KEYS_A_GROUP {
            *self = Self { whole: true, ..Self::default() };
        }
    }
}

/// A foreign key with a child that has no parent.
pub(crate) struct Orphaned {
    pub(crate) constraint: String,
    pub(crate) child: RelationName,
}

/// The foreign keys that are watched, and what the open group has touched of them.
#[derive(Default)]
pub(crate) struct ForeignKeys {
    keys: Vec<ForeignKey>,
    suspects: HashMap<usize, Suspects>,
}

impl ForeignKeys {
    /// Reads the target's foreign keys from or to tables with a policy.
    pub(crate) async fn read(target: &Session, migration: &str) -> Result<Self, Error> {
        let operators = |column: &str| {
            format!(
                "ARRAY(SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                         FROM unnest(f.{column}) WITH ORDINALITY AS u(oid, place)
                         JOIN pg_catalog.pg_operator o ON o.oid = u.oid
                         JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace ORDER BY u.place)"
            )
        };
        let columns = |relation: &str, numbers: &str, what: &str| {
            format!(
                "ARRAY(SELECT {what} FROM unnest(f.{numbers}) WITH ORDINALITY AS u(number, place)
                         JOIN pg_catalog.pg_attribute a ON a.attrelid = f.{relation} AND a.attnum = u.number
                        ORDER BY u.place)"
            )
        };
        let (name, kind) = ("a.attname::text", "pg_catalog.format_type(a.atttypid, -1)");
        let sql = format!(
            "WITH shared AS (SELECT to_regclass(format('%I.%I', target_schema, target_name)) AS oid FROM atalaya.tables
                              WHERE migration = $1 AND conflicts <> 'stop')
             SELECT f.conname::text, cn.nspname::text, c.relname::text, pn.nspname::text, p.relname::text,
                    {}, {}, {}, {}, {}, {}, {}
               FROM pg_catalog.pg_constraint f
               JOIN pg_catalog.pg_class c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
               JOIN pg_catalog.pg_class p ON p.oid = f.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
              WHERE f.contype = 'f' AND f.conparentid = 0
                AND (f.conrelid IN (SELECT oid FROM shared) OR f.confrelid IN (SELECT oid FROM shared))
              ORDER BY 1, 2, 3",
            columns("conrelid", "conkey", name),
            columns("conrelid", "conkey", kind),
            columns("confrelid", "confkey", name),
            columns("confrelid", "confkey", kind),
            operators("conpfeqop"),
            operators("conppeqop"),
            operators("conffeqop"),
        );
        let keys = target
            .query(&sql, &[&migration])
            .await?
            .iter()
            .map(|row| ForeignKey {
                name: row.get(0),
                child: Side {
                    table: RelationName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
                    columns: row.get(5),
                    types: row.get(6),
                },
                parent: Side {
                    table: RelationName::new(row.get::<_, String>(3), row.get::<_, String>(4)),
                    columns: row.get(7),
                    types: row.get(8),
                },
                operators: Operators { parent_child: row.get(9), parent_parent: row.get(10), child_child: row.get(11) },
            })
            .collect();
        Ok(Self { keys, suspects: HashMap::new() })
    }

    /// Takes what changes of the open group touch.
    pub(crate) fn take(&mut self, changes: &[Change]) {
        if self.keys.is_empty() {
            return;
        }
        for change in changes {
            let (old, new) = match &change.kind {
                ChangeKind::Insert(row) => (None, Some(row)),
                ChangeKind::Update { old, new } => (old.as_ref(), Some(new)),
                ChangeKind::Delete(old) => (Some(old), None),
            };
            for (place, key) in self.keys.iter().enumerate() {
                if let Some(row) = new.filter(|_| key.child.table == change.table.name)
                    && let Some(values) = values(&change.table, &key.child, row)
                {
                    let suspects = self.suspects.entry(place).or_default();
                    suspects.wanted.insert(values);
                    suspects.bound();
                }
                if let Some(row) = old.filter(|_| key.parent.table == change.table.name) {
                    let suspects = self.suspects.entry(place).or_default();
                    match values(&change.table, &key.parent, row) {
                        Some(values) => drop(suspects.gone.insert(values)),
                        // Of a key that is no identity the old values did not travel.
                        None => suspects.whole = true,
                    }
                    suspects.bound();
                }
            }
        }
    }

    /// Rows of a table are gone whose keys are not known.
    pub(crate) fn take_whole(&mut self, table: &RelationName) {
        for (place, _) in self.keys.iter().enumerate().filter(|(_, key)| key.parent.table == *table) {
            self.suspects.entry(place).or_default().whole = true;
        }
    }

    /// The open group is committed or rolled back.
    pub(crate) fn clear(&mut self) {
        self.suspects.clear();
    }

    /// Finds a child without a parent among what the group has touched.
    pub(crate) async fn find_orphan(&self, target: &Session) -> Result<Option<Orphaned>, Error> {
        for (place, suspects) in &self.suspects {
            let Some(key) = self.keys.get(*place) else { continue };
            if key.has_orphan(target, suspects).await? {
                return Ok(Some(Orphaned { constraint: key.name.clone(), child: key.child.table.clone() }));
            }
        }
        Ok(None)
    }
}

impl ForeignKey {
    async fn has_orphan(&self, target: &Session, suspects: &Suspects) -> Result<bool, Error> {
        let orphan = format!(
            "SELECT EXISTS (SELECT FROM {} AS c{{}} WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {}))",
            self.child.table.to_sql(),
            self.child
                .columns
                .iter()
                .map(|name| format!("c.{} IS NOT NULL", quote_identifier(name)))
                .collect::<Vec<_>>()
                .join(" AND "),
            self.parent.table.to_sql(),
            self.parent_is_childs()
        );
        if suspects.whole {
            return Ok(target.query_one(&orphan.replace("{}", ""), &[]).await?.get(0));
        }
        let missing = !suspects.wanted.is_empty() && !self.lock_parents(target, &suspects.wanted).await?;
        let mut asked: Vec<&Key> = suspects.gone.iter().collect();
        if missing {
            asked.extend(&suspects.wanted);
        }
        if asked.is_empty() {
            return Ok(false);
        }
        let join =
            format!(" JOIN {} ON {}", listed(&self.child), matches("c", &self.child, &self.operators.child_child));
        let columns = transposed(&asked, self.child.columns.len())?;
        let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
        Ok(target.query_one(&orphan.replace("{}", &join), &parameters).await?.get(0))
    }

    /// Locks the parents against their deletion, as the server's own check does; false when one is missing.
    async fn lock_parents(&self, target: &Session, wanted: &HashSet<Key>) -> Result<bool, Error> {
        let sql = format!(
            "SELECT 1 FROM {} AS p JOIN {} ON {} FOR KEY SHARE OF p",
            self.parent.table.to_sql(),
            listed(&self.parent),
            matches("p", &self.parent, &self.operators.parent_parent)
        );
        let asked: Vec<&Key> = wanted.iter().collect();
        let columns = transposed(&asked, self.parent.columns.len())?;
        let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
        Ok(target.query(&sql, &parameters).await?.len() >= wanted.len())
    }

    fn parent_is_childs(&self) -> String {
        let pairs = self.parent.columns.iter().zip(&self.child.columns).zip(&self.operators.parent_child);
        pairs
            .map(|((parent, child), operator)| {
                format!("p.{} {operator} c.{}", quote_identifier(parent), quote_identifier(child))
            })
            .collect::<Vec<_>>()
            .join(" AND ")
    }
}

fn listed(side: &Side) -> String {
    let arrays: Vec<String> = (1..=side.columns.len()).map(|number| format!("${number}::text[]")).collect();
    let names: Vec<String> = (1..=side.columns.len()).map(|number| format!("k{number}")).collect();
    format!("unnest({}) AS s({})", arrays.join(", "), names.join(", "))
}

fn matches(alias: &str, side: &Side, operators: &[String]) -> String {
    let parts = side.columns.iter().zip(&side.types).zip(operators).zip(1..);
    parts
        .map(|(((name, kind), operator), number)| {
            format!("{alias}.{} {operator} s.k{number}::{kind}", quote_identifier(name))
        })
        .collect::<Vec<_>>()
        .join(" AND ")
}

/// Values of a side's columns; none when one is NULL or did not travel.
fn values(table: &TargetTable, side: &Side, row: &Tuple) -> Option<Key> {
    side.columns
        .iter()
        .map(|name| {
            let position = table.columns.iter().position(|column| column.name == *name)?;
            match row.values.get(position) {
                Some(Value::Text(bytes)) => Some(bytes.clone()),
                _ => None,
            }
        })
        .collect()
}

/// Keys as one array a column.
fn transposed(keys: &[&Key], columns: usize) -> Result<Vec<Vec<String>>, Error> {
    let text = |bytes: &Bytes| {
        String::from_utf8(bytes.to_vec()).map_err(|_| Error::Broken("a key that the source sent is no UTF-8"))
    };
    (0..columns).map(|column| keys.iter().filter_map(|key| key.get(column)).map(text).collect()).collect()
}
