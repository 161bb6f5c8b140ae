//! Everything that can be done before clients are held.

use std::sync::Arc;

use atalaya_postgres::Session;
use futures_util::future::join_all;

use crate::course::{Course, Means};
use crate::courses::{Courses, of_each};
use crate::fence::{self, Plan};
use crate::prewarm::{self, Prewarmed};
use crate::{Error, PartError, ReadyGate, TrafficGate, WayBack};

pub(super) const APPLICATION: &str = "atalaya cutover";

/// What the critical section needs at hand.
pub struct Prepared {
    pub(super) courses: Courses,
    pub(super) means: Means,
    /// In the order of the courses; never none.
    pub(super) parts: Vec<Part>,
}

/// What it needs of one database.
pub(super) struct Part {
    pub(super) course: Course,
    /// Fences.
    pub(super) leaving: Session,
    /// Lifts: the other one may be waiting for a server that does not answer.
    pub(super) spare: Session,
    pub(super) arriving: Session,
    pub(super) plan: Plan,
    /// Those that lead clients to it.
    pub(super) gates: Vec<Arc<dyn TrafficGate>>,
    /// As they name themselves.
    pub(super) named: Vec<String>,
    /// Server processes of the sessions by which gateways lift the fence.
    pub(super) spared: Vec<i32>,
    pub(super) epoch: u64,
    pub(super) lift: Vec<String>,
    pub(super) prewarmed: Option<Prewarmed>,
}

/// A database whose servers are connected to.
struct Near {
    course: Course,
    leaving: Session,
    spare: Session,
    arriving: Session,
    prewarmed: Option<Prewarmed>,
}

/// Connects, plans the fences, asks each gateway whether it is ready, and has the other sides come close.
///
/// # Errors
/// Whatever keeps clients from being led away. Nothing is held, fenced or decided then.
pub async fn prepare(courses: impl Into<Courses>, means: Means) -> Result<Prepared, Error> {
    let courses = courses.into();
    let of = |course: &Course| {
        let course = course.clone();
        let courses = &courses;
        move |error: Error| error.of(&course, courses)
    };
    let connecting = courses.iter().map(|course| {
        let (of, means) = (of(course), &means);
        async move { connect(course.clone(), means).await.map_err(of) }
    });
    let mut near = of_each(connecting.collect()).await?;
    if let Some(asked) = &means.prewarm {
        // One after the other, since they may share a server, and it takes as long as it may: what is written meanwhile is proven
        // after it.
        for near in &mut near {
            near.prewarmed = Some(prewarm::run(&near.course, &means, asked).await);
        }
    }
    let coming = courses.iter().map(|course| {
        let (of, means) = (of(course), &means);
        async move { come_close(course, means).await.map_err(of) }
    });
    of_each(coming.collect()).await?;
    // That may have taken a while; gates do not stay ready for ever.
    let planning = near.into_iter().map(|near| {
        let (of, means) = (of(&near.course), &means);
        async move { plan(near, means).await.map_err(of) }
    });
    let parts = of_each(planning.collect()).await?;
    // Once more, since clients write on: the pause pays for what they have written since. It is short now, so that gates are
    // still ready after it.
    let closing = courses.iter().map(|course| {
        let (of, means) = (of(course), &means);
        async move { stay_close(course, means).await.map_err(of) }
    });
    of_each(closing.collect()).await?;
    Ok(Prepared { courses, means, parts })
}

async fn connect(course: Course, means: &Means) -> Result<Near, Error> {
    let (from, to) = (means.url(&course, &course.from)?, means.url(&course, &course.to)?);
    means.take_charge(&course).await?;
    way_back_stands(&course, means).await?;
    let leaving = Session::connect_for_control(from, APPLICATION).await?;
    let spare = Session::connect_for_control(from, APPLICATION).await?;
    let arriving = Session::connect_for_control(to, APPLICATION).await?;
    let last_epoch = where_clients_are(&course, means).await?;
    fence::trust(&leaving).await?;
    fence::trust(&arriving).await?;
    fence::prepare(&leaving).await?;
    if let Some(last_epoch) = last_epoch {
        // Each epoch so far is decided: one that was fenced here and flipped has led clients back since, or was closed by
        // somebody who could not lift it.
        fence::lift_standing(&leaving, &course.database, last_epoch).await?;
    }
    Ok(Near { course, leaving, spare, arriving, prewarmed: None })
}

async fn plan(near: Near, means: &Means) -> Result<Part, Error> {
    let Near { course, leaving, spare, arriving, prewarmed } = near;
    let standing = means.routes.standing(&course.database).await?;
    let plan = fence::plan(&leaving, &course.database).await?;
    let (gates, ready): (Vec<_>, Vec<_>) = ready_gates(&course, means).await?.into_iter().unzip();
    if let Some(gate) = ready.iter().find(|gate| gate.last_epoch != standing.last_epoch) {
        return Err(Error::OtherJournal { gate: gate.gate.clone() });
    }
    let fencing = plan.rights().role.as_str();
    for gate in &ready {
        if let Some(role) = gate.lifts_as.as_deref().filter(|role| *role != fencing) {
            let (gate, role, fencing) = (gate.gate.clone(), role.to_owned(), fencing.to_owned());
            return Err(Error::OtherRole { gate, role, fencing });
        }
    }
    let spared = ready.iter().filter_map(|gate| gate.lifts_by).collect();
    let named: Vec<String> = ready.into_iter().map(|gate| gate.gate).collect();
    for (place, gate) in named.iter().enumerate() {
        if named.iter().take(place).any(|other| other == gate) {
            return Err(Error::SameGate { gate: gate.clone() });
        }
    }
    fence::warm_up(&leaving).await?;
    fence::warm_up(&spare).await?;
    // Its fence may have to be lifted, by a block of the same kind.
    fence::standing(&arriving, &course.database).await?;
    arriving.batch("DO $$ BEGIN NULL; END $$").await?;
    let epoch = standing.last_epoch.saturating_add(1);
    let lift = fence::lifting(&plan, &course.database, epoch);
    Ok(Part { course, leaving, spare, arriving, plan, gates, named, spared, epoch, lift, prewarmed })
}

/// It may have been removed since it was made, by somebody whom nothing kept out yet.
async fn way_back_stands(course: &Course, means: &Means) -> Result<(), Error> {
    let failed = |source| Error::Replication { stage: "looking at the way back", source };
    let to = course.to.clone();
    match means.replication(course)?.following(course.direction).await.map_err(failed)?.way_back {
        WayBack::Stands => Ok(()),
        WayBack::Missing => Err(Error::NoWayBack { to, why: None }),
        WayBack::Impossible { why } => Err(Error::NoWayBack { to, why: Some(why) }),
    }
}

async fn come_close(course: &Course, means: &Means) -> Result<(), Error> {
    let close = means.replication(course)?.come_close(course.direction, means.limits.come_close).await;
    close.map_err(coming_close)
}

async fn stay_close(course: &Course, means: &Means) -> Result<(), Error> {
    let close = means.replication(course)?.stay_close(course.direction, means.limits.come_close).await;
    close.map_err(coming_close)
}

fn coming_close(source: PartError) -> Error {
    Error::Replication { stage: "coming close", source }
}

/// The newest epoch where each one so far is decided. A fence that stands where clients are not is what keeps them out: nobody
/// but those who lead them back lifts it.
async fn where_clients_are(course: &Course, means: &Means) -> Result<Option<u64>, Error> {
    let standing = means.routes.standing(&course.database).await?;
    let leads_to = standing.leads_to.map_or_else(|| course.database.clone(), |led| led.to);
    if leads_to != course.from {
        let (database, from) = (course.database.clone(), course.from.clone());
        return Err(atalaya_route::Error::Elsewhere { database, leads_to, from }.into());
    }
    Ok(standing.open.is_none().then_some(standing.last_epoch))
}

/// Each gateway that leads clients to the database, in their order. One that leads none there is needed for another one of
/// several.
async fn ready_gates(course: &Course, means: &Means) -> Result<Vec<(Arc<dyn TrafficGate>, ReadyGate)>, Error> {
    let asked = means.gates.iter().map(|gate| async move {
        let ready = gate.ready(&course.database, &course.to).await;
        let failed = |source| Error::Gate { gateway: gate.address().to_owned(), source };
        match ready.map_err(failed)? {
            Some(ready) => Ok(Some((Arc::clone(gate), ready))),
            None if means.are_for_several() => Ok(None),
            None => Err(failed(leads_nobody(course))),
        }
    });
    let answers = join_all(asked).await.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let ready: Vec<_> = answers.into_iter().flatten().collect();
    if ready.is_empty() {
        return Err(Error::NoGate { database: course.database.clone() });
    }
    Ok(ready)
}

pub(crate) fn leads_nobody(course: &Course) -> PartError {
    PartError {
        text: format!("no database of the gateway leads to `{}` by its estate file", course.database),
        hint: Some("its estate file has to lead a database to where the migration comes from".to_owned()),
    }
}
