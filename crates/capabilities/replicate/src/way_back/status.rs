//! Whether clients can be led back, and if not, why not.

use atalaya_catalog::Relation;
use atalaya_data::Lsn;
use atalaya_postgres::{Session, control};

use super::alone::alone;
use super::check::{Sides, problems, unidentified};
use super::pair::{BackOf, Known, Made, Side, marker_entry, serving};
use super::plan::{left_out, opposite};
use crate::progress::{Migration, Store};
use crate::run::chosen_tables;
use crate::status::{SlotHealth, read_slot};
use crate::{Error, Plan};

/// How far the way back has been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WayBackState {
    /// There is none.
    Missing,
    /// Something of it stands: make it again.
    Partly,
    /// It stands.
    Made,
}

/// The way back of a move.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WayBackStatus {
    /// How far it has been made.
    pub state: WayBackState,
    /// Whether all that is written to the new server comes back to the old one, as far as can be seen now.
    pub possible: bool,
    /// Since when, as the new server writes it.
    pub since: Option<String>,
    /// Since when it is not, where it has stopped.
    pub impossible_since: Option<String>,
    /// Why it is not possible, or, where there is none, why none can be made; empty otherwise.
    pub why_not: Vec<String>,
    /// The server that clients are led to.
    pub serving: Side,
    /// Whether a run brings changes back.
    pub running: bool,
    /// What the old server has of the new one's log.
    pub applied_lsn: Option<String>,
    /// Bytes of the new server's log that the old one has not.
    pub lag_bytes: Option<u64>,
    /// Changes brought back.
    pub changes: u64,
    /// The slot on the new server.
    pub slot: Option<SlotHealth>,
}

/// Reads how the way back is. Where there is none, what would forbid it is looked up.
///
/// # Errors
/// When a server cannot be reached, or there is no such migration.
pub async fn way_back_status(plan: &Plan) -> Result<WayBackStatus, Error> {
    let name = format!("atalaya way back {}", plan.name);
    let old = Session::connect_for_control(&plan.source, &name).await?;
    let new = Session::connect_for_control(&plan.target, &name).await?;
    let there = Store { session: &new, name: &plan.name };
    let Some(forward) = there.read().await? else {
        return Err(Error::refused(
            "unknown-migration",
            format!("there is no migration `{}`", plan.name),
            "see `atalaya migrate status`",
        ));
    };
    let back = opposite(plan, &there).await?;
    let serving = serving(&there).await?;
    let looking = Looking { back: &back, old: &old, new: &new, forward: &forward, serving };
    match Known::read(&there).await? {
        None => looking.missing().await,
        Some(known) => looking.known(known).await,
    }
}

struct Looking<'a> {
    back: &'a Plan,
    old: &'a Session,
    new: &'a Session,
    forward: &'a Migration,
    serving: Side,
}

impl Looking<'_> {
    async fn missing(&self) -> Result<WayBackStatus, Error> {
        let Self { back, old, new, forward, serving } = *self;
        let mut status = empty(WayBackState::Missing, serving);
        status.why_not = problems(&Sides { back, old, new, forward }).await?;
        Ok(status)
    }

    async fn known(&self, known: Known) -> Result<WayBackStatus, Error> {
        let Self { back, old, new, forward, serving } = *self;
        let mut status = empty(WayBackState::Partly, serving);
        let store = Store { session: old, name: &back.name };
        let stands = control::is_installed(old).await?
            && BackOf::read(&store).await?.is_some_and(|back_of| back_of.slot == forward.slot);
        let migration = match stands {
            true => store.read().await?.filter(|migration| migration.slot == known.slot),
            false => None,
        };
        let Some(migration) = migration.filter(|_| known.made == Made::Wholly) else {
            status.why_not.push("it is not made wholly: make it again".to_owned());
            return Ok(status);
        };
        status.state = WayBackState::Made;
        status.since.clone_from(&known.since);
        let progress = old
            .query_opt(
                "SELECT p.applied::text, p.changes, a.report ->> 'applied_lsn' FROM atalaya.progress p
                   LEFT JOIN atalaya.activity a USING (migration) WHERE p.migration = $1 AND p.writer = 0",
                &[&back.name.as_str()],
            )
            .await?;
        status.running = crate::is_running(old, &back.name).await?;
        if let Some(row) = progress {
            status.changes = u64::try_from(row.get::<_, i64>(1)).unwrap_or_default();
            let lsn = |text: Option<String>| text.and_then(|text| text.parse::<Lsn>().ok());
            let reached = lsn(row.get(2)).filter(|_| status.running);
            status.applied_lsn = lsn(row.get(0)).max(reached).map(|lsn| lsn.to_string());
        }
        let (slot, lag_bytes) = read_slot(new, &known.slot, status.applied_lsn.as_deref()).await?;
        status.lag_bytes = lag_bytes;
        status.impossible_since.clone_from(&known.stopped_at);
        self.judge(&mut status, &migration, &slot, known).await?;
        status.slot = Some(slot);
        status.possible = status.why_not.is_empty();
        Ok(status)
    }

    async fn judge(
        &self,
        status: &mut WayBackStatus,
        migration: &Migration,
        slot: &SlotHealth,
        known: Known,
    ) -> Result<(), Error> {
        let Self { back, old, new, forward, .. } = *self;
        let why_not = &mut status.why_not;
        if migration.given_up.is_some() {
            why_not.push("its slot kept more log than `--wal-limit` allows, and was given up".to_owned());
        } else if !slot.exists {
            why_not.push("its slot is gone from the new server".to_owned());
        } else if slot.wal_status.as_deref() == Some("lost") {
            why_not.push("its slot has lost its log".to_owned());
        }
        if marker_entry(old, &forward.publication).await? != known.entry
            || marker_entry(new, &migration.publication).await?.is_none()
        {
            why_not.push("what the other direction writes is not published any more".to_owned());
        }
        let left_out = left_out(back, new, &Store { session: old, name: &back.name }).await?;
        if !left_out.is_empty() {
            let names: Vec<String> = left_out.iter().map(ToString::to_string).collect();
            why_not.push(format!("tables of the new server are not part of it: {}", names.join(", ")));
        }
        // An identity may have been changed since it was made.
        let tables = chosen_tables(back, new).await?;
        let parts: Vec<Relation> = tables.into_iter().filter(|table| !left_out.contains(&table.name)).collect();
        why_not.extend(unidentified(back, new, &parts));
        if let Some(before) = &known.alone {
            let now = alone(old, new).await?;
            let came: Vec<String> =
                now.difference(before).filter(|name| !left_out.contains(name)).map(ToString::to_string).collect();
            if !came.is_empty() {
                why_not.push(format!(
                    "tables came to the new server that the old one does not have: {}; make them there, with their rows, or \
                     drop them",
                    came.join(", ")
                ));
            }
        }
        why_not.extend(known.stopped.map(|reason| format!("it has stopped (its source is the new server): {reason}")));
        Ok(())
    }
}

fn empty(state: WayBackState, serving: Side) -> WayBackStatus {
    WayBackStatus {
        state,
        possible: false,
        since: None,
        impossible_since: None,
        why_not: Vec::new(),
        serving,
        running: false,
        applied_lsn: None,
        lag_bytes: None,
        changes: 0,
        slot: None,
    }
}
