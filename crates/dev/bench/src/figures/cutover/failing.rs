//! Cutovers that fail, and how long clients wait for each of them until they are served again where they were.
//!
//! A transaction that never ends holds up the drain, before anything is fenced. Superusers who write past the gateway are found
//! behind the fence, which has to be lifted again. And a coordinator is killed behind the fence, which leaves all of that to the
//! gateway.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::LedgerRun;
use atalaya_postgres::Session;
use tokio::runtime::Runtime;

use super::clients::{until_they_are_held, until_they_work};
use super::front::{Front, NAME, USER};
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
/// What the other side has applied is written there: meanwhile no marker is.
const HOLD_UP_APPLY: &str = "BEGIN; LOCK TABLE atalaya.progress IN EXCLUSIVE MODE";
const LIMIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

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
            Self::Killed => "a coordinator that is killed behind the fence",
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
            Fault::Endless => with_a_transaction(front, runtime, || broken_off(front, "transactions still ran"))?,
            Fault::Bypass => with_writers(front, runtime, || broken_off(front, "were committed behind the fence"))?,
            Fault::Killed => killed(front, runtime, run)?,
        }
        until_they_work(run)?;
        if is_fenced(front)? {
            return Err(Error::OtherWork(format!("{}: the fence stands, and clients work", fault.words())));
        }
        let longest = run.counts().pause_max_us as f64 / 1000.0;
        let _closed = writeln!(std::io::stderr(), "{}: {longest:.1} ms without a commit at most so far", fault.words());
    }
    Ok(faults().count())
}

/// For this reason, and no other.
fn broken_off(front: &Front<'_>, reason: &str) -> Result<(), Error> {
    match child::said(&mut front.atalaya(&["migrate", "cutover", NAME])) {
        Err(Error::Failed { said, .. }) if said.contains(reason) => Ok(()),
        Ok(said) => Err(Error::OtherWork(format!("clients were led away although nobody could be: {said}"))),
        Err(other) => Err(other),
    }
}

fn killed(front: &Front<'_>, runtime: &Runtime, run: &LedgerRun) -> Result<(), Error> {
    let target = ConnectionUrl::parse(&front.lab().target.url(DATABASE)).map_err(Error::ledger)?;
    let apply = runtime.block_on(Session::connect(&target, "bench")).map_err(Error::ledger)?;
    let mut coordinator = None;
    with_a_transaction(front, runtime, || {
        coordinator = Some(child::background(&mut front.atalaya(&["migrate", "cutover", NAME]))?);
        until_they_are_held(run)?;
        runtime.block_on(apply.batch(HOLD_UP_APPLY)).map_err(Error::ledger)
    })?;
    let begun = Instant::now();
    while !is_fenced(front)? {
        if begun.elapsed() > LIMIT {
            return Err(Error::OtherWork(
                "the coordinator that is to be killed behind the fence never came there".into(),
            ));
        }
        thread::sleep(LOOK_EVERY);
    }
    drop(coordinator);
    if !is_fenced(front)? {
        return Err(Error::OtherWork("the fence was gone before its coordinator was".into()));
    }
    runtime.block_on(apply.batch("ROLLBACK")).map_err(Error::ledger)?;
    until_they_work(run)?;
    // The next command brings to its end what was left, and tells that.
    broken_off(front, "it was interrupted while clients were held")
}

/// Asked in another database: a fence ends whoever asks in its own.
fn is_fenced(front: &Front<'_>) -> Result<bool, Error> {
    let may = format!("SELECT has_database_privilege('{USER}', '{DATABASE}', 'CONNECT')");
    Ok(front.lab().source.run_sql("postgres", &may)?.trim() == "f")
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
