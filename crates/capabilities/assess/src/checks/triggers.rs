//! Triggers and rewrite rules: what acts on its own when rows are written.

use atalaya_data::quote_identifier;

use crate::{Check, Error, Facts, Finding, Outcome, Severity};

use super::support::{by_table, name_of};
use super::target::counterpart;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "always-triggers",
        title: "what fires on an existing target can be switched off for the move",
        severity: Severity::Fail,
        why: "ENABLE ALWAYS and REPLICA triggers and rules act on copied and applied rows even under session_replication_role = replica, and without the right to that all of them do; `start` switches them off, writes down what they were, and `finish` or `abort` sets them back exactly",
        remedy: "none, where the role owns the tables; else let it be a member of their owner",
        run: |facts| Box::pin(firing(facts)),
    },
    Check {
        id: "rules",
        title: "no rewrite rule changes what the source writes",
        severity: Severity::Warn,
        why: "rows arrive as the source has them, after its rules; a rule that is restored at the end then acts on the target's own statements, as on the source",
        remedy: "none is needed; replace rules by triggers where they surprise",
        run: |facts| Box::pin(rules(facts)),
    },
];

/// Triggers and rules of tables and of their partitions, those of keys apart.
const ACTORS: &str = "
    WITH RECURSIVE ours AS (
        SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($1)
        UNION
        SELECT i.inhrelid FROM ours o JOIN pg_catalog.pg_class p ON p.oid = o.oid AND p.relkind = 'p'
          JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid)
    SELECT n.nspname::text, c.relname::text, a.kind, a.name, a.fires::text, pg_catalog.pg_has_role(c.relowner, 'USAGE')
      FROM (SELECT 'trigger' AS kind, g.tgrelid AS relation, g.tgname::text AS name, g.tgenabled AS fires
              FROM pg_catalog.pg_trigger g LEFT JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint
             WHERE k.oid IS NULL OR k.contype = 't'
            UNION ALL
            SELECT 'rule', r.ev_class, r.rulename::text, r.ev_enabled FROM pg_catalog.pg_rewrite r WHERE r.ev_type <> '1') a
      JOIN ours o ON o.oid = a.relation JOIN pg_catalog.pg_class c ON c.oid = a.relation
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE a.fires::text = ANY ($2)
     ORDER BY 1, 2, 3, 4";

async fn firing(facts: &Facts) -> Result<Outcome, Error> {
    if !facts.options.existing_schema {
        return Ok(Outcome::NotApplicable("triggers and rules are restored when the move ends, as they are"));
    }
    let oids: Vec<u32> =
        facts.moving().filter_map(|relation| counterpart(facts, relation)).map(|relation| relation.oid).collect();
    let acting: &[&str] = match super::privileges::may_silence_triggers(facts).await? {
        true => &["A", "R"],
        false => &["O", "A"],
    };
    let rows = facts.target.query(ACTORS, &[&oids, &acting]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (kind, name): (String, String) = (row.get(2), row.get(3));
            let state = match row.get::<_, String>(4).as_str() {
                "A" => "ENABLE ALWAYS",
                "R" => "ENABLE REPLICA",
                _ => "ENABLE",
            };
            let seen = format!("{kind} `{name}` ({state}) would act on rows of the move");
            let table = name_of(row);
            let off = format!(
                "ALTER TABLE ONLY {} DISABLE {} {};",
                table.to_sql(),
                kind.to_uppercase(),
                quote_identifier(&name)
            );
            match row.get(5) {
                true => {
                    Finding::warn(format!("{seen}: off from `start` until `finish` or `abort` sets it back")).on(table)
                }
                false => Finding::fail(format!("{seen}, and the role may not switch it off")).on(table).remedy(off),
            }
        })
        .collect::<Vec<_>>()
        .into())
}

async fn rules(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT n.nspname::text, c.relname::text,
                    r.rulename || CASE WHEN r.ev_enabled IN ('A', 'R') THEN ' (ALWAYS or REPLICA)' ELSE '' END
               FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.oid = ANY($1) AND r.ev_type <> '1' AND r.ev_enabled <> 'D'
              ORDER BY 1, 2, 3",
            &[&facts.selected_oids()],
        )
        .await?;
    Ok(by_table(&rows, |_, rules| Finding::warn(format!("rewrite rules: {rules}"))).into())
}
