//! The table of messages, and how it stands.

use std::time::Duration;

use atalaya_eventstore::{Dialect, Row, Statement, Tables, Value};

use super::OutboxError;

/// How an outbox stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How many messages wait to be published, those behind a held one included.
    pub waiting: u64,
    /// How many the broker has refused for good.
    pub held: u64,
    /// How long the oldest of all has been there.
    pub oldest: Option<Duration>,
}

/// The outbox of a database. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    pub(super) tables: Tables,
}

impl Outbox {
    /// Makes the table `outbox` and what belongs to it where they are missing.
    ///
    /// # Errors
    /// When they cannot be made.
    pub async fn open(tables: Tables) -> Result<Self, OutboxError> {
        let mut statements = Vec::new();
        if tables.dialect() == Dialect::Postgres {
            // Two programs that start at once: CREATE ... IF NOT EXISTS alone would fail in one of them.
            statements
                .push("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('atalaya_outbox'))".to_owned());
        }
        statements.extend(definitions(tables.dialect()));
        tables.run(statements.into_iter().map(|sql| Statement::new(sql, Vec::new())).collect()).await?;
        Ok(Self { tables })
    }

    /// How it stands; counts the rows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self) -> Result<Status, OutboxError> {
        let now = now_us(self.tables.dialect());
        let sql = format!("SELECT count(*), count(held), {now} - min(written_at_us) FROM outbox");
        let rows = self.tables.query(Statement::new(sql, Vec::new())).await?;
        let row = rows.first().ok_or(OutboxError::Unreadable)?;
        let (all, held) = (count(row, 0)?, count(row, 1)?);
        // A clock that was set back makes nothing younger than new.
        let oldest = row.get(2).and_then(Value::as_integer).map(|age| u64::try_from(age).unwrap_or(0));
        Ok(Status { waiting: all.saturating_sub(held), held, oldest: oldest.map(Duration::from_micros) })
    }
}

fn count(row: &Row, at: usize) -> Result<u64, OutboxError> {
    let number = row.get(at).and_then(Value::as_integer);
    number.and_then(|number| u64::try_from(number).ok()).ok_or(OutboxError::Unreadable)
}

/// The database's clock in microseconds since 1970.
pub(super) fn now_us(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS bigint)",
        Dialect::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
    }
}

/// Debezium's columns come first, in its types; SQLite would make numbers of what it takes for numbers, so there the
/// identity and the payload are text.
fn definitions(dialect: Dialect) -> [String; 5] {
    let (id, payload, storage) = match dialect {
        Dialect::Sqlite => ("text", "text", ""),
        // A table that is written and emptied all the time: what is dead in it has to go by number, not by share.
        Dialect::Postgres => {
            ("uuid", "jsonb", "WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)")
        }
    };
    let now = now_us(dialect);
    [
        format!(
            "CREATE TABLE IF NOT EXISTS outbox (
                id {id} NOT NULL PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL,
                type varchar(255) NOT NULL, payload {payload} NOT NULL,
                position bigint NOT NULL, part bigint NOT NULL, bytes bigint NOT NULL, held text,
                written_at_us bigint NOT NULL DEFAULT ({now}), UNIQUE (position, part)) {storage}"
        ),
        "CREATE INDEX IF NOT EXISTS outbox_held ON outbox (aggregatetype, aggregateid) WHERE held IS NOT NULL".to_owned(),
        format!(
            "CREATE TABLE IF NOT EXISTS atalaya_outbox_dropped (
                id {id} NOT NULL PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL,
                type varchar(255) NOT NULL, position bigint NOT NULL, part bigint NOT NULL,
                held text NOT NULL, reason text NOT NULL, dropped_at_us bigint NOT NULL DEFAULT ({now}))"
        ),
        "CREATE TABLE IF NOT EXISTS atalaya_outbox_lease (
            name text NOT NULL PRIMARY KEY, owner text NOT NULL, epoch bigint NOT NULL, until_us bigint NOT NULL)"
            .to_owned(),
        "INSERT INTO atalaya_outbox_lease (name, owner, epoch, until_us) VALUES ('relay', '', 0, 0) ON CONFLICT DO NOTHING"
            .to_owned(),
    ]
}
