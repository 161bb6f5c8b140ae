//! What the clients of a run were told, to be compared with what a server holds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::outcome::Outcome;
use super::{LedgerCounts, NumberRanges, Timeline};

const CLIENT_BITS: u32 = 10;
const COUNT_BITS: u32 = 34;
/// Clients that an id has room for.
pub(super) const CLIENTS_MAX: u32 = 1 << CLIENT_BITS;
/// Runs that an id has room for, as a positive `bigint`.
pub(super) const RUNS_MAX: u32 = 1 << (63 - CLIENT_BITS - COUNT_BITS);
/// SQLSTATEs that are counted apart; a server does not say more in practice.
const ERRORS_MAX: usize = 64;

/// What one client was told about each of its transactions, by its own count from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientRecord {
    /// Told committed.
    pub committed: NumberRanges,
    /// Refused by the server, or rolled back by their plan.
    pub failed: NumberRanges,
    /// Without an answer.
    pub unknown: NumberRanges,
    /// How often each SQLSTATE came, or `lost` for a broken connection.
    pub errors: BTreeMap<String, u64>,
}

impl ClientRecord {
    pub(super) fn add(&mut self, count: u64, outcome: Outcome) {
        let ranges = match outcome {
            Outcome::Committed => &mut self.committed,
            Outcome::Failed | Outcome::RolledBack => &mut self.failed,
            Outcome::Unknown => &mut self.unknown,
        };
        ranges.push(count);
    }

    pub(super) fn add_error(&mut self, error: &atalaya_postgres::Error) {
        let name = error.sqlstate().unwrap_or("lost");
        if self.errors.len() < ERRORS_MAX || self.errors.contains_key(name) {
            *self.errors.entry(name.to_owned()).or_default() += 1;
        }
    }
}

/// All that is known of a finished run.
///
/// Takes 16 bytes of memory for each unbroken range of outcomes, about 1 MB for an hour at 1,000 transactions a second, and
/// 3 MB an hour for the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerRecord {
    /// The run's number in `ledger.run`, the upper bits of its ids.
    pub run: u32,
    /// One record for each client, by its number.
    pub clients: Vec<ClientRecord>,
    /// The numbers at the end of the run.
    pub counts: LedgerCounts,
    /// When clients were told of their commits.
    pub timeline: Timeline,
}

impl LedgerRecord {
    /// Ids that were told committed.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.clients.iter().map(|client| client.committed.count()).sum()
    }

    /// How often each SQLSTATE came, of all clients; `lost` for broken connections.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for (name, count) in self.clients.iter().flat_map(|client| &client.errors) {
            *errors.entry(name.clone()).or_default() += count;
        }
        errors
    }
}

/// The id of a transfer: run, client and the client's own count.
pub(super) fn transfer_id(run: u32, client: u32, count: u64) -> i64 {
    let id = (u64::from(run) << (CLIENT_BITS + COUNT_BITS)) | (u64::from(client) << COUNT_BITS) | count;
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// The first id of a run.
pub(super) fn first_id(run: u32) -> i64 {
    transfer_id(run, 0, 0)
}

/// Client and count of an id.
pub(super) fn parts(id: i64) -> (u32, u64) {
    let id = u64::try_from(id).unwrap_or(0);
    let client = (id >> COUNT_BITS) & (u64::from(CLIENTS_MAX) - 1);
    (u32::try_from(client).unwrap_or(0), id & ((1 << COUNT_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_be_taken_apart() {
        let id = transfer_id(RUNS_MAX - 1, CLIENTS_MAX - 1, 77);
        assert!(id > 0);
        assert_eq!(parts(id), (CLIENTS_MAX - 1, 77));
        assert_eq!(first_id(2) - first_id(1), 1 << (CLIENT_BITS + COUNT_BITS));
    }
}
