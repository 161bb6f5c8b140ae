//! What a process has left that was killed while clients were held, or before it could say that they are led away.

use atalaya_postgres::Session;
use atalaya_route::Decision;

use super::decide::{Followed, decided, outcome_of};
use super::prepare::APPLICATION;
use crate::course::{Course, Means};
use crate::report::{Outcome, Report};
use crate::{Error, fence};

/// What was found.
#[derive(Debug)]
pub enum Resumed {
    /// No epoch was opened since.
    NotBegun,
    /// One was, and is decided and followed now.
    Ended(Box<Report>),
}

/// Brings to its end what was opened behind epoch `floor`, if anything was: an epoch that is open is closed.
///
/// # Errors
/// When the journal or the server does not answer; the same call goes on.
pub async fn resume(course: &Course, means: &Means, floor: u64) -> Result<Resumed, Error> {
    let standing = means.routes.standing(&course.database).await.map_err(Error::Undecided)?;
    if standing.last_epoch <= floor {
        return Ok(Resumed::NotBegun);
    }
    let found = means.routes.epoch(&course.database, standing.last_epoch).await.map_err(Error::Undecided)?;
    let Some((epoch, decision)) = found else { return Ok(Resumed::NotBegun) };
    if epoch.opening.migration != course.migration || epoch.opening.from != course.from {
        return Ok(Resumed::NotBegun);
    }
    let decision = match decision {
        Some(decision) => decision,
        None => {
            means.failpoints.reach("cutover-closing");
            decided(|| means.routes.close(&epoch, &means.by, "the process that opened it is gone")).await?
        }
    };
    let unlifted = |place: &str| {
        let place = place.to_owned();
        move |source: atalaya_postgres::Error| Error::Unlifted { place, source: source.into() }
    };
    let connect = async |place: &str| {
        let session = Session::connect_for_control(means.url(place)?, APPLICATION).await;
        session.map_err(unlifted(place))
    };
    // Only the side that the decision leads to has to be there.
    let side = match &decision {
        Decision::Flipped { .. } => connect(&course.to).await?,
        Decision::Closed { .. } => connect(&course.from).await?,
    };
    if let Decision::Closed { .. } = &decision {
        fence::prepare(&side).await.map_err(|source| Error::Unlifted { place: course.from.clone(), source })?;
    }
    let mut report = Report::new(course.clone(), epoch.epoch);
    (report.resumed, report.outcome) = (true, outcome_of(&decision));
    let followed = Followed { course, means, leaving: &side, arriving: &side, lift: &epoch.opening.lift };
    followed.follow(&decision, None, &mut report).await?;
    if report.outcome == Outcome::Flipped
        && let Err(error) = report.record(means.routes.store()).await
    {
        report.remarks.push(format!("the journal has no report: {}", atalaya_data::chain(&error)));
    }
    Ok(Resumed::Ended(Box::new(report)))
}
