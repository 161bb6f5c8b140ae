//! The questions, and what came of each.

use crate::course::Course;

/// Raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// To be looked at; clients may be led away.
    Warn,
    /// Forbids it.
    Fail,
}

/// What a question came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing that needs action.
    Pass,
    /// The worst finding is a warning.
    Warn,
    /// It forbids the cutover.
    Fail,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Stable.
    pub id: &'static str,
    /// The question in one line.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
}

/// Every question, in the order in which reports have them.
pub const CHECKS: &[Check] = &[
    Check {
        id: "route",
        title: "The journal leads clients to where they are to be led away from, and no epoch is open",
        why: "two cutovers of one database would decide against each other",
    },
    Check {
        id: "gateways",
        title: "Every gateway answers, and can log in where clients are to be led",
        why: "a gateway that is left out goes on writing to the old server",
    },
    Check {
        id: "pinned-clients",
        title: "No client is tied to a server",
        why: "temporary tables, held cursors and LISTEN do not move: such clients are ended",
    },
    Check {
        id: "commands",
        title: "Clients are held and led by gateways, or it is known what commands cannot promise",
        why: "no gateway waits for transactions, lets clients in again by itself, or sees where they go",
    },
    Check {
        id: "replication",
        title: "Changes are applied on the other side, and little is left to apply",
        why: "what is left is applied while clients are held",
    },
    Check {
        id: "way-back",
        title: "What clients write at the new place can be brought back",
        why: "without it going back loses what was written",
    },
    Check {
        id: "proof",
        title: "Both sides were proven equal not long ago",
        why: "what differs stays different once clients are led away",
    },
    Check {
        id: "schema",
        title: "Both sides have the same schema",
        why: "a column's type, a default, a constraint or a sequence that differs is found by clients",
    },
    Check {
        id: "fence-rights",
        title: "The fencing role may revoke and give back the right to connect, and end sessions",
        why: "whoever can log in past the gateways can write to the server that was left",
    },
    Check {
        id: "fence-standing",
        title: "No fence stands where clients are",
        why: "what is revoked already would not be given back",
    },
    Check {
        id: "unfenced-roles",
        title: "Nobody can log in to the server that is left but us",
        why: "superusers, members of the fencing role and the owner are not kept out for good",
    },
    Check {
        id: "prepared-transactions",
        title: "No prepared transaction is open",
        why: "it would be decided on the server that was left",
    },
    Check {
        id: "long-transactions",
        title: "No transaction has been open for long",
        why: "gateways wait for those that run, and give up after a part of the pause; new slots wait for those of any database",
    },
    Check {
        id: "other-databases",
        title: "No database of the server that is left stays behind",
        why: "an application that uses several is split between two servers",
    },
    Check {
        id: "target-indexes",
        title: "Every index where clients are led is valid",
        why: "an index that failed to build is not used, and a unique one does not hold",
    },
    Check {
        id: "target-constraints",
        title: "Every constraint where clients are led is validated",
        why: "rows that violate it stay unseen",
    },
    Check {
        id: "target-analyzed",
        title: "Every table where clients are led has statistics",
        why: "plans without statistics are guesses",
    },
    Check {
        id: "target-materialized-views",
        title: "Every materialized view where clients are led is populated, and filled anew before they come",
        why: "reading one that is not fails, and rows that were written since are missing in one that is old",
    },
    Check {
        id: "plans",
        title: "Statements that take most time have plans as good where clients are led",
        why: "a plan that got worse is found by clients, when all of them are there",
    },
    Check {
        id: "prewarm",
        title: "The cache of where clients are led can be filled, where that was asked for",
        why: "it takes an extension on each side",
    },
];

/// One thing that was seen. Names objects and roles; never a row's value, a statement of a client's or a credential.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub seen: String,
    /// What to do, as SQL or a command where there is such.
    pub remedy: Option<String>,
}

/// What one question came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CheckResult {
    /// The question's stable id.
    pub id: &'static str,
    /// The question in one line.
    pub title: &'static str,
    /// What it came to.
    pub status: Status,
    /// What was seen, worst first.
    pub findings: Vec<Finding>,
}

/// The whole; its JSON form is a versioned contract.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PreflightReport {
    /// The version of this form.
    pub format: u32,
    /// Who is to be led where.
    #[serde(flatten)]
    pub course: Course,
    /// Whether it is forbidden.
    pub forbids: bool,
    /// Every question.
    pub checks: Vec<CheckResult>,
}

impl PreflightReport {
    /// Those that forbid it.
    pub fn failed(&self) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(|check| check.status == Status::Fail)
    }

    /// What is to be looked at, and does not forbid it.
    pub fn warnings(&self) -> impl Iterator<Item = (&CheckResult, &Finding)> {
        let findings = self.checks.iter().flat_map(|check| check.findings.iter().map(move |finding| (check, finding)));
        findings.filter(|(_, finding)| finding.severity == Severity::Warn)
    }

    /// The result of one question.
    #[must_use]
    pub fn check(&self, id: &str) -> Option<&CheckResult> {
        self.checks.iter().find(|check| check.id == id)
    }
}

/// The same of several databases that are to be led elsewhere together.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PreflightOfSeveral<'a> {
    /// The version of this form, and of each report's.
    pub format: u32,
    /// Whether one of them forbids it for all.
    pub forbids: bool,
    /// Each, in the order of the databases' names.
    pub databases: &'a [PreflightReport],
}

impl<'a> PreflightOfSeveral<'a> {
    /// The whole.
    #[must_use]
    pub fn of(databases: &'a [PreflightReport]) -> Self {
        Self { format: FORMAT, forbids: databases.iter().any(|report| report.forbids), databases }
    }
}

/// What is seen while it is asked.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<(&'static str, Finding)>);

impl Seen {
    pub(super) fn add(
        &mut self,
        id: &'static str,
        severity: Severity,
        seen: impl Into<String>,
        remedy: Option<String>,
    ) {
        self.0.push((id, Finding { severity, seen: seen.into(), remedy }));
    }

    pub(super) fn fail(&mut self, id: &'static str, seen: impl Into<String>, remedy: impl Into<String>) {
        self.add(id, Severity::Fail, seen, Some(remedy.into()));
    }

    pub(super) fn warn(&mut self, id: &'static str, seen: impl Into<String>, remedy: impl Into<String>) {
        self.add(id, Severity::Warn, seen, Some(remedy.into()));
    }

    pub(super) fn info(&mut self, id: &'static str, seen: impl Into<String>) {
        self.add(id, Severity::Info, seen, None);
    }

    pub(super) fn report(self, course: &Course) -> PreflightReport {
        let of = |check: &Check| {
            let mut findings: Vec<Finding> =
                self.0.iter().filter(|(id, _)| *id == check.id).map(|(_, finding)| finding.clone()).collect();
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            let status = match findings.first().map(|finding| finding.severity) {
                None | Some(Severity::Info) => Status::Pass,
                Some(Severity::Warn) => Status::Warn,
                Some(Severity::Fail) => Status::Fail,
            };
            CheckResult { id: check.id, title: check.title, status, findings }
        };
        let checks: Vec<CheckResult> = CHECKS.iter().map(of).collect();
        let forbids = checks.iter().any(|check| check.status == Status::Fail);
        PreflightReport { format: FORMAT, course: course.clone(), forbids, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_questions_have_the_same_id() {
        let mut ids: Vec<_> = CHECKS.iter().map(|check| check.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), CHECKS.len());
    }
}
