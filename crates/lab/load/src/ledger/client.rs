//! One client: draws a transaction, sends it in one round trip, remembers what it was told.

use std::sync::Arc;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::{Error, Retry, Session, Step, ToSql};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::ClientRecord;
use super::counts::Meter;
use super::deck::Deck;
use super::outcome::{Outcome, judge};
use super::plan::Plan;
use super::record::transfer_id;
use super::statements::Prepared;

const APPLICATION_NAME: &str = "atalaya ledger";
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A client that fell behind its rate, through a pause say, makes up for at most this long.
const CATCH_UP_MAX: Duration = Duration::from_millis(500);

/// What a run tells its clients.
#[derive(Clone)]
pub(super) struct Orders {
    pub(super) url: ConnectionUrl,
    /// Changes with every new `url`.
    pub(super) epoch: u64,
    pub(super) stopping: bool,
}

/// What does not change during a run.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) run: u32,
    pub(super) with_shop: bool,
    /// Time between two transactions of one client; none for as many as possible.
    pub(super) interval: Option<Duration>,
    pub(super) transaction_timeout: Duration,
    pub(super) outage_max: Duration,
}

struct Connection {
    session: Session,
    prepared: Prepared,
    epoch: u64,
}

pub(super) struct Client {
    number: u32,
    terms: Terms,
    deck: Deck,
    meter: Arc<Meter>,
    orders: watch::Receiver<Orders>,
    connection: Option<Connection>,
    connected_before: bool,
    failures_in_row: u32,
    record: ClientRecord,
}

impl Client {
    pub(super) fn new(
        number: u32,
        terms: Terms,
        deck: Deck,
        meter: Arc<Meter>,
        orders: watch::Receiver<Orders>,
    ) -> Self {
        Self {
            number,
            terms,
            deck,
            meter,
            orders,
            connection: None,
            connected_before: false,
            failures_in_row: 0,
            record: ClientRecord::default(),
        }
    }

    /// Works until told to stop, or until no connection could be had for too long.
    pub(super) async fn work(mut self, first_at: Instant) -> ClientRecord {
        let mut due = first_at;
        let mut count = 0;
        while !self.is_over() {
            if let Some(interval) = self.terms.interval {
                due = due.max(Instant::now().checked_sub(CATCH_UP_MAX).unwrap_or(due));
                self.pause_until(due).await;
                due += interval;
                if self.is_over() {
                    break;
                }
            }
            if !self.is_connected() && !self.connect().await {
                break;
            }
            self.transaction(count).await;
            count += 1;
            if self.failures_in_row > 0 {
                let pause = BACKOFF_FIRST * (self.failures_in_row - 1).min(50);
                self.pause_until(Instant::now() + pause).await;
            }
        }
        self.record
    }

    /// Told to stop, or the run was dropped.
    fn is_over(&self) -> bool {
        self.orders.borrow().stopping || self.orders.has_changed().is_err()
    }

    fn is_connected(&self) -> bool {
        let epoch = self.orders.borrow().epoch;
        self.connection.as_ref().is_some_and(|connection| connection.epoch == epoch && !connection.session.is_closed())
    }

    /// Tries until connected; gives up after the longest outage, or when told to stop.
    async fn connect(&mut self) -> bool {
        self.connection = None;
        let give_up_at = Instant::now() + self.terms.outage_max;
        let mut backoff = BACKOFF_FIRST;
        loop {
            let orders = self.orders.borrow().clone();
            if self.is_over() {
                return false;
            }
            match open(&orders, self.terms.with_shop, self.terms.transaction_timeout).await {
                Ok(connection) => {
                    if self.connected_before {
                        self.meter.reconnected();
                    }
                    self.connected_before = true;
                    self.connection = Some(connection);
                    return true;
                }
                Err(error) => {
                    self.record.add_error(&error);
                    tracing::debug!(client = self.number, %error, "no connection");
                }
            }
            if Instant::now() + backoff > give_up_at {
                self.meter.gave_up();
                return false;
            }
            self.pause_until(Instant::now() + backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Sleeps, unless a new order comes.
    async fn pause_until(&mut self, at: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(at) => (),
            // An error is the end of the run, which the caller looks for.
            _changed = self.orders.changed() => (),
        }
    }

    async fn transaction(&mut self, count: u64) {
        let plan = self.deck.draw(transfer_id(self.terms.run, self.number, count));
        let Some(connection) = &self.connection else {
            return;
        };
        let started = Instant::now();
        let sent = timeout(self.terms.transaction_timeout, send(connection, &plan)).await;
        let (outcome, keep) = match sent {
            Ok(answers) => {
                let mut keep = true;
                for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
                    keep &= error.retry() != Retry::Reconnect;
                }
                if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
                    self.record.add_error(error);
                    tracing::debug!(client = self.number, %error, "a transaction failed");
                }
                (judge(&answers, plan.ending), keep)
            }
            Err(_) => (Outcome::Unknown, false),
        };
        self.meter.count(outcome, started.elapsed());
        self.record.add(count, outcome);
        match outcome {
            Outcome::Failed => self.failures_in_row = self.failures_in_row.saturating_add(1),
            _ => self.failures_in_row = 0,
        }
        if !keep || outcome == Outcome::Unknown {
            self.connection = None;
        }
    }
}

async fn open(orders: &Orders, with_shop: bool, limit: Duration) -> Result<Connection, Error> {
    let session = Session::connect(&orders.url, APPLICATION_NAME).await?;
    let prepared = timeout(limit, Prepared::on(&session, with_shop))
        .await
        .map_err(|_| Error::Timeout { what: "preparing the ledger's statements".to_owned(), limit })??;
    Ok(Connection { session, prepared, epoch: orders.epoch })
}

async fn send(connection: &Connection, plan: &Plan) -> Vec<Result<u64, Error>> {
    let parameters: Vec<Vec<&(dyn ToSql + Sync)>> =
        plan.steps.iter().map(|(_, values)| values.iter().map(super::plan::Value::as_sql).collect()).collect();
    let steps: Vec<Step<'_>> = plan
        .steps
        .iter()
        .zip(&parameters)
        .filter_map(|((phrase, _), parameters)| Some(Step { statement: connection.prepared.get(*phrase)?, parameters }))
        .collect();
    connection.session.pipeline(&steps).await
}
