//! `atalaya validate --continuous`: pass after pass beside a running move.
//!
//! Everything it knows stands on the target, so that it can be ended and begun again at any time. It never keeps apply
//! waiting for a transaction that is open on the source, and takes a fifth of the time at most.

use std::time::Duration;

use atalaya_validate::{Plan, Report, Silent};
use tokio::time::Instant;

use crate::command::validate::{exit_code, json, unknown};
use crate::endpoints::Endpoints;
use crate::exit::{self, Failure};
use crate::global::Context;

/// How long a step of making a fence may keep apply waiting.
const FENCE_LIMIT: Duration = Duration::from_secs(5);
/// A fence is not asked for while a transaction is open on the source for longer.
const OPEN_SECONDS_MAX: f64 = 1.0;
/// The part of the time that passes may take.
const SHARE: u32 = 5;
/// Passes in a row that may come to no result.
const FAILURES_MAX: u32 = 20;

/// What a turn of the loop has come to.
enum Turn {
    /// A pass is over.
    Passed(Box<Report>),
    /// There is nothing to prove at present, for this reason.
    Waits(String),
    /// The migration is not there any more.
    Gone,
}

pub(super) async fn run(
    mut plan: Plan,
    endpoints: &Endpoints,
    every: Duration,
    context: &Context,
) -> Result<u8, Failure> {
    plan.fence_limit = FENCE_LIMIT;
    let mut last = None;
    let mut failures = 0;
    let mut told = String::new();
    loop {
        let began = Instant::now();
        match turn(&plan, endpoints).await {
            Ok(Turn::Passed(report)) => {
                context.print(&text(&report), &json(&report)?);
                last = Some(exit_code(&report));
                (failures, told) = (0, String::new());
            }
            Ok(Turn::Waits(reason)) if reason == told => {}
            Ok(Turn::Waits(reason)) => {
                context.note(&format!("waiting: {reason}"));
                told = reason;
            }
            Ok(Turn::Gone) if failures == 0 && last.is_none() && told.is_empty() => return Err(unknown(endpoints)),
            Ok(Turn::Gone) => {
                context.note(&format!("the migration `{}` is over", endpoints.name));
                return Ok(last.unwrap_or(exit::DONE));
            }
            Err(failure) => {
                failures += 1;
                if failures > FAILURES_MAX {
                    return Err(failure);
                }
                context.note(&format!("no proof this time: {}", failure.message));
            }
        }
        tokio::time::sleep(every.max(began.elapsed() * (SHARE - 1))).await;
    }
}

async fn turn(plan: &Plan, endpoints: &Endpoints) -> Result<Turn, Failure> {
    let status = atalaya_replicate::status(&endpoints.source, &endpoints.target, &endpoints.name).await?;
    let Some(status) = status else { return Ok(Turn::Gone) };
    if !status.running || status.phase != "stream" {
        return Ok(Turn::Waits(format!("no run of `{}` follows the source", endpoints.name)));
    }
    if atalaya_validate::oldest_transaction_seconds(&plan.source).await? > OPEN_SECONDS_MAX {
        return Ok(Turn::Waits("a fence would wait for a transaction that is open on the source".to_owned()));
    }
    Ok(Turn::Passed(Box::new(atalaya_validate::validate(plan, &Silent).await?)))
}

/// One line for a clean pass.
fn text(report: &Report) -> String {
    if !report.is_clean() {
        return atalaya_validate::render_text(report);
    }
    let totals = &report.totals;
    let fence = report.fences.first().map_or_else(String::new, |fence| format!(" at {fence}"));
    format!(
        "proven equal{fence}: {} tables in full, {} by {} keys, {} not written; {:.1} s",
        totals.tables - totals.by_keys - totals.untouched,
        totals.by_keys,
        totals.touched_keys,
        totals.untouched,
        report.seconds
    )
}
