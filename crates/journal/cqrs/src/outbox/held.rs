//! Messages that the broker refused for good, and what a person does about them.

use atalaya_eventstore::{Position, Ran, Row, Statement, Value};
use uuid::Uuid;

use super::{Outbox, OutboxError};

/// A message that is held, and its key with it. What it says is not in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its identity.
    pub id: Uuid,
    /// The type of the aggregate that it is about.
    pub aggregate_type: String,
    /// Which aggregate of that type.
    pub aggregate_id: String,
    /// The position of the event that it is of.
    pub position: Position,
    /// What the broker said.
    pub reason: String,
}

impl Outbox {
    /// The first messages that are held.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn held(&self, limit: u32) -> Result<Vec<Held>, OutboxError> {
        let sql = "SELECT CAST(id AS text), aggregatetype, aggregateid, position, held
                     FROM outbox WHERE held IS NOT NULL ORDER BY position, part LIMIT $1";
        let rows = self.tables.query(Statement::new(sql, vec![Value::Integer(i64::from(limit))])).await?;
        rows.iter().map(|row| from_row(row).ok_or(OutboxError::Unreadable)).collect()
    }

    /// Has a held message published again, and those behind it after it.
    ///
    /// # Errors
    /// When it is not held.
    pub async fn release(&self, id: Uuid) -> Result<(), OutboxError> {
        let sql = "UPDATE outbox SET held = NULL WHERE id = $1 AND held IS NOT NULL";
        self.run_on_held(id, vec![Statement::new(sql, vec![Value::from(id.to_string())]).touching(1)]).await
    }

    /// Drops a held message for a reason, which is written down with its identity; those behind it go on.
    ///
    /// # Errors
    /// When it is not held, or there is no reason.
    pub async fn drop_held(&self, id: Uuid, reason: &str) -> Result<(), OutboxError> {
        if reason.trim().is_empty() {
            return Err(OutboxError::NoReason);
        }
        let record = "INSERT INTO atalaya_outbox_dropped
                          (id, aggregatetype, aggregateid, type, position, part, held, reason)
                      SELECT id, aggregatetype, aggregateid, type, position, part, held, $2
                        FROM outbox WHERE id = $1 AND held IS NOT NULL";
        let delete = "DELETE FROM outbox WHERE id = $1 AND held IS NOT NULL";
        let id_value = Value::from(id.to_string());
        let statements = vec![
            Statement::new(record, vec![id_value.clone(), Value::from(reason)]).touching(1),
            Statement::new(delete, vec![id_value]).touching(1),
        ];
        self.run_on_held(id, statements).await
    }

    async fn run_on_held(&self, id: Uuid, statements: Vec<Statement>) -> Result<(), OutboxError> {
        match self.tables.run(statements).await? {
            Ran::Committed(_) => Ok(()),
            Ran::Unexpected { .. } => Err(OutboxError::NotHeld { id }),
        }
    }
}

fn from_row(row: &Row) -> Option<Held> {
    let text = |at: usize| row.get(at).and_then(Value::as_text);
    Some(Held {
        id: text(0)?.parse().ok()?,
        aggregate_type: text(1)?.to_owned(),
        aggregate_id: text(2)?.to_owned(),
        position: Position::new(u64::try_from(row.get(3).and_then(Value::as_integer)?).ok()?),
        reason: text(4)?.to_owned(),
    })
}
