//! The result of an assessment; its JSON form is a versioned contract.

use crate::{Check, Finding, Severity, SideName, Status};

/// The version of the JSON form; raised when a field changes its meaning or goes away.
const VERSION: u32 = 1;

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CheckResult {
    /// The check's stable id.
    pub id: &'static str,
    /// The question in one line.
    pub title: &'static str,
    /// What it came to.
    pub status: Status,
    /// Why the question did not arise.
    pub reason: Option<&'static str>,
    /// Whether its warnings were declared as accepted.
    pub tolerated: bool,
    /// What was seen, worst first.
    pub findings: Vec<Finding>,
    /// What is usually done about it; `None` when there is nothing to do.
    pub remedy: Option<&'static str>,
}

/// Which database was looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SideSummary {
    /// Source, target or standby.
    pub side: SideName,
    /// The URL without password.
    pub place: String,
    /// Major version.
    pub major: u32,
    /// The role that looked.
    pub role: String,
}

/// The databases that were looked at.
pub(crate) struct Sides {
    pub(crate) source: SideSummary,
    pub(crate) target: SideSummary,
    pub(crate) standby: Option<SideSummary>,
}

/// How many checks came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Nothing to do.
    pub pass: usize,
    /// To be looked at.
    pub warn: usize,
    /// Forbidding.
    pub fail: usize,
    /// The question did not arise.
    pub not_applicable: usize,
}

/// The whole assessment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// Where the rows are.
    pub source: SideSummary,
    /// Where they shall be.
    pub target: SideSummary,
    /// The server that rows are read from, where that is not the source.
    pub standby: Option<SideSummary>,
    /// Whether the move is forbidden.
    pub forbids_move: bool,
    /// Whether warnings that are not tolerated forbid it too.
    pub strict: bool,
    /// How many checks came to what.
    pub summary: Summary,
    /// Every check, in the registry's order.
    pub checks: Vec<CheckResult>,
}

impl CheckResult {
    pub(crate) fn looked(check: &Check, mut findings: Vec<Finding>, tolerated: bool) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let status = match findings.first().map(|finding| finding.severity) {
            None | Some(Severity::Info) => Status::Pass,
            Some(Severity::Warn) => Status::Warn,
            Some(Severity::Fail) => Status::Fail,
        };
        Self {
            id: check.id,
            title: check.title,
            status,
            reason: None,
            tolerated: tolerated && status == Status::Warn,
            remedy: (status > Status::Pass).then_some(check.remedy),
            findings,
        }
    }

    pub(crate) fn not_applicable(check: &Check, reason: &'static str) -> Self {
        Self {
            id: check.id,
            title: check.title,
            status: Status::NotApplicable,
            reason: Some(reason),
            tolerated: false,
            findings: Vec::new(),
            remedy: None,
        }
    }
}

impl Report {
    pub(crate) fn new(sides: Sides, strict: bool, checks: Vec<CheckResult>) -> Self {
        let Sides { source, target, standby } = sides;
        let mut summary = Summary::default();
        for check in &checks {
            match check.status {
                Status::NotApplicable => summary.not_applicable += 1,
                Status::Pass => summary.pass += 1,
                Status::Warn => summary.warn += 1,
                Status::Fail => summary.fail += 1,
            }
        }
        let forbids_move = checks.iter().any(|check| match check.status {
            Status::Fail => true,
            Status::Warn => strict && !check.tolerated,
            Status::Pass | Status::NotApplicable => false,
        });
        Self { version: VERSION, source, target, standby, forbids_move, strict, summary, checks }
    }

    /// Whether the move must not start: a check fails, or (strict) warns and is not tolerated.
    #[must_use]
    pub fn forbids_move(&self) -> bool {
        self.forbids_move
    }

    /// The result of one check.
    #[must_use]
    pub fn check(&self, id: &str) -> Option<&CheckResult> {
        self.checks.iter().find(|check| check.id == id)
    }
}
