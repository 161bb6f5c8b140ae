//! A cutover's checks and its report, for people.

use std::fmt::Write;

use atalaya_cutover::preflight::{CheckResult, PreflightReport, Status};
use atalaya_cutover::{Course, Courses, Direction, Outcome, Report, ReportOfSeveral, has_gateways, options_of};
use atalaya_route::Standing;

use crate::size::bytes;

/// Every check of every database in a line, with what was seen.
pub(super) fn preflight(reports: &[PreflightReport]) -> String {
    let mut out = String::new();
    for report in reports {
        let course = &report.course;
        // Writing to a text cannot fail.
        let _written = writeln!(out, "{}: from `{}` to `{}`", course.migration, course.from, course.to);
        report.checks.iter().for_each(|check| describe(&mut out, check));
        out.push('\n');
    }
    let forbids = reports.iter().any(|report| report.forbids);
    out.push_str(match (forbids, reports.len()) {
        (false, _) => "clients can be led away",
        (true, 0 | 1) => "clients cannot be led away as things are",
        (true, _) => "clients of none of them can be led away as things are",
    });
    out
}

/// The checks that forbid it.
pub(super) fn failed(reports: &[PreflightReport]) -> String {
    let mut out = String::new();
    for report in reports.iter().filter(|report| report.forbids) {
        if reports.len() > 1 {
            let _written = writeln!(out, "{}:", report.course.migration);
        }
        report.failed().for_each(|check| describe(&mut out, check));
    }
    out.trim_end().to_owned()
}

fn describe(out: &mut String, check: &CheckResult) {
    let word = match check.status {
        Status::Pass => "pass",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    // Writing to a text cannot fail.
    let _written = writeln!(out, "  {word}  {:<26} {}", check.id, check.title);
    for finding in &check.findings {
        let _written = writeln!(out, "        {}", finding.seen);
        if let Some(remedy) = &finding.remedy {
            let _written = writeln!(out, "          -> {remedy}");
        }
    }
}

/// Who serves clients of one of these databases after what was not done, and which command goes on with all of them; `standing`
/// is none while the journal does not answer, and `given` are the options of commands.
pub(super) fn where_clients_are(
    course: &Course,
    courses: &Courses,
    standing: Option<&Standing>,
    given: &'static [&'static str],
) -> String {
    let migrations: Vec<String> = courses.iter().map(|course| course.migration.clone()).collect();
    let opened = standing.and_then(|standing| standing.open.as_ref()).map(|open| open.opening.gates.as_slice());
    let opened_with = opened.map_or(given, options_of);
    let options = if opened_with.len() > given.len() { opened_with } else { given };
    let (database, again) = (&course.database, course.command(&migrations, options));
    let Some(standing) = standing else {
        return format!(
            "where clients of `{database}` are is not known until the journal answers; gateways that are shut go on by \
             themselves then. Bring it back, then run `{again}` again"
        );
    };
    if let Some(open) = &standing.open {
        let waiting = match (opened_with.is_empty(), has_gateways(&open.opening.gates)) {
            (true, _) => format!("clients wait until its lease is over, or until `{again}` ends it"),
            (false, false) => format!("no lease ends it, and only `{again}` lets clients in"),
            (false, true) => format!(
                "clients of gateways wait until its lease is over; only `{again}` runs the commands that lead the others"
            ),
        };
        return format!("epoch {} of `{database}` is not decided: {waiting}", open.epoch);
    }
    let leads_to = standing.leads_to.as_ref().map_or(database, |led| &led.to);
    if *leads_to == course.from {
        return format!("clients of `{database}` are served by `{leads_to}`; `{again}` can be run again");
    }
    let back = course.opposite().command(&migrations, given);
    format!(
        "clients of `{database}` are served by `{leads_to}`; `{again}` does what is left to do, if anything is; `{back}` leads \
         them back"
    )
}

/// What it came to, and how long each part took; of several databases one after the other, and what they have in common.
pub(super) fn reports(reports: &[Report], given: &[&str]) -> String {
    let mut out = String::new();
    if let (true, Some(whole)) = (reports.len() > 1, ReportOfSeveral::of(reports)) {
        let _written = writeln!(
            out,
            "{} databases by one decision, clients of all of them held for {} at most",
            reports.len(),
            milliseconds(whole.pause_us)
        );
    }
    out.push_str(&reports.iter().map(report).collect::<Vec<_>>().join("\n"));
    let there = |report: &Report| report.outcome == Outcome::Flipped && report.course.direction == Direction::Forward;
    if reports.iter().all(there) {
        let names: Vec<&str> = reports.iter().map(|report| report.course.migration.as_str()).collect();
        let _written = write!(out, "\nthe way back: atalaya migrate rollback {}", names.join(" "));
        given.iter().for_each(|option| {
            let _written = write!(out, " {option} ...");
        });
    }
    out
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

fn report(report: &Report) -> String {
    let course = &report.course;
    let mut out = match (&report.outcome, course.direction) {
        (Outcome::Flipped, Direction::Forward) => {
            format!("{}: clients are led to `{}` (epoch {})", course.migration, course.to, report.epoch)
        }
        (Outcome::Flipped, Direction::Back) => {
            format!("{}: clients are led back to `{}` (epoch {})", course.migration, course.to, report.epoch)
        }
        (Outcome::Rehearsed, _) => format!(
            "{}: rehearsed (epoch {}); clients are served by `{}` as before",
            course.migration, report.epoch, course.from
        ),
        (Outcome::Closed { by, reason }, _) => {
            format!("{}: broken off by `{by}`: {reason}; clients are served by `{}`", course.migration, course.from)
        }
    };
    if report.resumed {
        out.push_str("\n  an earlier process had begun it; what it measured is lost");
    }
    let _written = write!(out, "\n  pause              {}", milliseconds(report.pause_us));
    for stage in &report.stages {
        let _written = write!(
            out,
            "\n    {:<16} {:>10}   from {}",
            stage.stage,
            milliseconds(stage.took_us),
            milliseconds(stage.began_us)
        );
    }
    for gate in &report.gateways {
        let _written = match &gate.unsettled {
            Some(why) => write!(out, "\n  gateway `{}`: {why}; it opens by itself", gate.gateway),
            None => write!(
                out,
                "\n  gateway `{}`: closed {}, {} clients held for {} at most; {} transactions failed; ended: {} that were tied to their server, {} that \
                 know types by its numbers",
                gate.gateway,
                milliseconds(gate.paused_us),
                gate.clients_held,
                milliseconds(gate.longest_wait_us),
                gate.failed,
                gate.clients_ended,
                gate.clients_misled
            ),
        };
    }
    for ran in &report.commands {
        let _written = write!(out, "\n  {}", super::commands::line(ran));
    }
    let _written = write!(
        out,
        "\n  sessions ended     {}\n  rows proven        {}\n  sequences set      {}",
        report.sessions_ended, report.rows_proven, report.sequences
    );
    if let Some(prewarmed) = &report.prewarmed {
        let _written = write!(
            out,
            "\n  cache filled       {} of {}, {} relations, in {}",
            bytes(prewarmed.loaded_bytes),
            bytes(prewarmed.planned_bytes),
            prewarmed.relations,
            milliseconds(prewarmed.took_us)
        );
        if let Some(why) = &prewarmed.cut_short {
            let _written = write!(out, "\n    in part: {why}");
        }
    }
    if let (Some(fenced_at), Some(marker)) = (report.fenced_at, report.marker) {
        let _written = write!(out, "\n  fenced at {fenced_at}, everything applied up to {marker}");
    }
    if !report.unproven.is_empty() {
        let _written = write!(out, "\n  not proven within the pause: {}", report.unproven.join(", "));
    }
    for remark in &report.remarks {
        let _written = write!(out, "\n  note: {remark}");
    }
    out
}
