//! Cutovers that cannot succeed, and how long clients wait for each of them until they are served again where they were.
//!
//! Nothing is helped along: a transaction that never ends holds up the drain, before anything is fenced; superusers who
//! write past the gateway are found behind the fence, which has to be lifted again; and a coordinator that is killed while
//! clients are held leaves all of that to the gateway.

use std::io::Write;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::LedgerRun;
use atalaya_postgres::Session;
use tokio::runtime::Runtime;

use super::clients::{until_they_are_held, until_they_work};
use super::front::{Front, NAME};
use crate::child;
use crate::error::Error;
use crate::lab::DATABASE;

/// How often each is tried.
const EACH: usize = 4;
/// So many, so often, that one of their writes falls between the marker and the decision.
const WRITERS: usize = 4;
const WRITE_EVERY: Duration = Duration::from_millis(1);
/// Not the role by which clients are led, which must have no sessions of others.
const WRITER: &str = "bypass";
const WRITERS_PASSWORD: &str = "bypass-password";
/// Changes nothing that the books are made of.
const WRITE: &str = "UPDATE ledger.account SET balance = balance WHERE id = 1";

#[derive(Clone, Copy, Debug)]
enum Fault {
    Endless,
    Bypass,
    Killed,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Endless, Self::Bypass, Self::Killed];

    fn words(self) -> &'static str {
        match self {
            Self::Endless => "a transaction that never ends",
            Self::Bypass => "superusers who write past the gateway",
            Self::Killed => "a coordinator that is killed",
        }
    }
}

/// How many there were; whatever does not end as it has to ends the measurement.
pub(super) fn make(front: &Front<'_>, runtime: &Runtime, run: &LedgerRun) -> Result<usize, Error> {
    let writer = format!("CREATE ROLE {WRITER} SUPERUSER LOGIN PASSWORD '{WRITERS_PASSWORD}'");
    front.lab().source.run_sql(DATABASE, &writer)?;
    let faults = || Fault::ALL.into_iter().cycle().take(EACH * Fault::ALL.len());
    for fault in faults() {
        until_they_work(run)?;
        match fault {
            Fault::Endless => with_a_transaction(front, runtime, || broken_off(front))?,
            Fault::Bypass => with_writers(front, runtime, || broken_off(front))?,
            Fault::Killed => with_a_transaction(front, runtime, || {
                let coordinator = child::background(&mut front.atalaya(&["migrate", "cutover", NAME]))?;
                until_they_are_held(run)?;
                drop(coordinator);
                Ok(())
            })?,
        }
        until_they_work(run)?;
        let longest = run.counts().pause_max_us as f64 / 1000.0;
        let _closed = writeln!(std::io::stderr(), "{}: {longest:.1} ms without a commit at most so far", fault.words());
    }
    Ok(faults().count())
}

fn broken_off(front: &Front<'_>) -> Result<(), Error> {
    match child::said(&mut front.atalaya(&["migrate", "cutover", NAME])) {
        Err(Error::Failed { said, .. }) if said.contains("can be run again") => Ok(()),
        Ok(said) => Err(Error::OtherWork(format!("clients were led away although nobody could be: {said}"))),
        Err(other) => Err(other),
    }
}

/// One that is open all the while, and must commit behind it: nothing is cut. It only reads: the slot of the way back, which is
/// made before anybody is held, would wait for one that has written.
fn with_a_transaction(
    front: &Front<'_>,
    runtime: &Runtime,
    meanwhile: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let url = front.clients_url()?;
    let session = runtime.block_on(async {
        let session = Session::connect(&url, "bench").await.map_err(Error::ledger)?;
        session.batch("BEGIN; SELECT count(*) FROM ledger.run").await.map_err(Error::ledger)?;
        Ok::<_, Error>(session)
    })?;
    meanwhile()?;
    // A gateway that was left alone waits for the end of its lease.
    runtime.block_on(session.batch("COMMIT")).map_err(Error::ledger)
}

/// Some who come again whenever a fence ends them.
fn with_writers(
    front: &Front<'_>,
    runtime: &Runtime,
    meanwhile: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let port = front.lab().source.port();
    let text = format!("postgres://{WRITER}:{WRITERS_PASSWORD}@127.0.0.1:{port}/{DATABASE}?sslmode=disable");
    let url = ConnectionUrl::parse(&text).map_err(Error::ledger)?;
    let writers: Vec<_> = (0..WRITERS).map(|_| runtime.spawn(write_on(url.clone()))).collect();
    let done = meanwhile();
    writers.iter().for_each(tokio::task::JoinHandle::abort);
    done
}

async fn write_on(url: ConnectionUrl) {
    loop {
        if let Ok(session) = Session::connect(&url, "bench").await {
            while session.batch(WRITE).await.is_ok() {
                tokio::time::sleep(WRITE_EVERY).await;
            }
        }
        tokio::time::sleep(WRITE_EVERY).await;
    }
}
