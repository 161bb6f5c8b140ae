//! Which servers they are: versions, the same database twice, standbys, what later versions took away.

use atalaya_data::RelationName;

use crate::{Check, Error, Facts, Finding, Outcome, Severity};

use super::support::ready;

const OLDEST: u32 = 13;
const NEWEST: u32 = 18;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "server-versions",
        title: "both servers' versions are supported, and the target is not older",
        severity: Severity::Fail,
        why: "pg_dump and pg_restore of the target's version carry the schema; an older target may not know what the source's schema says",
        remedy: "use versions 13 to 18, with the target at least as new as the source",
        run: |facts| ready(versions(facts)),
    },
    Check {
        id: "same-database",
        title: "source and target are not the same database",
        severity: Severity::Fail,
        why: "a move of a database onto itself would copy and delete its own rows; a clone holds the rows already",
        remedy: "check both URLs",
        run: |facts| Box::pin(same_database(facts)),
    },
    Check {
        id: "in-recovery",
        title: "neither server is a standby",
        severity: Severity::Fail,
        why: "a publication cannot be made on a standby, and nothing can be written to one",
        remedy: "use the primary's address, or promote the standby",
        run: |facts| ready(in_recovery(facts)),
    },
    Check {
        id: "removed-features",
        title: "the source uses nothing that the target's version has removed or changed",
        severity: Severity::Fail,
        why: "postfix operators, and aggregates and operators over the array functions whose signature 14 changed, cannot be restored into 14 or later",
        remedy: "drop or rewrite these objects on the source before the move",
        run: |facts| Box::pin(removed_features(facts)),
    },
];

fn versions(facts: &Facts) -> Outcome {
    let mut findings = Vec::new();
    for side in facts.sides() {
        if !(OLDEST..=NEWEST).contains(&side.major()) {
            findings.push(
                Finding::fail(format!("PostgreSQL {} is outside {OLDEST} to {NEWEST}", side.major())).on(side.name),
            );
        }
    }
    if facts.target.major() < facts.source.major() {
        findings.push(Finding::fail(format!(
            "the target ({}) is older than the source ({})",
            facts.target.major(),
            facts.source.major()
        )));
    }
    findings.into()
}

async fn same_database(facts: &Facts) -> Result<Outcome, Error> {
    let (source, target) = (&facts.source.identity, &facts.target.identity);
    if source.system_identifier != target.system_identifier {
        return Ok(Vec::new().into());
    }
    // A clone shares the system identifier; one running server alone shares its start as well.
    let sql = "SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text";
    let start = |row: atalaya_postgres::Row| row.get::<_, String>(0);
    let one_server = start(facts.source.query_one(sql, &[]).await?) == start(facts.target.query_one(sql, &[]).await?);
    let finding = match (one_server, source.database_oid == target.database_oid) {
        (true, true) => Finding::fail("both URLs lead to this very database").on(&source.database),
        (true, false) => Finding::info("source and target are two databases of one server"),
        (false, _) => {
            Finding::warn("both servers have the same system identifier: one is a clone or a standby of the other")
                .remedy("make sure that the target's own rows may be replaced")
        }
    };
    Ok(vec![finding].into())
}

fn in_recovery(facts: &Facts) -> Outcome {
    facts
        .sides()
        .into_iter()
        .filter(|side| side.in_recovery)
        .map(|side| Finding::fail("the server is a standby").on(side.name))
        .collect::<Vec<_>>()
        .into()
}

/// The functions whose argument type changed from anyarray to anycompatiblearray in 14, as pg_upgrade lists.
const CHANGED_ARRAY_FUNCTIONS: &str = "'array_append(anyarray,anyelement)', 'array_cat(anyarray,anyarray)',
    'array_prepend(anyelement,anyarray)', 'array_remove(anyarray,anyelement)',
    'array_replace(anyarray,anyelement,anyelement)', 'array_position(anyarray,anyelement)',
    'array_position(anyarray,anyelement,integer)', 'array_positions(anyarray,anyelement)',
    'width_bucket(anyelement,anyarray)'";

async fn removed_features(facts: &Facts) -> Result<Outcome, Error> {
    if facts.source.major() >= 14 || facts.target.major() < 14 {
        return Ok(Outcome::NotApplicable("nothing was removed between these two versions"));
    }
    let sql = format!(
        "SELECT n.nspname::text, o.oprname::text, 'operator', 'a postfix operator'
           FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
          WHERE o.oprright = 0 AND o.oid >= 16384
         UNION ALL
         SELECT n.nspname::text, o.oprname::text, 'operator', 'an operator over a changed array function'
           FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
          WHERE o.oid >= 16384 AND o.oprcode::oid::regprocedure::text IN ({CHANGED_ARRAY_FUNCTIONS})
         UNION ALL
         SELECT n.nspname::text, p.proname::text, 'aggregate', 'an aggregate over a changed array function'
           FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid
           JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
          WHERE p.oid >= 16384 AND (a.aggtransfn::oid::regprocedure::text IN ({CHANGED_ARRAY_FUNCTIONS})
                OR a.aggfinalfn::oid::regprocedure::text IN ({CHANGED_ARRAY_FUNCTIONS}))
          ORDER BY 1, 2"
    );
    let findings: Vec<Finding> = facts
        .source
        .query(&sql, &[])
        .await?
        .iter()
        .map(|row| {
            let name = RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1));
            let (kind, what): (String, String) = (row.get(2), row.get(3));
            Finding::fail(format!("{what}, which 14 and later do not have"))
                .on(name)
                .remedy(format!("drop or rewrite the {kind} on the source"))
        })
        .collect();
    Ok(findings.into())
}
