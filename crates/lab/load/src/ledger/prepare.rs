//! The ledger's tables.

use atalaya_postgres::Session;

use super::Ledger;
use crate::Error;

/// How large the ledger is at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSize {
    /// Accounts; few of them make clients wait for each other's row locks.
    pub accounts: u32,
}

impl Default for LedgerSize {
    fn default() -> Self {
        Self { accounts: 1_000 }
    }
}

/// What every account starts with, in cents; a reason for balances to sum to something.
pub(super) const OPENING_BALANCE: i64 = 1_000_000;

const TABLES: &str = "
CREATE SCHEMA ledger;
CREATE TABLE ledger.account (
    id int PRIMARY KEY,
    opening bigint NOT NULL,
    balance bigint NOT NULL,
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE ledger.transfer (
    id bigint PRIMARY KEY,
    kind text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    at timestamptz NOT NULL
);
CREATE TABLE ledger.entry (
    transfer_id bigint NOT NULL REFERENCES ledger.transfer,
    side smallint NOT NULL,
    account_id int NOT NULL REFERENCES ledger.account,
    amount bigint NOT NULL,
    PRIMARY KEY (transfer_id, side)
);
CREATE TABLE ledger.run (number int PRIMARY KEY, seed bigint NOT NULL, started_at timestamptz NOT NULL);
COMMENT ON COLUMN ledger.transfer.id IS 'made by the client: run, client and the client''s own count';
";

impl Ledger {
    /// Makes the ledger's tables in the schema `ledger` of the session's database, which must not have one.
    ///
    /// # Errors
    /// The server's, a lost connection, a schema `ledger` that is already there, fewer than two accounts.
    pub async fn prepare(session: &Session, size: LedgerSize) -> Result<(), Error> {
        if size.accounts < 2 {
            return Err(Error::Option { option: "accounts", must: "2 or more" });
        }
        session.batch(TABLES).await?;
        session
            .execute(
                "INSERT INTO ledger.account SELECT g, $2::bigint, $2, now() FROM generate_series(1, $1::bigint) g",
                &[&i64::from(size.accounts), &OPENING_BALANCE],
            )
            .await?;
        session.batch("ANALYZE ledger.account").await?;
        Ok(())
    }
}
