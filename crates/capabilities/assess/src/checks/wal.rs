//! Whether changes can be decoded, and are kept long enough.

use crate::{Check, Error, Facts, Finding, Outcome, Severity, SideName};

use super::support::{bytes, ready};

/// Below it the server cuts a stream that waits for a slow moment of ours.
const SENDER_TIMEOUT_MIN_MS: i64 = 10_000;
/// The server's default; below it more transactions are decoded through files on its disk.
const DECODING_MEMORY_MIN_KB: i64 = 65_536;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "source-wal-level",
        title: "the source writes what logical decoding needs",
        severity: Severity::Fail,
        why: "without wal_level = logical there is no way to follow changes",
        remedy: "set wal_level = logical and restart the source; on RDS set rds.logical_replication = 1 in the parameter group and reboot",
        run: |facts| ready(source_wal_level(facts)),
    },
    Check {
        id: "target-wal-level",
        title: "the target writes what the way back needs",
        severity: Severity::Warn,
        why: "reverse replication after a cutover decodes the target's changes; to switch it on later costs a restart under load",
        remedy: "set wal_level = logical on the target and restart it while it is still empty",
        run: |facts| ready(target_wal_level(facts)),
    },
    Check {
        id: "wal-retention-limit",
        title: "the source's disk is safe from the replication slot, and the slot from a limit that is too low",
        severity: Severity::Warn,
        why: "a slot that falls further behind than max_slot_wal_keep_size is lost, and the move has to start again; without a limit a run that died leaves a slot that keeps WAL until the disk is full, and `--wal-limit` holds only while a run is there to watch",
        remedy: "set max_slot_wal_keep_size below the disk's free space and beyond the WAL written during the copy",
        run: |facts| ready(retention_limit(facts)),
    },
    Check {
        id: "idle-slot-timeout",
        title: "no idle timeout drops the replication slot while the move is stopped",
        severity: Severity::Warn,
        why: "since 18 a slot unused for idle_replication_slot_timeout is invalidated at the next checkpoint",
        remedy: "set idle_replication_slot_timeout = 0 for the time of the move",
        run: |facts| ready(idle_slot_timeout(facts)),
    },
    Check {
        id: "wal-sender-timeout",
        title: "the source does not cut the stream after a short silence",
        severity: Severity::Fail,
        why: "below 10 s a long transaction or a slow target ends the stream again and again",
        remedy: "raise it for the replicating role alone; no restart is needed",
        run: |facts| ready(sender_timeout(facts)),
    },
    Check {
        id: "decoding-memory",
        title: "the source has memory for decoding",
        severity: Severity::Warn,
        why: "transactions larger than logical_decoding_work_mem are written to the source's disk while they are decoded",
        remedy: "raise logical_decoding_work_mem to 64MB or more",
        run: |facts| ready(decoding_memory(facts)),
    },
    Check {
        id: "wal-disk",
        title: "the source's disk can hold the WAL that the slot retains",
        severity: Severity::Warn,
        why: "from its creation to the end of the copy the slot retains all WAL; a full disk stops the source",
        remedy: "compare the free space of the volume with pg_wal to the WAL written per hour times the hours of the copy; alert on it during the move",
        run: |facts| Box::pin(wal_disk(facts)),
    },
];

fn wal_level_sql() -> &'static str {
    "ALTER SYSTEM SET wal_level = 'logical'; -- then restart"
}

fn source_wal_level(facts: &Facts) -> Outcome {
    match facts.source.setting("wal_level") {
        Some("logical") => Vec::new(),
        other => vec![
            Finding::fail(format!("wal_level is `{}`", other.unwrap_or("unknown")))
                .on("source")
                .remedy(wal_level_sql()),
        ],
    }
    .into()
}

fn target_wal_level(facts: &Facts) -> Outcome {
    match facts.target.setting("wal_level") {
        Some("logical") => Vec::new(),
        other => vec![
            Finding::warn(format!("wal_level is `{}`", other.unwrap_or("unknown")))
                .on("target")
                .remedy(wal_level_sql()),
        ],
    }
    .into()
}

fn retention_limit(facts: &Facts) -> Outcome {
    let mut findings = Vec::new();
    for side in facts.sides() {
        match side.number("max_slot_wal_keep_size") {
            Some(limit_mb @ 0..) => findings.push(
                Finding::warn(format!(
                    "max_slot_wal_keep_size is {}: a slot further behind is lost",
                    bytes(limit_mb.saturating_mul(1024 * 1024))
                ))
                .on(side.name)
                .remedy(
                    "-- where less than that is written during the copy, leave it; else, with half of the disk's free space:\n\
                     ALTER SYSTEM SET max_slot_wal_keep_size = '...'; SELECT pg_reload_conf();",
                ),
            ),
            Some(_) if side.name == SideName::Source => findings.push(
                Finding::info("max_slot_wal_keep_size is -1: nothing limits what the slot of a run that died keeps")
                    .on(side.name)
                    .remedy(
                        "-- with half of the disk's free space:\n\
                         ALTER SYSTEM SET max_slot_wal_keep_size = '...'; SELECT pg_reload_conf();",
                    ),
            ),
            _ => {}
        }
    }
    findings.into()
}

fn idle_slot_timeout(facts: &Facts) -> Outcome {
    let known: Vec<_> = facts
        .sides()
        .into_iter()
        .filter_map(|side| Some((side, side.number("idle_replication_slot_timeout")?)))
        .collect();
    if known.is_empty() {
        return Outcome::NotApplicable("no side is 18 or later");
    }
    known
        .into_iter()
        .filter(|(_, timeout)| *timeout > 0)
        .map(|(side, _)| {
            Finding::warn("idle_replication_slot_timeout is on")
                .on(side.name)
                .remedy("ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();")
        })
        .collect::<Vec<_>>()
        .into()
}

fn sender_timeout(facts: &Facts) -> Outcome {
    facts
        .sides()
        .into_iter()
        .filter_map(|side| Some((side, side.number("wal_sender_timeout")?)))
        .filter(|(_, timeout_ms)| (1..SENDER_TIMEOUT_MIN_MS).contains(timeout_ms))
        .map(|(side, timeout_ms)| {
            let seen = format!("wal_sender_timeout is {timeout_ms} ms");
            let finding = if side.name == SideName::Source {
                Finding::fail(seen)
            } else {
                Finding::warn(seen + ", which the way back will meet")
            };
            finding.on(side.name).remedy(format!(
                "ALTER ROLE {} SET wal_sender_timeout = '60s';",
                atalaya_data::quote_identifier(&side.role.name)
            ))
        })
        .collect::<Vec<_>>()
        .into()
}

fn decoding_memory(facts: &Facts) -> Outcome {
    match facts.source.number("logical_decoding_work_mem") {
        Some(memory_kb) if memory_kb < DECODING_MEMORY_MIN_KB => vec![
            Finding::warn(format!("logical_decoding_work_mem is {}", bytes(memory_kb.saturating_mul(1024))))
                .on("source")
                .remedy(format!(
                    "ALTER ROLE {} SET logical_decoding_work_mem = '64MB';",
                    atalaya_data::quote_identifier(&facts.source.role.name)
                )),
        ],
        _ => Vec::new(),
    }
    .into()
}

async fn wal_disk(facts: &Facts) -> Result<Outcome, Error> {
    let source = &facts.source;
    let moving: i64 =
        facts.moving().map(|relation| i64::try_from(relation.bytes).unwrap_or(i64::MAX)).fold(0, i64::saturating_add);
    let visible: bool = source
        .query_one("SELECT pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE')", &[])
        .await?
        .get(0);
    if !visible {
        return Ok(vec![
            Finding::warn("the size of pg_wal cannot be seen")
                .on("source")
                .remedy(format!("GRANT pg_monitor TO {};", atalaya_data::quote_identifier(&source.role.name))),
        ]
        .into());
    }
    let now: i64 =
        source.query_one("SELECT coalesce(sum(size), 0)::int8 FROM pg_catalog.pg_ls_waldir()", &[]).await?.get(0);
    let limit = source.number("max_wal_size").unwrap_or(1024).saturating_mul(1024 * 1024);
    let seen = format!(
        "pg_wal holds {} now (max_wal_size {}); {} of tables are to be copied",
        bytes(now),
        bytes(limit),
        bytes(moving)
    );
    let finding = if now > limit.saturating_mul(2) {
        Finding::warn(format!("{seen}; something retains WAL already"))
            .remedy("look at restart_lsn in pg_replication_slots, at archiving and at wal_keep_size")
    } else {
        Finding::info(format!("{seen}; how much the volume has free cannot be seen from SQL"))
    };
    Ok(vec![finding.on("source")].into())
}
