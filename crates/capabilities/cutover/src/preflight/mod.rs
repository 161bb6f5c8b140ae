//! What has to hold before clients are held, asked without touching anything.
//!
//! One entry of [`CHECKS`] a question, as in `atalaya assess`; the files below ask them of each party. A party that does not
//! answer fails its checks: what cannot be seen is not taken for well.

mod arriving;
mod check;
mod commands;
mod gateways;
mod leaving;
mod neighbours;
mod plans;
mod prewarm;
mod replication;
mod rights;
mod route;
mod schema;
mod transactions;

pub use check::{CHECKS, Check, CheckResult, Finding, PreflightOfSeveral, PreflightReport, Severity, Status};

use crate::Error;
use crate::course::{Course, Means};
use crate::courses::{Courses, of_each};
use check::Seen;

/// Asks every question.
///
/// # Errors
/// When a server is none of the two, or the journal does not answer; whatever else is met is a finding.
pub async fn preflight(course: &Course, means: &Means) -> Result<PreflightReport, Error> {
    let mut seen = Seen::default();
    route::look(course, means, &mut seen).await?;
    gateways::look(course, means, &mut seen).await;
    commands::look(course, means, &mut seen);
    replication::look(course, means, &mut seen).await?;
    schema::look(course, means, &mut seen).await?;
    leaving::look(course, means, &mut seen).await?;
    arriving::look(course, means, &mut seen).await?;
    plans::look(course, means, &mut seen).await?;
    prewarm::look(course, means, &mut seen).await?;
    Ok(seen.report(course))
}

/// Asks every question of every database, in their order.
///
/// # Errors
/// As [`preflight`].
pub async fn preflight_of_all(courses: &Courses, means: &Means) -> Result<Vec<PreflightReport>, Error> {
    let asking = courses.iter().map(|course| async move {
        let report = preflight(course, means).await;
        report.map_err(|error| error.of(course, courses))
    });
    of_each(asking.collect()).await
}
