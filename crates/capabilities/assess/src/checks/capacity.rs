//! Free replication slots, WAL senders, connections and locks.

use crate::facts::Side;
use crate::{Check, Error, Facts, Finding, Outcome, Severity, SideName};

/// The migration's own slot, and a temporary one for a fence.
const SLOTS_NEEDED: i64 = 2;
/// The change stream, the snapshot's holder, and a fence.
const SENDERS_NEEDED: i64 = 3;
/// Copy workers, apply, control, validation.
const CONNECTIONS_NEEDED: i64 = 12;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "free-replication-slots",
        title: "every server has free replication slots",
        severity: Severity::Fail,
        why: "the move needs a slot of its own and one for each fence; the way back needs as many on the target, and a standby one for the snapshot",
        remedy: "raise max_replication_slots and restart, or drop slots that nobody uses",
        run: |facts| Box::pin(slots(facts)),
    },
    Check {
        id: "free-wal-senders",
        title: "every server has free WAL senders",
        severity: Severity::Fail,
        why: "the change stream, the snapshot's holder and a fence each take one; the way back needs as many on the target, and a standby one for the snapshot",
        remedy: "raise max_wal_senders and restart",
        run: |facts| Box::pin(senders(facts)),
    },
    Check {
        id: "free-connections",
        title: "every server has connections to spare",
        severity: Severity::Warn,
        why: "copy workers, apply and validation each take a connection; the application must not run out of its own",
        remedy: "raise max_connections, close idle sessions, or say with `--source-connections` how many the move may take",
        run: |facts| Box::pin(connections(facts)),
    },
    Check {
        id: "lock-table",
        title: "the lock table holds every table at once",
        severity: Severity::Fail,
        why: "pg_dump locks every table in one transaction and stops with `out of shared memory` when the lock table is full",
        remedy: "raise max_locks_per_transaction and restart, or move the tables in groups",
        run: |facts| Box::pin(lock_table(facts)),
    },
];

/// The source must have room, and a standby for what is read there; the target needs it for the way back only.
fn severity(side: &Side) -> Severity {
    match side.name {
        SideName::Source | SideName::Standby => Severity::Fail,
        SideName::Target => Severity::Warn,
    }
}

/// A standby makes one temporary slot at a time, and sends nothing else.
fn needed(side: &Side, elsewhere: i64) -> i64 {
    match side.name {
        SideName::Standby => 1,
        SideName::Source | SideName::Target => elsewhere,
    }
}

async fn slots(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.servers() {
        let used: i64 = side.query_one("SELECT count(*) FROM pg_catalog.pg_replication_slots", &[]).await?.get(0);
        let limit = side.number("max_replication_slots").unwrap_or(0);
        let needed = needed(side, SLOTS_NEEDED);
        if limit - used < needed {
            findings.push(
                Finding::with(
                    severity(side),
                    format!("{used} of {limit} replication slots are taken; {needed} must be free"),
                )
                .on(side.name)
                .remedy(format!("ALTER SYSTEM SET max_replication_slots = {}; -- then restart", used + needed + 2)),
            );
        }
    }
    Ok(findings.into())
}

async fn senders(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.servers() {
        let used: i64 = side.query_one("SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders()", &[]).await?.get(0);
        let limit = side.number("max_wal_senders").unwrap_or(0);
        let needed = needed(side, SENDERS_NEEDED);
        if limit - used < needed {
            findings.push(
                Finding::with(
                    severity(side),
                    format!("{used} of {limit} WAL senders are taken; {needed} must be free"),
                )
                .on(side.name)
                .remedy(format!("ALTER SYSTEM SET max_wal_senders = {}; -- then restart", used + needed + 2)),
            );
        }
    }
    Ok(findings.into())
}

async fn connections(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.servers() {
        let row = side
            .query_one(
                "SELECT (SELECT coalesce(sum(numbackends), 0)::int8 FROM pg_catalog.pg_stat_database),
                        (SELECT d.datconnlimit::int8 FROM pg_catalog.pg_database d
                          WHERE d.datname = pg_catalog.current_database()),
                        (SELECT r.rolconnlimit::int8 FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)",
                &[],
            )
            .await?;
        let used: i64 = row.get(0);
        let reserved = side.number("superuser_reserved_connections").unwrap_or(0)
            + side.number("reserved_connections").unwrap_or(0);
        let limit = side.number("max_connections").unwrap_or(0) - reserved;
        if limit - used < CONNECTIONS_NEEDED {
            findings.push(
                Finding::warn(format!(
                    "{used} of {limit} connections are taken; the move takes up to {CONNECTIONS_NEEDED}"
                ))
                .on(side.name),
            );
        }
        for (what, limit) in [("database", row.get::<_, i64>(1)), ("role", row.get(2))] {
            if (0..CONNECTIONS_NEEDED).contains(&limit) {
                findings.push(
                    Finding::warn(format!(
                        "the {what} has a connection limit of {limit}; the move takes up to {CONNECTIONS_NEEDED}"
                    ))
                    .on(side.name),
                );
            }
        }
    }
    Ok(findings.into())
}

async fn lock_table(facts: &Facts) -> Result<Outcome, Error> {
    let source = &facts.source;
    let number = |name| source.number(name).unwrap_or(0);
    let room = number("max_locks_per_transaction")
        .saturating_mul(number("max_connections") + number("max_prepared_transactions"));
    let row = source
        .query_one(
            "SELECT count(*) FILTER (WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S')),
                    count(*) FILTER (WHERE relkind = 'S')
               FROM pg_catalog.pg_class WHERE oid >= 16384",
            &[],
        )
        .await?;
    let (objects, sequences): (i64, i64) = (row.get(0), row.get(1));
    let seen = format!(
        "{} tables are to be moved; {objects} relations and {sequences} sequences in all; the lock table has room for about {room}",
        facts.moving().count()
    );
    let finding = if objects > room {
        Finding::fail(seen).remedy(format!(
            "ALTER SYSTEM SET max_locks_per_transaction = {}; -- then restart",
            number("max_locks_per_transaction").saturating_mul(objects / room.max(1) + 2)
        ))
    } else {
        Finding::info(seen)
    };
    Ok(vec![finding.on("source")].into())
}
