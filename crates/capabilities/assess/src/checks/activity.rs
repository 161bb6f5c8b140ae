//! What goes on at the source now, and who else follows it.

use atalaya_data::{quote_identifier, quote_literal};

use crate::facts::Side;
use crate::{Check, Error, Facts, Finding, Outcome, Severity, SideName};

use super::support::{age, bytes, listed};

/// Held back more than this, an inactive slot is worth a word of its own.
const HELD_BACK_BYTES: i64 = 1024 * 1024 * 1024;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "long-transactions",
        title: "no transaction on the source, in any database, is open for long",
        severity: Severity::Warn,
        why: "creating a slot waits until every transaction that is open has ended, those of other databases too",
        remedy: "end them, or wait for them",
        run: |facts| Box::pin(long_transactions(facts)),
    },
    Check {
        id: "prepared-transactions",
        title: "no prepared transaction is left on the source, in any database",
        severity: Severity::Fail,
        why: "a prepared transaction survives restarts, and creating a slot waits for it for ever",
        remedy: "commit or roll it back in its database",
        run: |facts| Box::pin(prepared_transactions(facts)),
    },
    Check {
        id: "existing-slots",
        title: "no other replication slots are in use",
        severity: Severity::Warn,
        why: "slots do not move: what reads from them has to be pointed to the target and started anew; inactive ones retain WAL",
        remedy: "plan for each consumer; drop slots that nobody uses",
        run: |facts| Box::pin(slots(facts)),
    },
    Check {
        id: "subscriptions",
        title: "neither database has subscriptions",
        severity: Severity::Warn,
        why: "a subscription of the source does not move; one of the target writes into the tables that are to be equal",
        remedy: "disable or drop the target's, and plan to make the source's anew after the move",
        run: |facts| Box::pin(subscriptions(facts)),
    },
    Check {
        id: "publications",
        title: "the source has no publications of its own",
        severity: Severity::Warn,
        why: "publications do not move, and subscribers of the source will not see what is written to the target",
        remedy: "make them on the target after the move",
        run: |facts| Box::pin(publications(facts)),
    },
    Check {
        id: "other-replication",
        title: "no other replication system is set up",
        severity: Severity::Warn,
        why: "pglogical, Bucardo, Slony, Londiste and the like keep triggers, queues and nodes that do not move",
        remedy: "take the database out of that system, or set it up anew on the target",
        run: |facts| Box::pin(other_replication(facts)),
    },
    Check {
        id: "earlier-migration",
        title: "no earlier migration left its traces",
        severity: Severity::Warn,
        why: "our own schema on the target belongs to a migration that runs, or was never finished or aborted",
        remedy: "resume it with `atalaya migrate start`, or end it with `finish` or `abort`",
        run: |facts| Box::pin(earlier_migration(facts)),
    },
    Check {
        id: "default-read-only",
        title: "no default_transaction_read_only is in the way",
        severity: Severity::Warn,
        why: "applications on the target would not write; a read-only source may be one that another cutover closed",
        remedy: "take the setting back unless it is meant",
        run: |facts| Box::pin(read_only(facts)),
    },
];

async fn long_transactions(facts: &Facts) -> Result<Outcome, Error> {
    let limit = i64::try_from(facts.options.long_transaction.as_secs()).unwrap_or(i64::MAX);
    let rows = facts
        .source
        .query(
            "SELECT pid, coalesce(datname::text, '-'), coalesce(usename::text, '-'), coalesce(state, '-'),
                    extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)::int8
               FROM pg_catalog.pg_stat_activity
              WHERE backend_type IN ('client backend', 'parallel worker')
                AND pid <> pg_catalog.pg_backend_pid()
                AND extract(epoch FROM pg_catalog.clock_timestamp() - xact_start) >= $1::int8
              ORDER BY xact_start",
            &[&limit],
        )
        .await?;
    let mut findings: Vec<Finding> = rows
        .iter()
        .map(|row| {
            let (pid, database, role, state): (i32, String, String, String) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            Finding::warn(format!(
                "a transaction of role `{role}` in database `{database}` is open for {} ({state})",
                age(row.get(4))
            ))
            .on(format!("pid {pid}"))
            .remedy(format!("SELECT pg_terminate_backend({pid});"))
        })
        .collect();
    if !facts.source.role.reads_all_stats {
        findings.push(
            Finding::warn("how long other roles' transactions are open cannot be seen")
                .remedy(format!("GRANT pg_monitor TO {};", quote_identifier(&facts.source.role.name))),
        );
    }
    Ok(findings.into())
}

async fn prepared_transactions(facts: &Facts) -> Result<Outcome, Error> {
    let limit = i64::try_from(facts.options.long_transaction.as_secs()).unwrap_or(i64::MAX);
    let rows = facts
        .source
        .query(
            "SELECT gid, coalesce(database::text, '-'), coalesce(owner::text, '-'),
                    extract(epoch FROM pg_catalog.clock_timestamp() - prepared)::int8
               FROM pg_catalog.pg_prepared_xacts ORDER BY prepared",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (gid, database, owner): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let seconds: i64 = row.get(3);
            let seen = format!("prepared by `{owner}` in database `{database}` {} ago", age(seconds));
            // Two-phase commit in daily use has young ones at any time; those end by themselves.
            let finding = if seconds >= limit { Finding::fail(seen) } else { Finding::warn(seen) };
            finding.on(&gid).remedy(format!(
                "ROLLBACK PREPARED {0}; -- or COMMIT PREPARED {0}; in database `{database}`",
                quote_literal(&gid)
            ))
        })
        .collect::<Vec<_>>()
        .into())
}

async fn slots(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.sides() {
        // A standby has no current position to measure from.
        let here =
            if side.in_recovery { "pg_catalog.pg_last_wal_replay_lsn()" } else { "pg_catalog.pg_current_wal_lsn()" };
        let rows = side
            .query(
                &format!(
                    "SELECT slot_name::text, slot_type, coalesce(database::text, '-'), active,
                            coalesce(wal_status, '-'),
                            coalesce(pg_catalog.pg_wal_lsn_diff({here}, restart_lsn), 0)::int8,
                            coalesce(plugin::text, '-')
                       FROM pg_catalog.pg_replication_slots WHERE NOT temporary
                      ORDER BY slot_name"
                ),
                &[],
            )
            .await?;
        findings.extend(rows.iter().map(|row| slot_finding(side, row)));
    }
    Ok(findings.into())
}

fn slot_finding(side: &Side, row: &atalaya_postgres::Row) -> Finding {
    let (name, kind, database): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    let active: bool = row.get(3);
    let status: String = row.get(4);
    let behind: i64 = row.get(5);
    let plugin: String = row.get(6);
    let what = if kind == "physical" {
        "physical slot, of a standby or a receiver".to_owned()
    } else {
        format!("logical slot of database `{database}` (plugin {plugin})")
    };
    let seen = format!(
        "{}: {what}, {}, retains {}, wal_status {status}",
        side.name,
        if active { "active" } else { "inactive" },
        bytes(behind)
    );
    let severity = if name.starts_with("atalaya_") && active { Severity::Info } else { Severity::Warn };
    let finding = Finding::with(severity, seen).on(&name);
    if !active && (behind >= HELD_BACK_BYTES || status == "lost" || status == "unreserved") {
        finding.remedy(format!("SELECT pg_drop_replication_slot({}); -- once nobody needs it", quote_literal(&name)))
    } else {
        finding
    }
}

async fn subscriptions(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.sides() {
        let rows = side
            .query(
                "SELECT s.subname::text, s.subenabled FROM pg_catalog.pg_subscription s
                   JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
                  WHERE d.datname = pg_catalog.current_database() ORDER BY 1",
                &[],
            )
            .await?;
        findings.extend(rows.iter().map(|row| {
            let name: String = row.get(0);
            let enabled: bool = row.get(1);
            let state = if enabled { "enabled" } else { "disabled" };
            let finding = Finding::warn(format!("a subscription of the {}, {state}", side.name)).on(&name);
            match side.name {
                SideName::Target if enabled => {
                    finding.remedy(format!("ALTER SUBSCRIPTION {} DISABLE;", quote_identifier(&name)))
                }
                _ => finding,
            }
        }));
    }
    Ok(findings.into())
}

async fn publications(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT p.pubname::text, p.puballtables,
                    (SELECT count(*) FROM pg_catalog.pg_publication_tables t WHERE t.pubname = p.pubname)
               FROM pg_catalog.pg_publication p WHERE p.pubname NOT LIKE 'atalaya\\_%' ORDER BY 1",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let name: String = row.get(0);
            let (all, tables): (bool, i64) = (row.get(1), row.get(2));
            Finding::warn(if all { "publishes all tables".to_owned() } else { format!("publishes {tables} tables") })
                .on(name)
        })
        .collect::<Vec<_>>()
        .into())
}

async fn other_replication(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.sides() {
        let rows = side
            .query(
                "SELECT 'extension', extname::text FROM pg_catalog.pg_extension
                  WHERE extname IN ('pglogical', 'pglogical_origin', 'bdr', 'pgq', 'londiste', 'pgactive', 'spock')
                 UNION
                 SELECT 'schema', nspname::text FROM pg_catalog.pg_namespace
                  WHERE nspname IN ('pglogical', 'bdr', 'bucardo', 'pgq', 'londiste', 'spock', 'pgactive')
                     OR nspname LIKE '\\_slony%' OR nspname LIKE '\\_rubyrep%'
                  ORDER BY 1, 2",
                &[],
            )
            .await?;
        let found: Vec<String> =
            rows.iter().map(|row| format!("{} {}", row.get::<_, String>(0), row.get::<_, String>(1))).collect();
        if !found.is_empty() {
            findings.push(Finding::warn(format!("another replication system: {}", listed(&found, 10))).on(side.name));
        }
    }
    Ok(findings.into())
}

async fn earlier_migration(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    let row = facts
        .target
        .query_one("SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'atalaya')", &[])
        .await?;
    if row.get(0) {
        findings.push(Finding::warn("the target has a schema `atalaya`").on("target"));
    }
    for (what, sql) in [
        (
            "slot",
            "SELECT slot_name::text FROM pg_catalog.pg_replication_slots
              WHERE slot_name LIKE 'atalaya\\_%' AND NOT temporary ORDER BY 1",
        ),
        (
            "publication",
            "SELECT pubname::text FROM pg_catalog.pg_publication WHERE pubname LIKE 'atalaya\\_%' ORDER BY 1",
        ),
        (
            "event trigger",
            "SELECT evtname::text FROM pg_catalog.pg_event_trigger WHERE evtname LIKE 'atalaya\\_%' ORDER BY 1",
        ),
    ] {
        for row in facts.source.query(sql, &[]).await? {
            findings.push(Finding::warn(format!("the source has a {what} of a migration")).on(row.get::<_, String>(0)));
        }
    }
    Ok(findings.into())
}

async fn read_only(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.sides() {
        let rows = side
            .query(
                "SELECT coalesce(d.datname::text, ''), coalesce(r.rolname::text, '')
                   FROM pg_catalog.pg_db_role_setting s
                   LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
                   LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
                  WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
                    AND EXISTS (SELECT FROM pg_catalog.unnest(s.setconfig) c
                        WHERE c IN ('default_transaction_read_only=on', 'default_transaction_read_only=true',
                                    'default_transaction_read_only=1', 'default_transaction_read_only=yes'))
                  ORDER BY 1, 2",
                &[],
            )
            .await?;
        findings.extend(rows.iter().map(|row| {
            let (database, role): (String, String) = (row.get(0), row.get(1));
            let scope = match (database.as_str(), role.as_str()) {
                (database, "") => format!("DATABASE {}", quote_identifier(database)),
                ("", role) => format!("ROLE {}", quote_identifier(role)),
                (database, role) => {
                    format!("ROLE {} IN DATABASE {}", quote_identifier(role), quote_identifier(database))
                }
            };
            Finding::warn(format!("default_transaction_read_only is on for {scope}"))
                .on(side.name)
                .remedy(format!("ALTER {scope} RESET default_transaction_read_only;"))
        }));
        findings.extend(read_only_by_file(side).await?);
    }
    Ok(findings.into())
}

/// The server's own files; our session overrides the setting, so its value here says nothing.
async fn read_only_by_file(side: &Side) -> Result<Option<Finding>, Error> {
    let visible: bool = side
        .query_one(
            "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE')
                AND pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')",
            &[],
        )
        .await?
        .get(0);
    if !visible {
        return Ok(None);
    }
    let set = side
        .query(
            "SELECT 1 FROM (SELECT setting FROM pg_catalog.pg_file_settings
                             WHERE name = 'default_transaction_read_only' ORDER BY seqno DESC LIMIT 1) s
              WHERE s.setting IN ('on', 'true', '1', 'yes')",
            &[],
        )
        .await?;
    Ok((!set.is_empty()).then(|| {
        Finding::warn("default_transaction_read_only is on in the server's configuration files")
            .on(side.name)
            .remedy("ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf();")
    }))
}
