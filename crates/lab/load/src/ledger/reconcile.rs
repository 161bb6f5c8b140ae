//! Compares what clients were told with what a server holds, and the books with themselves.

use atalaya_postgres::Session;
use serde::Serialize;

use super::LedgerRecord;
use super::record::{first_id, parts, transfer_id};
use crate::Error;

/// Ids kept of each kind of difference.
const SAMPLES_MAX: usize = 20;

/// Some ids of each kind of difference, the smallest ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Samples {
    /// Told committed, and not there.
    pub missing: Vec<i64>,
    /// There more than once.
    pub duplicate: Vec<i64>,
    /// Failed, rolled back or never issued, and there.
    pub ghosts: Vec<i64>,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Ids that clients were told committed.
    pub committed: u64,
    /// Of these, not on the server: lost.
    pub missing: u64,
    /// Rows beyond the first of any id: applied twice.
    pub duplicate: u64,
    /// Ids on the server whose transaction failed or was rolled back, or that no client issued.
    pub ghosts: u64,
    /// Ids without an answer.
    pub unknown: u64,
    /// Of these, on the server; any number is right.
    pub unknown_present: u64,
    /// Transfers, of any run, that have not two entries of opposite amounts.
    pub transfers_unbalanced: u64,
    /// Entries, of any run, without their transfer.
    pub entries_orphaned: u64,
    /// Accounts whose balance is not the sum of what was booked on them.
    pub accounts_wrong: u64,
    /// Whether all balances together are what they were at the start.
    pub balance_sum_ok: bool,
    /// Some ids of what was found.
    pub samples: Samples,
}

impl Reconciliation {
    /// Whether the server holds exactly what the clients were told, and its books are right.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.missing == 0
            && self.duplicate == 0
            && self.ghosts == 0
            && self.transfers_unbalanced == 0
            && self.entries_orphaned == 0
            && self.accounts_wrong == 0
            && self.balance_sum_ok
    }
}

impl LedgerRecord {
    /// Compares with the ledger on any server its tables were moved to, in one snapshot of it.
    ///
    /// Reads each id of the run once and holds none: memory does not grow with the run.
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn reconcile(&self, session: &Session) -> Result<Reconciliation, Error> {
        session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let found = self.compare(session).await;
        // Reading has nothing to lose; a session that is gone says so in `found`.
        let ended = session.batch("ROLLBACK").await;
        let found = found?;
        ended?;
        Ok(found)
    }

    async fn compare(&self, session: &Session) -> Result<Reconciliation, Error> {
        let mut comparison = Comparison::new(self);
        let ids = format!(
            "SELECT id FROM ledger.transfer WHERE id >= {} AND id < {} ORDER BY id",
            first_id(self.run),
            first_id(self.run + 1)
        );
        session
            .query_each::<Error>(&ids, |row| {
                comparison.see(row.get(0));
                Ok(())
            })
            .await?;
        let mut found = comparison.finish();
        check_books(session, &mut found).await?;
        Ok(found)
    }
}

async fn check_books(session: &Session, found: &mut Reconciliation) -> Result<(), Error> {
    let count = async |sql: &str| -> Result<u64, Error> {
        let count: i64 = session.query_one(sql, &[]).await?.get(0);
        Ok(u64::try_from(count).unwrap_or_default())
    };
    found.transfers_unbalanced = count(
        "SELECT count(*) FROM (SELECT DISTINCT id, amount FROM ledger.transfer) t
         LEFT JOIN (SELECT transfer_id, count(*) AS sides, sum(amount) AS rest, max(amount) AS amount
             FROM ledger.entry GROUP BY transfer_id) e ON e.transfer_id = t.id
         WHERE e.sides IS DISTINCT FROM 2 OR e.rest <> 0 OR e.amount <> t.amount",
    )
    .await?;
    found.entries_orphaned = count(
        "SELECT count(*) FROM ledger.entry e
         WHERE NOT EXISTS (SELECT FROM ledger.transfer t WHERE t.id = e.transfer_id)",
    )
    .await?;
    found.accounts_wrong = count(
        "SELECT count(*) FROM ledger.account a
         LEFT JOIN (SELECT account_id, sum(amount) AS booked FROM ledger.entry GROUP BY account_id) e
             ON e.account_id = a.id
         WHERE a.balance <> a.opening + coalesce(e.booked, 0)",
    )
    .await?;
    let wrong = count(
        "SELECT count(*) FROM (SELECT sum(balance) AS balance, sum(opening) AS opening FROM ledger.account) s
         WHERE balance IS DISTINCT FROM opening",
    )
    .await?;
    found.balance_sum_ok = wrong == 0;
    Ok(())
}

/// Walks the ids of the server and those told committed side by side; both ascend.
struct Comparison<'a> {
    record: &'a LedgerRecord,
    expected: std::iter::Peekable<Box<dyn Iterator<Item = i64> + Send + 'a>>,
    last: Option<i64>,
    found: Reconciliation,
}

impl<'a> Comparison<'a> {
    fn new(record: &'a LedgerRecord) -> Self {
        let run = record.run;
        let expected: Box<dyn Iterator<Item = i64> + Send + 'a> =
            Box::new((0_u32..).zip(&record.clients).flat_map(move |(client, told)| {
                told.committed.iter().map(move |count| transfer_id(run, client, count))
            }));
        Self {
            record,
            expected: expected.peekable(),
            last: None,
            found: Reconciliation {
                committed: record.committed(),
                unknown: record.clients.iter().map(|client| client.unknown.count()).sum(),
                ..Reconciliation::default()
            },
        }
    }

    fn see(&mut self, id: i64) {
        if self.last == Some(id) {
            self.found.duplicate += 1;
            keep(&mut self.found.samples.duplicate, id);
            return;
        }
        self.last = Some(id);
        while let Some(missing) = self.expected.next_if(|expected| *expected < id) {
            self.miss(missing);
        }
        if self.expected.next_if_eq(&id).is_some() {
            return;
        }
        let (client, count) = parts(id);
        let told = usize::try_from(client).ok().and_then(|client| self.record.clients.get(client));
        if told.is_some_and(|told| told.unknown.contains(count)) {
            self.found.unknown_present += 1;
        } else {
            self.found.ghosts += 1;
            keep(&mut self.found.samples.ghosts, id);
        }
    }

    fn miss(&mut self, id: i64) {
        self.found.missing += 1;
        keep(&mut self.found.samples.missing, id);
    }

    fn finish(mut self) -> Reconciliation {
        while let Some(missing) = self.expected.next() {
            self.miss(missing);
        }
        self.found
    }
}

fn keep(samples: &mut Vec<i64>, id: i64) {
    if samples.len() < SAMPLES_MAX {
        samples.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClientRecord, LedgerCounts, Timeline};
    use super::*;
    use crate::ledger::outcome::Outcome;

    fn record() -> LedgerRecord {
        let mut client = ClientRecord::default();
        client.add(0, Outcome::Committed);
        client.add(1, Outcome::Failed);
        client.add(2, Outcome::Committed);
        client.add(3, Outcome::Unknown);
        let clients = vec![client.clone(), client];
        LedgerRecord { run: 5, clients, counts: LedgerCounts::default(), timeline: Timeline::default() }
    }

    fn compare(seen: &[(u32, u64)]) -> Reconciliation {
        let record = record();
        let mut comparison = Comparison::new(&record);
        for (client, count) in seen {
            comparison.see(transfer_id(5, *client, *count));
        }
        comparison.finish()
    }

    #[test]
    fn what_was_told_is_clean_with_and_without_the_unknown() {
        let with = compare(&[(0, 0), (0, 2), (0, 3), (1, 0), (1, 2)]);
        assert_eq!((with.missing, with.duplicate, with.ghosts), (0, 0, 0));
        assert_eq!((with.unknown, with.unknown_present), (2, 1));
    }

    #[test]
    fn each_difference_is_counted_and_named() {
        let found = compare(&[(0, 0), (0, 0), (0, 1), (0, 2), (0, 3), (0, 3), (1, 2), (1, 9), (7, 0)]);
        assert_eq!((found.missing, found.duplicate, found.ghosts), (1, 2, 3));
        assert_eq!(found.samples.missing, [transfer_id(5, 1, 0)]);
        assert_eq!(found.samples.duplicate, [transfer_id(5, 0, 0), transfer_id(5, 0, 3)]);
        assert_eq!(found.samples.ghosts, [transfer_id(5, 0, 1), transfer_id(5, 1, 9), transfer_id(5, 7, 0)]);
    }

    #[test]
    fn an_empty_server_misses_everything() {
        assert_eq!(compare(&[]).missing, 4);
    }
}
