//! The next messages, bounded by their number and their size, and the statements that settle them.

use std::collections::BTreeMap;

use atalaya_eventstore::{Statement, Tables, Value};
use uuid::Uuid;

use super::{Message, OutboxError};

/// Messages that one statement deletes: always as many parameters, so that the database knows the statement again.
const DELETED_AT_ONCE: usize = 50;
/// The longest reason that is kept.
const REASON_BYTES: usize = 500;

/// The first messages whose keys are not held, by key and in order; one of them may go beyond `bytes`.
pub(super) async fn read(tables: &Tables, rows: u32, bytes: u64) -> Result<Vec<Vec<Message>>, OutboxError> {
    // What a message was written with says where the first ones end, without a look at any payload. The database may give
    // more than it was given (`1e99` of a jsonb is a hundred digits), so it looks at those again before it sends them.
    let sql = "
        SELECT id, aggregatetype, aggregateid, type, payload, position, part
          FROM (SELECT given.*, octet_length(payload) AS length,
                       CAST(sum(octet_length(payload)) OVER (ORDER BY position, part) AS bigint) AS through
                  FROM (SELECT CAST(o.id AS text) AS id, o.aggregatetype, o.aggregateid, o.type,
                               CAST(o.payload AS text) AS payload, o.position, o.part
                          FROM (SELECT position, part, bytes,
                                       CAST(sum(bytes) OVER (ORDER BY position, part) AS bigint) AS total
                                  FROM (SELECT position, part, bytes FROM outbox AS w
                                         WHERE NOT EXISTS (SELECT 1 FROM outbox AS h WHERE h.held IS NOT NULL
                                                              AND h.aggregatetype = w.aggregatetype
                                                              AND h.aggregateid = w.aggregateid)
                                         ORDER BY position, part LIMIT $1) AS first) AS summed
                          JOIN outbox AS o ON o.position = summed.position AND o.part = summed.part
                         WHERE summed.total - summed.bytes < $2) AS given) AS measured
         WHERE through - length < $2
         ORDER BY position, part";
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // With bounds of nothing it would get nowhere.
    let values = vec![Value::Integer(i64::from(rows.max(1))), Value::Integer(bytes.max(1))];
    let mut keys: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut queues: Vec<Vec<Message>> = Vec::new();
    for row in tables.query(Statement::new(sql, values)).await? {
        let message = Message::from_row(&row).ok_or(OutboxError::Unreadable)?;
        let key = (message.aggregate_type().to_owned(), message.aggregate_id().to_owned());
        let queue = *keys.entry(key).or_insert(queues.len());
        match queues.get_mut(queue) {
            Some(queue) => queue.push(message),
            None => queues.push(vec![message]),
        }
    }
    Ok(queues)
}

/// The statements that delete what the broker has.
pub(super) fn deletions(acknowledged: &[Uuid]) -> Vec<Statement> {
    let places: Vec<String> = (1..=DELETED_AT_ONCE).map(|number| format!("${number}")).collect();
    let sql = format!("DELETE FROM outbox WHERE id IN ({})", places.join(", "));
    let statement = |ids: &[Uuid]| {
        // The last ones are filled up with one that is there already.
        let ids = ids.iter().chain(ids.iter().cycle()).take(DELETED_AT_ONCE);
        Statement::new(sql.clone(), ids.map(|id| Value::from(id.to_string())).collect())
    };
    acknowledged.chunks(DELETED_AT_ONCE).map(statement).collect()
}

/// The statement that holds a message which the broker refused for good.
pub(super) fn hold(id: Uuid, reason: &str) -> Statement {
    let mut reason = reason.to_owned();
    reason.truncate(reason.floor_char_boundary(REASON_BYTES));
    Statement::new("UPDATE outbox SET held = $2 WHERE id = $1", vec![Value::from(id.to_string()), Value::from(reason)])
}
