//! The standby that rows are read from, where one is named: whether it can serve, and what would end the copy there.

use atalaya_postgres::standby::{judge, read_lag};

use crate::facts::Side;
use crate::{Check, Error, Facts, Finding, Outcome, Severity};

use super::privileges::unreadable;
use super::row_security::{bound_tables, secured};
use super::support::{bytes, ready};

/// A segment of the log: whoever is further behind does not keep up.
const BEHIND_MAX: u64 = 16 << 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "standby",
        title: "the standby that is named can be read from",
        severity: Severity::Fail,
        why: "the copy's snapshot belongs to a logical slot made there: that needs 16 or later, wal_level = logical and the right to replicate, and rows of another server or of a timeline that was left are not the source's",
        remedy: "set the standby up, name another one with `--snapshot-from`, or leave it out to read from the source",
        run: |facts| Box::pin(standby(facts)),
    },
    Check {
        id: "standby-privileges",
        title: "the standby's role may read every column and row",
        severity: Severity::Fail,
        why: "rows and schema are read by the role that logs in there, which need not be the source's",
        remedy: "grant on the source what the role lacks, or log in to the standby as the source's role",
        run: |facts| Box::pin(privileges(facts)),
    },
    Check {
        id: "standby-conflicts",
        title: "nothing that is replayed ends the copy's snapshot",
        severity: Severity::Warn,
        why: "a standby that has to replay the removal of rows, or an exclusive lock, ends what is in its way; tables that are not finished are then copied anew",
        remedy: "let the standby tell the source what it still reads (hot_standby_feedback), and wait for its readers (max_standby_streaming_delay)",
        run: |facts| ready(conflicts(facts)),
    },
    Check {
        id: "standby-lag",
        title: "the standby replays what the source writes",
        severity: Severity::Fail,
        why: "the copy waits until the standby has all that the source had written, for as long as `--slot-timeout` says",
        remedy: "resume its replay, or wait until it has caught up",
        run: |facts| Box::pin(lag(facts)),
    },
];

const NONE_NAMED: &str = "no standby is named: rows are read from the source";
const NOT_OURS: &str = "the server is no standby of this source; the check `standby` says so";

async fn standby(facts: &Facts) -> Result<Outcome, Error> {
    let Some(standby) = &facts.standby else { return Ok(Outcome::NotApplicable(NONE_NAMED)) };
    let (_, unfit) = judge(&standby.session, &facts.source.session).await?;
    let findings = unfit.iter().map(|unfit| Finding::fail(unfit.to_string()).on(standby.name).remedy(unfit.remedy()));
    Ok(findings.collect::<Vec<_>>().into())
}

/// The standby, where it follows this source: of another server nothing more is asked.
fn of_source(facts: &Facts) -> Result<&Side, Outcome> {
    let Some(standby) = &facts.standby else { return Err(Outcome::NotApplicable(NONE_NAMED)) };
    let (here, there) = (&standby.identity, &facts.source.identity);
    let same = (here.system_identifier, here.database_oid) == (there.system_identifier, there.database_oid);
    match standby.in_recovery && !facts.source.in_recovery && same {
        true => Ok(standby),
        false => Err(Outcome::NotApplicable(NOT_OURS)),
    }
}

async fn privileges(facts: &Facts) -> Result<Outcome, Error> {
    let standby = match of_source(facts) {
        Ok(standby) if standby.role.name == facts.source.role.name => {
            return Ok(Outcome::NotApplicable("the role is the source's, which is looked at there"));
        }
        Ok(standby) => standby,
        Err(outcome) => return Ok(outcome),
    };
    // A standby has its tables under the source's own numbers.
    let tables = facts.selected_oids();
    let mut findings = unreadable(standby, &tables).await?;
    findings.extend(bound_tables(standby, &secured(standby, &tables).await?));
    let on_source = |finding: Finding| Finding {
        remedy: finding.remedy.map(|sql| format!("{sql} -- on the source: a standby has no rights of its own")),
        ..finding
    };
    Ok(findings.into_iter().map(on_source).collect::<Vec<_>>().into())
}

fn conflicts(facts: &Facts) -> Outcome {
    let standby = match of_source(facts) {
        Ok(standby) => standby,
        Err(outcome) => return outcome,
    };
    const WAITS: &str = "ALTER SYSTEM SET max_standby_streaming_delay = -1; SELECT pg_reload_conf(); -- on the standby, \
                         until the copy is done: its replay then waits";
    // The source hears of nothing that the receiver does not report.
    let told = standby.setting("hot_standby_feedback") == Some("on")
        && standby.number("wal_receiver_status_interval").unwrap_or(0) > 0;
    let delay_ms = standby.number("max_standby_streaming_delay").unwrap_or(0);
    let waited = match delay_ms {
        ..0 => None,
        ms => Some(format!("after {} s", ms / 1000)),
    };
    let finding = match (told, waited) {
        (true, None) => return Vec::new().into(),
        (true, Some(after)) => Finding::info(format!(
            "an exclusive lock on the source, by DDL or by a vacuum that cuts a table's end off, ends the copy of that table \
             {after}"
        ))
        .remedy(WAITS),
        (false, None) => Finding::warn(
            "the source does not hear what is read on the standby (hot_standby_feedback): its replay waits for the copy after \
             each vacuum",
        )
        .remedy(TELLS),
        (false, Some(after)) => Finding::warn(format!(
            "the source does not hear what is read on the standby (hot_standby_feedback): a vacuum there ends the copy's \
             snapshot {after}"
        ))
        .remedy(TELLS),
    };
    vec![finding.on(standby.name)].into()
}

const TELLS: &str = "ALTER SYSTEM SET hot_standby_feedback = on; ALTER SYSTEM RESET wal_receiver_status_interval; \
                     SELECT pg_reload_conf(); -- on the standby";

async fn lag(facts: &Facts) -> Result<Outcome, Error> {
    let standby = match of_source(facts) {
        Ok(standby) => standby,
        Err(outcome) => return Ok(outcome),
    };
    let lag = read_lag(&standby.session, &facts.source.session).await?;
    let behind = bytes(i64::try_from(lag.bytes).unwrap_or(i64::MAX));
    let finding = match lag.paused {
        true => Finding::fail(format!("its replay is paused, {behind} behind the source"))
            .remedy("SELECT pg_wal_replay_resume(); -- on the standby"),
        false if lag.bytes > BEHIND_MAX => Finding::warn(format!("it is {behind} behind the source")),
        false => return Ok(Vec::new().into()),
    };
    Ok(vec![finding.on(standby.name)].into())
}
