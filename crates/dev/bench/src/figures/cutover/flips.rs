//! Flips one after the other, by the commands that an operator gives, and what they report.

use std::io::Write;

use atalaya_load::ledger::LedgerRun;
use serde_json::Value;

use super::clients::until_they_work;
use super::front::{Front, NAME};
use crate::child;
use crate::error::Error;

/// So many in a row that fail are no bad luck.
const FAILURES_MAX: u32 = 3;

/// What was reported.
#[derive(Debug, Default)]
pub(super) struct Flips {
    reports: Vec<Value>,
    /// Commands that ended with clients where they were.
    pub(super) broken_off: u64,
}

impl Flips {
    /// Leads clients there and back in turn; an even number of times, so that they end where they were at first.
    pub(super) fn make(front: &Front<'_>, run: &LedgerRun, flips: usize) -> Result<Self, Error> {
        let mut all = Self::default();
        let mut failures = 0;
        while all.reports.len() < flips.next_multiple_of(2) {
            until_they_work(run)?;
            let verb = if all.reports.len().is_multiple_of(2) { "cutover" } else { "rollback" };
            match child::last_line(&mut front.atalaya(&["migrate", verb, NAME])) {
                Ok(said) => {
                    let report: Value =
                        serde_json::from_str(&said).map_err(|_| Error::OtherWork(format!("it reported `{said}`")))?;
                    if report.get("outcome").and_then(Value::as_str) != Some("flipped") {
                        return Err(Error::OtherWork(format!("it reported `{said}`")));
                    }
                    let _closed = writeln!(std::io::stderr(), "{verb} {}: {}", all.reports.len() + 1, line(&report));
                    all.reports.push(report);
                    failures = 0;
                }
                Err(error) => {
                    let _closed = writeln!(std::io::stderr(), "{verb} {}: {error}", all.reports.len() + 1);
                    all.broken_off += 1;
                    failures += 1;
                    if failures == FAILURES_MAX {
                        return Err(error);
                    }
                }
            }
        }
        until_they_work(run)?;
        Ok(all)
    }

    /// All pauses, in rising order, in milliseconds.
    pub(super) fn pauses(&self) -> Vec<f64> {
        let pauses = self.reports.iter().filter_map(|report| report["pause_us"].as_f64());
        sorted(pauses.map(|micros| micros / 1000.0))
    }

    /// By the nearest rank.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        rank(&self.pauses(), percent)
    }

    /// Each stage with its median and its longest.
    pub(super) fn stages(&self) -> Vec<(String, f64, f64)> {
        let mut names: Vec<&str> = Vec::new();
        for stage in self.all_stages() {
            if let Some(name) = stage["stage"].as_str()
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        let took = |name: &str| {
            let stages = self.all_stages().filter(|stage| stage["stage"] == name);
            let took = sorted(stages.filter_map(|stage| Some(stage["took_us"].as_f64()? / 1000.0)));
            (name.to_owned(), rank(&took, 50), rank(&took, 100))
        };
        names.into_iter().map(took).collect()
    }

    fn all_stages(&self) -> impl Iterator<Item = &Value> {
        self.reports.iter().filter_map(|report| report["stages"].as_array()).flatten()
    }
}

/// One flip for whoever watches.
fn line(report: &Value) -> String {
    let milliseconds = |value: &Value| value.as_f64().unwrap_or(f64::NAN) / 1000.0;
    let stages = report["stages"].as_array().into_iter().flatten();
    let stages: Vec<String> = stages
        .map(|stage| format!("{} {:.1}", stage["stage"].as_str().unwrap_or_default(), milliseconds(&stage["took_us"])))
        .collect();
    format!(
        "{:.1} ms ({}), {} rows proven, {} sessions ended",
        milliseconds(&report["pause_us"]),
        stages.join(", "),
        report["rows_proven"],
        report["sessions_ended"]
    )
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = numbers.collect();
    all.sort_by(f64::total_cmp);
    all
}

fn rank(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pauses_and_stages_are_read_from_reports() {
        let report =
            |pause: u64, drain: u64| json!({ "pause_us": pause, "stages": [{ "stage": "drain", "took_us": drain }] });
        let flips =
            Flips { reports: vec![report(40_000, 2000), report(20_000, 9000), report(30_000, 1000)], broken_off: 0 };
        assert_eq!(flips.pauses(), [20.0, 30.0, 40.0]);
        assert_eq!((flips.percentile(50), flips.percentile(99), flips.percentile(100)), (30.0, 40.0, 40.0));
        assert_eq!(flips.stages(), [("drain".to_owned(), 2.0, 9.0)]);
    }
}
