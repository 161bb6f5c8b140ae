//! What acts on its own when a table of the target is written to: triggers and rewrite rules, as the catalog has them.
//!
//! Reads catalogs only, without a lock on any table: apply may have locked them.

use atalaya_data::{RelationName, quote_identifier};
use atalaya_postgres::{Row, Session};

use crate::Error;

/// What kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Trigger,
    /// Internal, of a foreign key.
    ForeignKey,
    Rule,
}

/// When it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fires {
    Origin,
    Always,
    Replica,
    Never,
}

impl Fires {
    pub(crate) fn parse(code: &str) -> Result<Self, Error> {
        Ok(match code {
            "O" => Self::Origin,
            "A" => Self::Always,
            "R" => Self::Replica,
            "D" => Self::Never,
            _ => return Err(Error::Broken("a trigger is in a state that no version of Postgres knows")),
        })
    }

    /// What stands before `TRIGGER` or `RULE` to make it so.
    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Origin => "ENABLE",
            Self::Always => "ENABLE ALWAYS",
            Self::Replica => "ENABLE REPLICA",
            Self::Never => "DISABLE",
        }
    }
}

/// What the sessions that write rows of the move are, which decides what acts on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// `session_replication_role = replica`.
    Replica,
    /// As everybody's.
    Origin,
}

impl Writers {
    /// By whether the role may keep triggers from firing.
    pub(crate) const fn of(may_be_replica: bool) -> Self {
        if may_be_replica { Self::Replica } else { Self::Origin }
    }

    /// Whether something acts on the rows that they write.
    pub(super) const fn wake(self, fires: Fires) -> bool {
        match fires {
            Fires::Always => true,
            Fires::Replica => matches!(self, Self::Replica),
            Fires::Origin => matches!(self, Self::Origin),
            Fires::Never => false,
        }
    }
}

/// One trigger or rule.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) kind: Kind,
    pub(super) oid: u32,
    pub(super) relation: RelationName,
    pub(super) name: String,
    pub(super) fires: Fires,
    /// Whether the role may switch it.
    pub(super) owned: bool,
    /// Whether the move has switched it off.
    pub(super) silenced: bool,
}

impl Actor {
    /// For people.
    pub(super) fn shown(&self) -> String {
        shown(self.kind, &self.name, &self.relation)
    }

    /// The statement that makes it so. ONLY: each partition's own trigger has a state of its own.
    pub(super) fn switch_sql(&self, fires: Fires) -> String {
        switch_sql(self.kind, &self.name, &self.relation, fires)
    }
}

/// The statement that has a trigger or rule act at other times.
pub(super) fn switch_sql(kind: Kind, name: &str, relation: &RelationName, fires: Fires) -> String {
    let what = if kind == Kind::Rule { "RULE" } else { "TRIGGER" };
    format!("ALTER TABLE ONLY {} {} {what} {}", relation.to_sql(), fires.verb(), quote_identifier(name))
}

/// A trigger or rule for people.
pub(super) fn shown(kind: Kind, name: &str, relation: &RelationName) -> String {
    let what = match kind {
        Kind::Trigger => "trigger",
        Kind::ForeignKey => "a foreign key's trigger",
        Kind::Rule => "rule",
    };
    format!("{what} `{name}` of {relation}")
}

/// Rows go to the tables of the move and into their partitions. A partition's copy of a trigger is internal before 15, and
/// the owner may switch it all the same; a constraint's trigger that is none of a foreign key upholds a unique value.
///
/// `named` yields schema and name of the move's tables; `silenced` is joined to each actor `a` as `s`.
fn actors_sql(named: &str, silenced: &str) -> String {
    format!(
        "
    WITH RECURSIVE ours AS (
        SELECT c.oid FROM ({named}) AS t(schema, name)
          JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
        UNION
        SELECT i.inhrelid FROM ours o JOIN pg_catalog.pg_class p ON p.oid = o.oid AND p.relkind = 'p'
          JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid),
    actors AS (
        SELECT CASE k.contype WHEN 'f' THEN 'key' ELSE 'trigger' END AS kind, g.oid, g.tgrelid AS relation,
               g.tgname::text AS name, g.tgenabled::text AS fires
          FROM pg_catalog.pg_trigger g LEFT JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint
         WHERE k.oid IS NULL OR k.contype IN ('t', 'f')
        UNION ALL
        SELECT 'rule', r.oid, r.ev_class, r.rulename::text, r.ev_enabled::text
          FROM pg_catalog.pg_rewrite r WHERE r.ev_type <> '1')
    SELECT a.kind, a.oid, n.nspname::text, c.relname::text, a.name, a.fires,
           pg_catalog.pg_has_role(c.relowner, 'USAGE'), s.oid IS NOT NULL
      FROM actors a JOIN ours o ON o.oid = a.relation JOIN pg_catalog.pg_class c ON c.oid = a.relation
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN {silenced}
     WHERE a.fires <> 'D'
     ORDER BY 3, 4, 1, 5"
    )
}

/// Everything that is not off, of the tables that the migration writes to.
pub(super) async fn awake(target: &Session, migration: &str) -> Result<Vec<Actor>, Error> {
    let sql = actors_sql(
        "SELECT target_schema, target_name FROM atalaya.tables WHERE migration = $1",
        "atalaya.silenced s ON s.migration = $1 AND s.oid = a.oid AND s.fires <> '-'
            AND s.kind = CASE a.kind WHEN 'rule' THEN 'rule' ELSE 'trigger' END",
    );
    target.query(&sql, &[&migration]).await?.iter().map(actor_from).collect()
}

/// Everything that is not off, of tables that are written to without a migration that knows them yet.
pub(super) async fn awake_on(target: &Session, tables: &[RelationName]) -> Result<Vec<Actor>, Error> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        tables.iter().map(|table| (table.schema.as_str(), table.name.as_str())).unzip();
    let sql = actors_sql(
        "SELECT * FROM unnest($1::text[], $2::text[])",
        "(SELECT NULL::oid AS oid WHERE false) AS s ON true",
    );
    target.query(&sql, &[&schemas, &names]).await?.iter().map(actor_from).collect()
}

fn actor_from(row: &Row) -> Result<Actor, Error> {
    let text = |column: usize| row.get::<_, String>(column);
    Ok(Actor {
        kind: match text(0).as_str() {
            "rule" => Kind::Rule,
            "key" => Kind::ForeignKey,
            _ => Kind::Trigger,
        },
        oid: row.get(1),
        relation: RelationName::new(text(2), text(3)),
        name: text(4),
        fires: Fires::parse(&text(5))?,
        owned: row.get(6),
        silenced: row.get(7),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_depends_on_who_writes() {
        let acting = |writers: Writers| -> Vec<Fires> {
            let all = [Fires::Origin, Fires::Always, Fires::Replica, Fires::Never];
            all.into_iter().filter(|fires| writers.wake(*fires)).collect()
        };
        assert_eq!(acting(Writers::Replica), [Fires::Always, Fires::Replica]);
        assert_eq!(acting(Writers::Origin), [Fires::Origin, Fires::Always]);
    }

    #[test]
    fn a_partitions_trigger_is_switched_alone() {
        let sql = switch_sql(Kind::Trigger, "odd \"name\"", &RelationName::new("a", "b"), Fires::Replica);
        assert_eq!(sql, "ALTER TABLE ONLY \"a\".\"b\" ENABLE REPLICA TRIGGER \"odd \"\"name\"\"\"");
    }
}
