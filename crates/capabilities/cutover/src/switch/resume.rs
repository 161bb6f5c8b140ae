//! What a process has left that was killed while clients were held, or before it could say that they are led away.

use std::collections::BTreeSet;

use atalaya_postgres::Session;
use atalaya_route::{Decision, OpenEpoch};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::decide::{Followed, decided, outcome_of};
use super::prepare::APPLICATION;
use super::run::record;
use crate::commands::options_of;
use crate::course::{Course, Means, Purpose};
use crate::courses::Courses;
use crate::report::Report;
use crate::{Error, fence};

/// One database of what was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Who was to be led where.
    pub course: Course,
    /// The route's last epoch before it: a later one is its own.
    pub floor: u64,
}

/// What was found.
#[derive(Debug)]
pub enum Resumed {
    /// No epoch was opened since.
    NotBegun,
    /// One was of each database, and is decided and followed now: one report a database.
    Ended(Vec<Report>),
}

/// Brings to its end what was opened behind the floors, if anything was: an epoch that is open is closed, with all of its group.
///
/// # Errors
/// When the journal or a server does not answer; the same call goes on.
pub async fn resume(begun: &[Begun], means: &Means) -> Result<Resumed, Error> {
    let Some((epoch, decision)) = opened(begun, means).await? else { return Ok(Resumed::NotBegun) };
    refuse_without_commands(begun, &epoch, means)?;
    let decision = match decision {
        Some(decision) => decision,
        None => {
            means.failpoints.reach("cutover-closing");
            decided(|| means.routes.close(&epoch, &means.by, "the process that opened it is gone")).await?
        }
    };
    let courses = Courses::new(begun.iter().map(|begun| begun.course.clone()).collect())?;
    // Each by itself: one whose server does not answer keeps no other one's clients waiting.
    let following = courses.iter().map(|course| {
        let (courses, epoch, decision) = (&courses, &epoch, &decision);
        async move {
            let followed = follow(course, courses, epoch, decision, means).await;
            followed.map_err(|error| error.of(course, courses))
        }
    });
    let mut reports = join_all(following).await.into_iter().collect::<Result<Vec<_>, Error>>()?;
    if let Decision::Flipped { .. } = &decision {
        record(&mut reports, means).await;
    }
    Ok(Resumed::Ended(reports))
}

/// Whether one was opened for exactly this, whatever became of it: one of its epochs, which knows the others.
pub(crate) async fn opened(begun: &[Begun], means: &Means) -> Result<Option<(OpenEpoch, Option<Decision>)>, Error> {
    let named = |course: &Course| (course.database.clone(), course.migration.clone(), course.to.clone());
    let asked: BTreeSet<_> = begun.iter().map(|begun| named(&begun.course)).collect();
    for Begun { course, floor } in begun {
        let standing = means.routes.standing(&course.database).await.map_err(Error::Undecided)?;
        if standing.last_epoch <= *floor {
            continue;
        }
        let found = means.routes.epoch(&course.database, standing.last_epoch).await.map_err(Error::Undecided)?;
        let group = |epoch: &OpenEpoch| epoch.group().map(|each| (each.database, each.migration, each.to)).collect();
        if let Some((epoch, decision)) = found
            && asked == group(&epoch)
        {
            return Ok(Some((epoch, decision)));
        }
    }
    Ok(None)
}

/// Clients that commands have held or were to lead are met by no gateway: without commands nobody would tell them.
pub(crate) fn refuse_without_commands(begun: &[Begun], epoch: &OpenEpoch, means: &Means) -> Result<(), Error> {
    let opened_with = options_of(&epoch.opening.gates);
    if opened_with.is_empty() || !means.command_options().is_empty() {
        return Ok(());
    }
    // Nobody is held anew.
    let options: Vec<&str> = opened_with.iter().copied().filter(|option| *option != "--hold-command").collect();
    let migrations: Vec<String> = begun.iter().map(|begun| begun.course.migration.clone()).collect();
    let command = begun.first().map_or_else(String::new, |first| first.course.command(&migrations, &options));
    Err(Error::NoCommands { migrations, options, command })
}

/// Where clients belong where these courses lead them, the commands that lead them are run once more: they may have failed, or
/// not have reached everybody. Gateways need no telling. None where clients are elsewhere, or others have led them there.
///
/// # Errors
/// When the journal or a server does not answer.
pub(crate) async fn lead_again(courses: &Courses, means: &Means) -> Result<Option<Vec<Report>>, Error> {
    if means.command_options().is_empty() || courses.first().purpose == Purpose::Rehearse {
        return Ok(None);
    }
    let mut all = Vec::new();
    for course in courses.iter() {
        let Some((epoch, decision)) = led_there(course, means).await? else { return Ok(None) };
        all.push((course, epoch, decision));
    }
    let following = all.iter().map(|(course, epoch, decision)| async move {
        let followed = async {
            let report = follow(course, courses, epoch, decision, means).await?;
            // This process is not in charge: others may lead them elsewhere at any time, and no command was run then, or an old
            // one beside theirs.
            are_there_still(course, epoch.epoch, means).await.map(|()| report)
        };
        followed.await.map_err(|error| error.of(course, courses))
    });
    let mut reports = join_all(following).await.into_iter().collect::<Result<Vec<_>, Error>>()?;
    record(&mut reports, means).await;
    Ok(Some(reports))
}

async fn are_there_still(course: &Course, epoch: u64, means: &Means) -> Result<(), Error> {
    let database = &course.database;
    let standing = means.routes.standing(database).await?;
    let Some(led) = standing.leads_to.filter(|led| led.epoch == epoch) else {
        let leads_to = means.routes.standing(database).await?.leads_to.map_or_else(|| database.clone(), |led| led.to);
        return Err(Error::LedElsewhere { epoch, leads_to });
    };
    match standing.open {
        None => Ok(()),
        Some(open) => Err(Error::NotDone {
            reason: format!(
                "clients of `{database}` are at `{}`, and epoch {} was opened meanwhile",
                led.to, open.epoch
            ),
        }),
    }
}

/// The epoch by which a course has led clients to where they are.
async fn led_there(course: &Course, means: &Means) -> Result<Option<(OpenEpoch, Decision)>, Error> {
    let standing = means.routes.standing(&course.database).await?;
    let Some(led) = standing.leads_to.filter(|led| standing.open.is_none() && led.to == course.to) else {
        return Ok(None);
    };
    match means.routes.epoch(&course.database, led.epoch).await? {
        Some((epoch, Some(decision @ Decision::Flipped { .. })))
            if epoch.opening.migration == course.migration && epoch.opening.from == course.from =>
        {
            Ok(Some((epoch, decision)))
        }
        _ => Ok(None),
    }
}

/// Lets the clients of one database in where the decision leads them, and opens its gates.
async fn follow(
    course: &Course,
    courses: &Courses,
    found: &OpenEpoch,
    decision: &Decision,
    means: &Means,
) -> Result<Report, Error> {
    let epoch = own_epoch(course, found, means).await?;
    let decision = epoch.under(decision);
    let unlifted = |place: &str| {
        let place = place.to_owned();
        move |source: atalaya_postgres::Error| Error::Unlifted { place, source: source.into() }
    };
    let connect = async |place: &str| {
        let session = Session::connect_for_control(means.url(course, place)?, APPLICATION).await;
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
    let mut report = Report::new(course, courses, epoch.epoch);
    (report.resumed, report.outcome) = (true, outcome_of(&decision));
    let lift = &epoch.opening.lift;
    let followed = Followed { course, means, gates: &means.gates, leaving: &side, arriving: &side, lift };
    followed.follow(&decision, None, &mut report).await?;
    Ok(report)
}

/// The epoch of this database in the group of the one that was found.
async fn own_epoch(course: &Course, found: &OpenEpoch, means: &Means) -> Result<OpenEpoch, Error> {
    let Some(member) = found.with.iter().find(|member| member.database == course.database) else {
        return Ok(found.clone());
    };
    let own = means.routes.epoch(&member.database, member.epoch).await.map_err(Error::Undecided)?;
    own.map(|(own, _)| own).ok_or_else(|| Error::NotDone {
        reason: format!("the journal has no epoch {} of `{}`", member.epoch, member.database),
    })
}
