//! The way back beside the forward run, in one process: taken up when it is made, left when it is removed.
//!
//! Whatever ends it for good is told and written down, and never ends the forward run.

use std::time::Duration;

use atalaya_postgres::Session;
use tokio::time::sleep;

use super::pair::{Known, Made};
use super::plan::opposite;
use crate::progress::Store;
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
    let slot = known.slot.clone();
    let changed = async {
        loop {
            sleep(EVERY).await;
            match look(plan, session).await {
                Ok(now) if now.as_ref().is_some_and(|now| now.slot == slot && now.made == Made::Wholly) => {}
                Ok(_) => return,
                Err(_) => *session = None,
            }
        }
    };
    let error = tokio::select! {
        error = run_again_and_again(plan, observer) => error,
        () = changed => return None,
    };
    let reason = atalaya_data::chain(&error);
    observer.warn(&format!("it has stopped, what is written to the new server stays there: {reason}"));
    // As it stands now, with what else was written down meanwhile.
    let stopped = async {
        let now = look(plan, session).await.ok().flatten()?;
        let stopped = Known { stopped: Some(reason), ..now };
        stopped.write(&Store { session: session.as_ref()?, name: &plan.name }).await.ok()?;
        Some(stopped)
    };
    Some(stopped.await.unwrap_or(known))
}

async fn run_again_and_again(plan: &Plan, observer: &Prefixed<'_>) -> Error {
    loop {
        let run = async {
            let target = Session::connect_for_control(&plan.target, &format!("atalaya pair {}", plan.name)).await?;
            let store = Store { session: &target, name: &plan.name };
            if let Some(known) = Known::read(&store).await?.filter(|known| known.stopped.is_some()) {
                Known { stopped: None, ..known }.write(&store).await?;
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
