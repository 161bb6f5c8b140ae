//! Everything that can be done before clients are held.

use atalaya_postgres::Session;
use futures_util::future::join_all;

use crate::course::{Course, Means};
use crate::fence::{self, Plan};
use crate::{Error, ReadyGate};

pub(super) const APPLICATION: &str = "atalaya cutover";

/// What the critical section needs at hand.
pub struct Prepared {
    pub(super) course: Course,
    pub(super) means: Means,
    /// Fences.
    pub(super) leaving: Session,
    /// Lifts: the other one may be waiting for a server that does not answer.
    pub(super) spare: Session,
    pub(super) arriving: Session,
    pub(super) plan: Plan,
    pub(super) gates: Vec<String>,
    /// Server processes of the sessions by which gateways lift the fence.
    pub(super) spared: Vec<i32>,
    pub(super) epoch: u64,
    pub(super) lift: Vec<String>,
}

/// Connects, plans the fence, asks each gateway whether it is ready, and has the other side come close.
///
/// # Errors
/// Whatever keeps clients from being led away. Nothing is held, fenced or decided then.
pub async fn prepare(course: Course, means: Means) -> Result<Prepared, Error> {
    let (from, to) = (means.url(&course.from)?, means.url(&course.to)?);
    let leaving = Session::connect_for_control(from, APPLICATION).await?;
    let spare = Session::connect_for_control(from, APPLICATION).await?;
    let arriving = Session::connect_for_control(to, APPLICATION).await?;
    let last_epoch = where_clients_are(&course, &means).await?;
    fence::trust(&leaving).await?;
    fence::trust(&arriving).await?;
    fence::prepare(&leaving).await?;
    if let Some(last_epoch) = last_epoch {
        // Each epoch so far is decided: one that was fenced here and flipped has led clients back since, or was closed by
        // somebody who could not lift it.
        fence::lift_standing(&leaving, &course.database, last_epoch).await?;
    }
    come_close(&course, &means).await?;
    // That may have taken a while; gates do not stay ready for ever.
    let standing = means.routes.standing(&course.database).await?;
    let plan = fence::plan(&leaving, &course.database).await?;
    let ready = ready_gates(&course, &means).await?;
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
    let gates: Vec<String> = ready.into_iter().map(|gate| gate.gate).collect();
    for (place, gate) in gates.iter().enumerate() {
        if gates.iter().take(place).any(|other| other == gate) {
            return Err(Error::SameGate { gate: gate.clone() });
        }
    }
    fence::warm_up(&leaving).await?;
    fence::warm_up(&spare).await?;
    // Its fence may have to be lifted, by a block of the same kind.
    fence::standing(&arriving, &course.database).await?;
    arriving.batch("DO $$ BEGIN NULL; END $$").await?;
    // Once more, since clients write on: the pause pays for what they have written since. It is short now, so that gates are
    // still ready after it.
    come_close(&course, &means).await?;
    let epoch = standing.last_epoch.saturating_add(1);
    let lift = fence::lifting(&plan, &course.database, epoch);
    Ok(Prepared { course, means, leaving, spare, arriving, plan, gates, spared, epoch, lift })
}

async fn come_close(course: &Course, means: &Means) -> Result<(), Error> {
    let close = means.replication.come_close(course.direction, means.limits.come_close).await;
    close.map_err(|source| Error::Replication { stage: "coming close", source })
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

/// Each gateway's own name, in their order.
pub(crate) async fn ready_gates(course: &Course, means: &Means) -> Result<Vec<ReadyGate>, Error> {
    let asked = means.gates.iter().map(|gate| async move {
        let ready = gate.ready(&course.database, &course.to).await;
        ready.map_err(|source| Error::Gate { gateway: gate.address().to_owned(), source })
    });
    join_all(asked).await.into_iter().collect()
}
