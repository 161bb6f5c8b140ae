//! What a check is, and what it answers.

use std::future::Future;
use std::pin::Pin;

use crate::{Error, Facts};

/// How bad a finding is, from harmless to forbidding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; needs no action.
    Info,
    /// The move goes on; something has to be looked at or done by hand.
    Warn,
    /// Rows would be lost, or the move could not end: it is forbidden.
    Fail,
}

impl Severity {
    /// The word used in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The question does not arise between these two databases.
    NotApplicable,
    /// Nothing found that needs action; findings, if any, are for information.
    Pass,
    /// The worst finding is a warning.
    Warn,
    /// The worst finding forbids the move.
    Fail,
}

impl Status {
    /// The word used in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable => "not_applicable",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was seen. Names objects; never holds a row's value, a statement's text or a credential.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The object's name, as people write it.
    pub object: Option<String>,
    /// What was seen.
    pub seen: String,
    /// What to do, as exact SQL where there is such.
    pub remedy: Option<String>,
}

impl Finding {
    fn new(severity: Severity, seen: impl Into<String>) -> Self {
        Self { severity, object: None, seen: seen.into(), remedy: None }
    }

    /// For information.
    pub fn info(seen: impl Into<String>) -> Self {
        Self::new(Severity::Info, seen)
    }

    /// A warning.
    pub fn warn(seen: impl Into<String>) -> Self {
        Self::new(Severity::Warn, seen)
    }

    /// Forbids the move.
    pub fn fail(seen: impl Into<String>) -> Self {
        Self::new(Severity::Fail, seen)
    }

    /// With the severity given.
    pub fn with(severity: Severity, seen: impl Into<String>) -> Self {
        Self::new(severity, seen)
    }

    /// Names what was looked at.
    #[must_use]
    pub fn on(mut self, object: impl ToString) -> Self {
        self.object = Some(object.to_string());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// A check's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It looked, and this is what it saw; nothing means all is well.
    Looked(Vec<Finding>),
    /// The question does not arise; the text says why.
    NotApplicable(&'static str),
}

impl From<Vec<Finding>> for Outcome {
    fn from(findings: Vec<Finding>) -> Self {
        Self::Looked(findings)
    }
}

/// What a check's function answers with.
pub(crate) type Looking<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Error>> + Send + 'a>>;

/// One question about a planned move. The reference page of the checks is generated from these fields.
pub struct Check {
    /// Stable; written in scripts and in `--tolerate`.
    pub id: &'static str,
    /// The question in one line.
    pub title: &'static str,
    /// The worst it can find. A check that cannot look finds this (at least a warning).
    pub severity: Severity,
    /// Why it matters to a move.
    pub why: &'static str,
    /// What is usually done about it.
    pub remedy: &'static str,
    pub(crate) run: for<'a> fn(&'a Facts) -> Looking<'a>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Check").field("id", &self.id).finish_non_exhaustive()
    }
}
