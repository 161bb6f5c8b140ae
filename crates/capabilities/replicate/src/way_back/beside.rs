//! The way back beside the forward run, in one process: taken up when it is made, left when it is removed.
//!
//! Whatever ends it for good is told and written down, and never ends the forward run.

use std::time::Duration;

use atalaya_postgres::Session;
use tokio::time::sleep;

use super::pair::{Known, Made};
use super::plan::opposite;
use crate::progress::Store;
use crate::protect::{self, SlotName, TooMuch};
use crate::report::{Event, Observer};
use crate::run::run_alone;
use crate::{Direction, Error, Plan};

/// How often the target is asked whether there is a way back.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait after errors that another try may mend.
const PAUSE: Duration = Duration::from_secs(10);

/// Runs the way back for as long as there is one; never returns.
pub(crate) async fn run_beside(plan: &Plan, observer: &dyn Observer) -> std::convert::Infallible {
    if plan.options.direction == Direction::Back {
        return std::future::pending().await;
    }
    let observer = Prefixed { observer };
    let mut session = None;
    // One that has ended for good is begun again by the next start, or when it is made anew.
    let mut ended: Option<Known> = None;
    loop {
        match look(plan, &mut session).await {
            Ok(Some(known)) if known.made == Made::Wholly && ended.as_ref() != Some(&known) => {
                ended = run_while_known(plan, &mut session, known, &observer).await;
            }
            Ok(_) => {}
            // The forward run hears the same, and says so.
            Err(_) => session = None,
        }
        sleep(EVERY).await;
    }
}

async fn look(plan: &Plan, session: &mut Option<Session>) -> Result<Option<Known>, Error> {
    let session = match session {
        Some(session) if !session.is_closed() => session,
        _ => session.insert(Session::connect_for_control(&plan.target, &format!("atalaya pair {}", plan.name)).await?),
    };
    let store = Store { session, name: &plan.name };
    if !atalaya_postgres::control::is_installed(session).await? {
        return Ok(None);
    }
    Known::read(&store).await
}

/// Runs it until it is another one or gone; what it was when it ended for good.
async fn run_while_known(
    plan: &Plan,
    session: &mut Option<Session>,
    known: Known,
    observer: &Prefixed<'_>,
) -> Option<Known> {
    let slot = known.slot;
    let is_same = |now: &Known| now.slot == slot && now.made == Made::Wholly;
    let error = tokio::select! {
        error = run_again_and_again(plan, observer) => error,
        () = until_changed(plan, session, is_same) => return None,
    };
    let reason = atalaya_data::chain(&error);
    observer.warn(&format!("it has stopped, what is written to the new server stays there: {reason}"));
    let stopped = loop {
        match write_down(plan, session, &slot, &reason).await {
            Ok(Some(stopped)) => break stopped,
            Ok(None) => return None,
            Err(_) => *session = None,
        }
        sleep(EVERY).await;
    };
    tokio::select! {
        () = keep_within_limit(plan, &slot, observer) => {}
        () = until_changed(plan, session, |now| *now == stopped) => {}
    }
    Some(stopped)
}

/// Returns once what the target says of it is something else.
async fn until_changed(plan: &Plan, session: &mut Option<Session>, is_same: impl Fn(&Known) -> bool) {
    loop {
        sleep(EVERY).await;
        match look(plan, session).await {
            Ok(now) if now.as_ref().is_some_and(&is_same) => {}
            Ok(_) => return,
            Err(_) => *session = None,
        }
    }
}

/// Writes down that it has stopped, beside what else was written down meanwhile; none where it is gone.
async fn write_down(
    plan: &Plan,
    session: &mut Option<Session>,
    slot: &str,
    reason: &str,
) -> Result<Option<Known>, Error> {
    let Some(now) = look(plan, session).await?.filter(|now| now.slot == slot) else { return Ok(None) };
    let Some(target) = session.as_ref() else { return Ok(None) };
    let at = target.query_one("SELECT pg_catalog.now()::text", &[]).await?.get(0);
    let stopped = Known { stopped: Some(reason.to_owned()), stopped_at: Some(at), ..now };
    stopped.write(&Store { session: target, name: &plan.name }).await?;
    Ok(Some(stopped))
}

/// Its slot keeps the new server's log for as long as it stands, though nobody reads it any more: clients are there, and
/// that server's disk comes first.
async fn keep_within_limit(plan: &Plan, slot: &str, observer: &Prefixed<'_>) {
    let back = loop {
        match back_of(plan).await {
            Ok(back) => break back,
            Err(_) => sleep(EVERY).await,
        }
    };
    let named = SlotName::default();
    named.send_replace(Some(slot.to_owned()));
    if let (slot, TooMuch::Limit(why)) = protect::watch(&back, &named, observer).await {
        let given_up = protect::give_up(&back, &slot, why).await;
        observer.warn(&atalaya_data::chain(&given_up));
    }
}

/// Its plan, as the target says it.
async fn back_of(plan: &Plan) -> Result<Plan, Error> {
    let target = Session::connect_for_control(&plan.target, &format!("atalaya pair {}", plan.name)).await?;
    opposite(plan, &Store { session: &target, name: &plan.name }).await
}

async fn run_again_and_again(plan: &Plan, observer: &Prefixed<'_>) -> Error {
    loop {
        let run = async {
            let target = Session::connect_for_control(&plan.target, &format!("atalaya pair {}", plan.name)).await?;
            let store = Store { session: &target, name: &plan.name };
            if let Some(known) = Known::read(&store).await?.filter(|known| known.stopped.is_some()) {
                Known { stopped: None, stopped_at: None, ..known }.write(&store).await?;
            }
            let back = opposite(plan, &store).await?;
            drop(target);
            run_alone(&back, observer).await
        };
        match run.await {
            // Nobody asks it to end but by removing it.
            Ok(_) => {}
            Err(error) if error.is_transient() || error.is_lock() => {
                observer.warn(&format!("it is tried again: {}", atalaya_data::chain(&error)));
            }
            Err(error) => return error,
        }
        sleep(PAUSE).await;
    }
}

/// Says of everything that it is about the way back; figures of both directions would not be told apart.
struct Prefixed<'a> {
    observer: &'a dyn Observer,
}

impl Prefixed<'_> {
    fn warn(&self, text: &str) {
        self.observer.observe(&Event::Warning { text: format!("way back: {text}") });
    }
}

impl Observer for Prefixed<'_> {
    fn observe(&self, event: &Event) {
        match event {
            Event::Warning { text } => self.warn(text),
            Event::Reconnect { attempt, reason } => self.warn(&format!("connection lost, try {attempt}: {reason}")),
            Event::Followed { change } => {
                self.observer.observe(&Event::Followed { change: format!("way back: {change}") });
            }
            _ => {}
        }
    }
}
