//! Who relays: one owner until a time of the database's clock, under an epoch that grows with every claim.

use std::time::{Duration, Instant};

use atalaya_eventstore::{Ran, Statement, Tables, Value};

use super::OutboxError;
use super::table::now_us;

/// A lease that was ours when it was looked at. Whether it still is, only [`Lease::fence`] tells.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    owner: String,
    epoch: i64,
    length: Duration,
    /// By our own clock, and never later than by the database's: it counts from before the claim was sent.
    until: Instant,
}

impl Lease {
    /// Claims the lease, unless somebody else has it.
    pub(super) async fn claim(tables: &Tables, owner: &str, length: Duration) -> Result<Option<Self>, OutboxError> {
        let begun = Instant::now();
        let now = now_us(tables.dialect());
        let sql = format!(
            "UPDATE atalaya_outbox_lease SET owner = $1, epoch = epoch + 1, until_us = {now} + $2
              WHERE name = 'relay' AND (owner = $1 OR until_us <= {now})"
        );
        let claim = Statement::new(sql, vec![Value::from(owner), microseconds(length)]).touching(1);
        if let Ran::Unexpected { .. } = tables.run(vec![claim]).await? {
            return Ok(None);
        }
        let sql = "SELECT epoch FROM atalaya_outbox_lease WHERE name = 'relay' AND owner = $1";
        let rows = tables.query(Statement::new(sql, vec![Value::from(owner)])).await?;
        // None where it ran out between the two, and somebody else has claimed it.
        let epoch = rows.first().and_then(|row| row.first()).and_then(Value::as_integer);
        Ok(epoch.map(|epoch| Self { owner: owner.to_owned(), epoch, length, until: begun + length }))
    }

    /// How much of it is left, in quarters of its length.
    pub(super) fn quarters_left(&self) -> u32 {
        let left = self.until.saturating_duration_since(Instant::now());
        (0..4).filter(|quarters| left > self.length / 4 * *quarters).count().try_into().unwrap_or(0)
    }

    /// Runs statements in one transaction with the check that the lease is still ours, which also renews it. False when
    /// it is not: then nothing was written.
    pub(super) async fn fenced(&mut self, tables: &Tables, then: Vec<Statement>) -> Result<bool, OutboxError> {
        let begun = Instant::now();
        let mut statements = vec![self.fence(tables)];
        statements.extend(then);
        match tables.run(statements).await? {
            Ran::Committed(_) => {
                self.until = begun + self.length;
                Ok(true)
            }
            Ran::Unexpected { .. } => Ok(false),
        }
    }

    /// Lets the next one claim it at once.
    pub(super) async fn give_up(self, tables: &Tables) -> Result<(), OutboxError> {
        let sql = "UPDATE atalaya_outbox_lease SET until_us = 0 WHERE name = 'relay' AND owner = $1 AND epoch = $2";
        tables.run(vec![Statement::new(sql, vec![Value::from(self.owner), Value::Integer(self.epoch)])]).await?;
        Ok(())
    }

    /// It also locks the row until the transaction's end, so that nobody claims it in between.
    fn fence(&self, tables: &Tables) -> Statement {
        let now = now_us(tables.dialect());
        let sql = format!(
            "UPDATE atalaya_outbox_lease SET until_us = {now} + $3
              WHERE name = 'relay' AND owner = $1 AND epoch = $2 AND until_us > {now}"
        );
        let values = vec![Value::from(self.owner.as_str()), Value::Integer(self.epoch), microseconds(self.length)];
        Statement::new(sql, values).touching(1)
    }
}

fn microseconds(length: Duration) -> Value {
    Value::Integer(i64::try_from(length.as_micros()).unwrap_or(i64::MAX / 4))
}
