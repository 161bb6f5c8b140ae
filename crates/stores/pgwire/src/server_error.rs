//! Errors and notices of a server, without what may hold row values.
//!
//! `detail`, `where` (for COPY it holds the row's text), the internal query and the statement are dropped while
//! decoding, so nothing later can print them. Some primary messages quote values too (`invalid input syntax for
//! type integer: "..."`, whatever a trigger raises): for the classes of SQLSTATE where that happens only the
//! code, a fixed text and the names of table, column, type and constraint are kept.

use std::fmt;

use bytes::Bytes;

use crate::CodecError;
use crate::reader::Reader;

/// What a server said in an `ErrorResponse` or `NoticeResponse`; safe to log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// `ERROR`, `FATAL`, `PANIC`, `WARNING`, ...; in English where the server says it so.
    pub severity: String,
    /// The five characters of the SQLSTATE.
    pub sqlstate: String,
    /// The primary message, or a fixed text where that may quote values.
    pub message: String,
    /// The server's hint.
    pub hint: Option<String>,
    /// The schema concerned.
    pub schema: Option<String>,
    /// The table concerned.
    pub table: Option<String>,
    /// The column concerned.
    pub column: Option<String>,
    /// The data type concerned.
    pub data_type: Option<String>,
    /// The constraint concerned.
    pub constraint: Option<String>,
}

impl ServerError {
    /// Reads the fields of an `ErrorResponse` or `NoticeResponse`.
    ///
    /// # Errors
    /// When the body is not a list of fields that ends with a zero byte.
    pub fn decode(body: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new("error", body);
        let mut error = Self::default();
        loop {
            let kind = reader.u8("field type")?;
            if kind == 0 {
                break;
            }
            let value = reader.lossy_text("field")?;
            match kind {
                b'V' => error.severity = value,
                b'S' if error.severity.is_empty() => error.severity = value,
                b'C' => error.sqlstate = value,
                b'M' => error.message = value,
                b'H' => error.hint = Some(value),
                b's' => error.schema = Some(value),
                b't' => error.table = Some(value),
                b'c' => error.column = Some(value),
                b'd' => error.data_type = Some(value),
                b'n' => error.constraint = Some(value),
                _ => {}
            }
        }
        Ok(error.without_values())
    }

    /// Puts a fixed text in the place of a message that may quote values; for what another driver read.
    #[must_use]
    pub fn without_values(mut self) -> Self {
        if let Some(text) = text_without_values(&self.sqlstate) {
            text.clone_into(&mut self.message);
            self.hint = None;
        }
        self
    }
}

/// The text that stands for a message which may quote values.
fn text_without_values(sqlstate: &str) -> Option<&'static str> {
    let class = sqlstate.get(..2).unwrap_or_default();
    match (sqlstate, class) {
        ("22P02", _) => Some("a value is no valid text of its type"),
        ("22P03", _) => Some("a value is no valid binary form of its type"),
        ("22P04", _) => Some("the copy data is not in the expected format"),
        ("22021", _) => Some("a text is not valid in the server's encoding"),
        ("22003", _) => Some("a number is out of its type's range"),
        ("22007" | "22008", _) => Some("a date or time is not valid or out of range"),
        ("22001", _) => Some("a text is too long for its column"),
        ("23502", _) => Some("a null value violates a not-null constraint"),
        ("23503", _) => Some("a row violates a foreign key constraint"),
        ("23505", _) => Some("a row violates a unique constraint"),
        ("23514", _) => Some("a row violates a check constraint"),
        ("23P01", _) => Some("a row violates an exclusion constraint"),
        (_, "22") => Some("a value is not valid"),
        (_, "23") => Some("a row violates a constraint"),
        (_, "P0" | "38" | "39") => Some("a function or trigger raised an error"),
        _ => None,
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (SQLSTATE {}", self.message, self.sqlstate)?;
        if let Some(table) = &self.table {
            let schema = self.schema.as_deref().map(|schema| format!("{schema}.")).unwrap_or_default();
            write!(formatter, ", table `{schema}{table}`")?;
        }
        for (word, name) in [("column", &self.column), ("type", &self.data_type), ("constraint", &self.constraint)] {
            if let Some(name) = name {
                write!(formatter, ", {word} `{name}`")?;
            }
        }
        formatter.write_str(")")
    }
}

impl std::error::Error for ServerError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(fields: &[(u8, &str)]) -> Bytes {
        let mut body = Vec::new();
        for (kind, value) in fields {
            body.push(*kind);
            body.extend_from_slice(value.as_bytes());
            body.push(0);
        }
        body.push(0);
        body.into()
    }

    #[test]
    fn row_values_are_dropped_while_decoding() {
        let fields = [
            (b'S', "FEHLER"),
            (b'V', "ERROR"),
            (b'C', "23505"),
            (b'M', "duplicate key value violates unique constraint \"k\""),
            (b'D', "Key (id)=(hunter2) already exists."),
            (b'W', "COPY t, line 1: \"hunter2\""),
            (b'q', "select 'hunter2'"),
            (b's', "public"),
            (b't', "t"),
            (b'n', "k"),
        ];
        let error = ServerError::decode(body(&fields)).unwrap();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert_eq!(error.severity, "ERROR");
        assert_eq!(
            error.to_string(),
            "a row violates a unique constraint (SQLSTATE 23505, table `public.t`, constraint `k`)"
        );
    }

    #[test]
    fn messages_that_quote_values_are_replaced() {
        for sqlstate in ["22P02", "22003", "22999", "P0001", "38000"] {
            let error =
                ServerError::decode(body(&[(b'C', sqlstate), (b'M', "no \"hunter2\""), (b'H', "hunter2")])).unwrap();
            assert!(!format!("{error:?} {error}").contains("hunter2"), "{sqlstate}");
        }
        let error = ServerError::decode(body(&[(b'C', "42P01"), (b'M', "relation \"t\" does not exist")])).unwrap();
        assert_eq!(error.to_string(), "relation \"t\" does not exist (SQLSTATE 42P01)");
    }
}
