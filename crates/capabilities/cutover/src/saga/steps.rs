//! The steps. Nothing before the switch has an effect that anybody would want undone: the way back stands for the next try.

use std::sync::Arc;
use std::time::Duration;

use atalaya_saga::{Definition, DefinitionError, Retry};
use futures_util::future::join_all;

use super::task::{Came, Hand, Task, step};
use crate::Error;
use crate::course::{Course, Means, Purpose};
use crate::courses::{Courses, of_each};
use crate::preflight::{PreflightReport, preflight_of_all};
use crate::report::Outcome;
use crate::switch::{Resumed, prepare, resume};

const PREFLIGHT: &str = "preflight";
const WAY_BACK: &str = "way_back";
const SWITCH: &str = "switch";
const AFTER: &str = "after";

/// Making the way back waits for every open transaction.
const LONG: Duration = Duration::from_secs(3600);
const AGAIN: Retry = Retry { attempts: 5, backoff: Duration::from_millis(200), backoff_max: Duration::from_secs(2) };

/// The same of one database and of several.
pub(super) fn definition(kind: &'static str, means: &Means, hand: &Arc<Hand>) -> Result<Definition, DefinitionError> {
    let preflight = step(PREFLIGHT, means, hand, |Task { courses, means, goal, .. }| async move {
        goal.is_asked_for()?;
        look(&courses, &means).await.map(|()| Came::Went)
    });
    let way_back = step(WAY_BACK, means, hand, |Task { courses, means, goal, .. }| async move {
        goal.is_asked_for()?;
        make_way_back(&courses, &means).await.map(|()| Came::Went)
    });
    let switch = step(SWITCH, means, hand, |Task { begun, courses, means, goal }| async move {
        let reports = match resume(&begun, &means).await? {
            Resumed::Ended(reports) if reports.iter().all(|report| report.outcome == Outcome::Flipped) => reports,
            Resumed::Ended(_) => {
                let from = courses.iter().map(|course| format!("`{}`", course.from)).collect::<Vec<_>>().join(" and ");
                return Err(Error::Interrupted { from });
            }
            Resumed::NotBegun => {
                goal.is_asked_for()?;
                prepare(courses, means).await?.run().await?
            }
        };
        Ok(Came::Switched(reports))
    });
    let after = step(AFTER, means, hand, |Task { courses, means, .. }| async move {
        take_over(&courses, &means).await.map(|()| Came::Went)
    });
    let steps = vec![
        preflight.without_effect(),
        way_back.without_effect().each_within(LONG),
        switch.pivot().settled_by_refusal().retried(AGAIN),
        after.retried(AGAIN),
    ];
    Definition::new(kind, 1, steps)
}

/// Every check of every database, before anything is touched anywhere.
async fn look(courses: &Courses, means: &Means) -> Result<(), Error> {
    let reports = preflight_of_all(courses, means).await?;
    let of = |report: &PreflightReport| match courses.is_single() {
        true => String::new(),
        false => format!(" of `{}`", report.course.migration),
    };
    let failed = |report: &PreflightReport| {
        let of = of(report);
        report.failed().map(|check| format!("{}{of}", check.id)).collect::<Vec<_>>()
    };
    let ids: Vec<String> = reports.iter().flat_map(failed).collect();
    if !ids.is_empty() {
        return Err(Error::Forbidden { ids, reports });
    }
    for report in &reports {
        for (check, finding) in report.warnings() {
            let (migration, remedy) = (&report.course.migration, finding.remedy.as_deref());
            tracing::warn!(migration, check = check.id, remedy, "{}", finding.seen);
        }
    }
    means.failpoints.reach("cutover-checked");
    Ok(())
}

async fn make_way_back(courses: &Courses, means: &Means) -> Result<(), Error> {
    let making = courses
        .iter()
        .map(|course| async move { make_way_back_of(course, means).await.map_err(|error| error.of(course, courses)) });
    of_each(making.collect()).await.map(drop)
}

async fn make_way_back_of(course: &Course, means: &Means) -> Result<(), Error> {
    means.take_charge(course).await?;
    let made = means.replication(course)?.make_way_back(course.direction).await;
    made.map_err(|source| Error::Replication { stage: "making the way back", source })
}

async fn take_over(courses: &Courses, means: &Means) -> Result<(), Error> {
    // Clients of a rehearsal are where they were, and so is which side serves.
    if courses.first().purpose == Purpose::Rehearse {
        return Ok(());
    }
    means.failpoints.reach("cutover-taking-over");
    let taking = courses
        .iter()
        .map(|course| async move { take_over_of(course, means).await.map_err(|error| error.of(course, courses)) });
    // What fails of one is no reason to leave it undone of another one.
    let taken: Result<(), Error> = join_all(taking).await.into_iter().collect();
    taken?;
    means.failpoints.reach("cutover-taken-over");
    Ok(())
}

/// Clients may have been led elsewhere by others, while this process slept: whoever does that takes charge first, so that
/// what the journal says behind that stands for as long as this process is in charge.
async fn take_over_of(course: &Course, means: &Means) -> Result<(), Error> {
    means.take_charge(course).await?;
    let standing = means.routes.standing(&course.database).await?;
    let leads_to = standing.leads_to.map_or_else(|| course.database.clone(), |led| led.to);
    if leads_to != course.to || standing.open.is_some() {
        return Err(Error::LedElsewhere { epoch: standing.last_epoch, leads_to });
    }
    let taken = means.replication(course)?.take_over(course.direction).await;
    taken.map_err(|source| Error::Replication { stage: "taking over", source })
}
