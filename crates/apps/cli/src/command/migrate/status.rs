//! `atalaya migrate status`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use atalaya_data::MigrationId;
use atalaya_migration::{Idle, Migrations, Standing};
use atalaya_replicate::{ProofStatus, SlotHealth, SpoolStatus, Status};

use super::way_back;
use crate::endpoints::{EndpointArguments, Endpoints};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{self, Journal, when};
use crate::runtime;
use crate::size::bytes;
use atalaya_saga::{End, Way};

/// Arguments of `atalaya migrate status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate status orders-to-18
  atalaya migrate status orders-to-18 --output json | jq .lag_bytes")]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    endpoints: EndpointArguments,
}

/// Nothing is made here that would wait so long.
const SLOT_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &StatusArguments, context: &Context) -> Result<u8, Failure> {
    let endpoints = arguments.endpoints.resolve(context)?;
    let (status, way_back, standing) = runtime::block_on(async {
        let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await?;
        let way_back = match &status {
            Some(status) if status.serving.is_some() => {
                let plan = way_back::plan(&endpoints, SLOT_TIMEOUT, context)?;
                Some(atalaya_replicate::way_back_status(&plan).await?)
            }
            _ => None,
        };
        Ok::<_, Failure>((status, way_back, standing(&endpoints, context).await))
    })??;
    let Some(status) = status else { return Err(unknown(&endpoints, standing.as_ref())) };
    let mut out = text(&status);
    // What the journal has under the name may be an earlier one, which ended.
    let id = MigrationId::of_slot(&endpoints.name, &status.slot.name);
    let standing = standing.filter(|standing| id.as_ref() == Some(&standing.id));
    if let Some(way_back) = &way_back {
        let _infallible = writeln!(out, "  back     {}", way_back::line(way_back));
    }
    if let Some(standing) = &standing {
        by_the_journal(&mut out, standing, status.running);
    }
    let mut json = serde_json::json!(status);
    if let Some(members) = json.as_object_mut() {
        members.insert("journal".to_owned(), serde_json::json!(standing));
        members.insert("way_back".to_owned(), serde_json::json!(way_back));
    }
    context.print(&out, &json);
    Ok(exit::DONE)
}

/// What the journal has of the last migration of that name; nobody needs it to see how one is.
async fn standing(endpoints: &Endpoints, context: &Context) -> Option<Standing> {
    let reading = async {
        let Some(journal) = Journal::existing(context).await? else { return Ok(None) };
        let migrations = Migrations::open(journal.store.clone(), journal.tables.clone(), Arc::new(Idle))?;
        let standing = migrations.standings().await?.newest(&journal::subject_of(endpoints)).await?;
        journal.close().await;
        Ok::<_, Failure>(standing)
    };
    reading.await.unwrap_or_else(|failure| {
        context.note(&format!("warning: the journal cannot be read: {}", failure.message));
        None
    })
}

fn unknown(endpoints: &Endpoints, standing: Option<&Standing>) -> Failure {
    let by_the_journal = standing.map(|standing| {
        let id = &standing.id;
        let word = match standing.ended {
            Some(End::Completed) => "finished",
            Some(End::Compensated) => "aborted",
            Some(End::Abandoned) => "given up",
            None => {
                let step = standing.step.as_deref().unwrap_or("begin");
                return format!(
                    "by the journal `{id}` is at step `{step}`: `atalaya migrate finish` ends one that is at `remove`, and \
                     `atalaya migrate start` begins anew or goes on"
                );
            }
        };
        let at = standing.ended_at_us.map_or_else(String::new, when);
        format!("by the journal `{id}` was {word} at {at}: see `atalaya journal show saga-{id}`")
    });
    Failure {
        code: exit::FAILED,
        message: format!("the target knows no migration `{}`", endpoints.name),
        hint: Some(by_the_journal.unwrap_or_else(|| {
            "a finished migration leaves nothing behind, not even its name; `atalaya migrate start` begins one"
                .to_owned()
        })),
    }
}

fn by_the_journal(out: &mut String, standing: &Standing, running: bool) {
    if let Some(run) = &standing.last_run {
        let began = format!("{} by {} on {} (process {})", when(run.began_at_us), run.by, run.host, run.process);
        let end = match (&run.outcome, running) {
            (None, true) => "goes on".to_owned(),
            (None, false) => "broke off without a word".to_owned(),
            (Some(outcome), _) => {
                let reason = run.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
                format!("{outcome} at {}{reason}", run.ended_at_us.map_or_else(String::new, when))
            }
        };
        let _infallible = writeln!(out, "  run      {} of {}; {end}", began, standing.runs);
    }
    let step = standing.step.as_deref().unwrap_or("begin");
    let way = if standing.way == Way::Back { "goes back from" } else { "at step" };
    let reason = standing.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let _infallible = writeln!(out, "  journal  {}, {way} `{step}`{reason}", standing.id);
}

fn text(status: &Status) -> String {
    let mut out = String::new();
    let running = if status.running { "running" } else { "not running" };
    let _infallible = writeln!(out, "{}: {} ({running})", status.name, status.phase);
    let _infallible = writeln!(
        out,
        "  tables   {} of {} copied, {} rows, {} of about {}",
        status.tables_done,
        status.tables.len(),
        status.copied_rows,
        bytes(status.copied_bytes),
        bytes(status.expected_bytes)
    );
    if status.phase == "copy" && status.tables_done < status.tables.len() {
        copy_figures(&mut out, status);
        held_back(&mut out, status);
    }
    if let Some(applied) = &status.applied_lsn {
        let lag = status.lag_bytes.map_or_else(|| "unknown".to_owned(), bytes);
        let seconds = status.lag_seconds.map_or_else(String::new, |seconds| format!(", {seconds:.1} s"));
        let _infallible = writeln!(
            out,
            "  applied  {applied}, {} changes in {} transactions; behind {lag}{seconds}",
            status.changes, status.transactions
        );
    }
    open_transactions(&mut out, status);
    let age = status.activity.as_ref().and_then(|activity| activity.get("sequences_age_seconds")?.as_f64());
    if let Some(age) = age.filter(|_| status.running) {
        let _infallible = writeln!(out, "  numbers  sequences stand where the source's stood {age:.1} s ago");
    }
    let slot = &status.slot;
    let health = match (slot.exists, &slot.wal_status) {
        (false, _) => "missing".to_owned(),
        (true, status) => format!(
            "{}, {}, keeps {} of log{}",
            if slot.active { "active" } else { "not active" },
            status.as_deref().unwrap_or("unknown"),
            count(slot.retained_bytes),
            limits(slot)
        ),
    };
    let _infallible = writeln!(out, "  slot     {}: {health}", slot.name);
    if let Some(spool) = &status.spool {
        spool_figures(&mut out, spool);
    }
    if status.phase == "stream" {
        let _infallible = writeln!(out, "  proof    {}", proof(&status.proof));
    }
    if let Some(why) = &status.given_up {
        let (kept, limit) = (bytes(why.retained_bytes), bytes(why.limit_bytes));
        let _infallible = writeln!(
            out,
            "  GIVEN UP the slot kept {kept}, more than {limit}: the move has to begin anew after `abort`"
        );
    }
    for table in status.tables.iter().filter(|table| table.state != "done") {
        let _infallible = writeln!(out, "  {:<9}{} ({} rows so far)", table.state, table.table, table.copied_rows);
    }
    let policies = status.tables.iter().filter(|table| table.conflicts != "stop");
    for table in policies {
        let _infallible = writeln!(out, "  policy   {}: {}", table.table, table.conflicts);
    }
    for count in &status.conflicts {
        let _infallible = writeln!(out, "  conflict {}", super::conflicts::line_of(count));
    }
    out
}

/// What a run keeps of the source's large transactions until they are committed.
fn open_transactions(out: &mut String, status: &Status) {
    let figure = |name: &str| status.activity.as_ref().and_then(|activity| activity.get(name)?.as_u64());
    let (Some(count), Some(held)) = (figure("open_transactions"), figure("open_bytes")) else { return };
    if status.running && count > 0 {
        let _infallible =
            writeln!(out, "  open     {count} large transactions of the source, {} kept here", bytes(held));
    }
}

/// What waits on the disk of the machine that the move runs on.
fn spool_figures(out: &mut String, spool: &SpoolStatus) {
    let of = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), bytes);
    let full = if spool.is_full { ", full" } else { "" };
    let freed = match &spool.received_lsn {
        Some(received) => format!("the source has freed its log up to {received}: the move depends on this spool"),
        None => "the source keeps its log".to_owned(),
    };
    let (held, limit) = (of(spool.bytes), of(spool.limit_bytes));
    let _infallible = writeln!(out, "  spool    {held} of at most {limit}{full}; {freed}");
}

/// Until where everything is proven, what the next pass has to look at, and how old the oldest full comparison is.
fn proof(proof: &ProofStatus) -> String {
    let mut said = match (&proof.proven_lsn, proof.proven_seconds) {
        (Some(lsn), Some(seconds)) => format!("equal at {lsn}, {} ago", age(seconds)),
        _ => "nothing is proven yet (`atalaya validate`)".to_owned(),
    };
    if let (1.., Some(lsn)) = (proof.unproven_tables, &proof.passed_lsn) {
        let _infallible = write!(said, "; {} tables NOT PROVEN at {lsn}", proof.unproven_tables);
    }
    if proof.full_tables > 0 {
        let _infallible = write!(said, "; written since: {} keys", proof.touched_keys);
        if proof.whole_tables > 0 {
            let _infallible = write!(said, " and {} whole tables", proof.whole_tables);
        }
    }
    if let Some(seconds) = proof.full_seconds {
        let _infallible = write!(said, "; every row of each table within the last {}", age(seconds));
    }
    said
}

fn age(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        120.0..7200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

fn count(of: Option<i64>) -> String {
    bytes(of.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())
}

/// What the slot may keep: by the last run's own limit, and by the source's.
fn limits(slot: &SlotHealth) -> String {
    let own = slot.limit_bytes.map(|_| format!(", given up at {}", count(slot.limit_bytes)));
    let server = slot.safe_bytes.map(|_| format!(", cut off by the source after {} more", count(slot.safe_bytes)));
    [own, server].into_iter().flatten().collect()
}

/// Why no new table or range is begun, while that is so.
fn held_back(out: &mut String, status: &Status) {
    let held = status.activity.as_ref().and_then(|activity| activity.get("held_back"));
    if let (Some(active), Some(limit)) =
        (held.and_then(|held| held.get("active")?.as_u64()), held.and_then(|held| held.get("limit")?.as_u64()))
    {
        let server = held.and_then(|held| held.get("server")?.as_str()).unwrap_or("source");
        let _infallible =
            writeln!(out, "  waits    {active} sessions of others are active on the {server}, limit {limit}");
    }
}

/// A bar with rate and time left, as the running copy last said them.
fn copy_figures(out: &mut String, status: &Status) {
    const WIDTH: usize = 40;
    let figure = |name: &str| status.activity.as_ref().and_then(|activity| activity.get(name)?.as_f64());
    let (Some(done), Some(expected)) = (figure("copy_bytes"), figure("copy_bytes_expected")) else { return };
    let share = if expected > 0.0 { (done / expected).clamp(0.0, 1.0) } else { 1.0 };
    let filled = (0..WIDTH).take_while(|step| (*step as f64) < share * WIDTH as f64).count();
    let bar: String = std::iter::repeat_n('#', filled).chain(std::iter::repeat('-')).take(WIDTH).collect();
    let rate = figure("copy_bytes_per_second").unwrap_or_default() / 1e6;
    let left = figure("copy_seconds_left").map_or_else(String::new, |seconds| format!(", about {seconds:.0} s left"));
    let _infallible = writeln!(out, "  copy     [{bar}] {:.0} % at {rate:.1} MB/s{left}", share * 100.0);
}
