//! Statements by the simple query protocol: all a walsender understands, and enough for settings and snapshots.

use atalaya_pgwire::BackendMessage;

use super::connection::WireConnection;
use super::error::WireError;

const DURING: &str = "a query";

/// What one statement returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimpleResult {
    /// Column names; empty for a statement without rows.
    pub columns: Vec<String>,
    /// Rows of text values; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// The row count of the statement's tag; 0 where it has none.
    pub affected: u64,
}

impl WireConnection {
    /// Runs one or more statements and collects what they return: for small results only.
    ///
    /// # Errors
    /// When a statement fails; several statements sent at once are then rolled back together.
    pub async fn simple_query(&mut self, sql: &str) -> Result<Vec<SimpleResult>, WireError> {
        self.start(sql).await?;
        let mut results = Vec::new();
        let mut current = SimpleResult::default();
        loop {
            match self.receive(DURING).await? {
                BackendMessage::RowDescription { columns } => current.columns = columns,
                BackendMessage::DataRow { values } => {
                    let text = |value: bytes::Bytes| String::from_utf8_lossy(&value).into_owned();
                    current.rows.push(values.into_iter().map(|value| value.map(text)).collect());
                }
                BackendMessage::CommandComplete { command } => {
                    current.affected = BackendMessage::rows_of_command(&command);
                    results.push(std::mem::take(&mut current));
                }
                BackendMessage::EmptyQuery => {}
                BackendMessage::ReadyForQuery(_) => return Ok(results),
                BackendMessage::Error(error) => return Err(self.after_error(error, DURING).await),
                // A copy cannot be carried on here, and the session cannot be used while it is open.
                _ => return Err(WireError::Unexpected { during: DURING }),
            }
        }
    }
}
