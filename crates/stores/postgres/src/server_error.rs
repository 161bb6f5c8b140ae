//! A server's error report, less everything that can hold a row's value.
//!
//! DETAIL and CONTEXT are never kept: "Key (email)=(...) already exists" and COPY's line hold row values.
//! Primary messages of the classes 22 (data) and 23 (integrity) quote values too, so for these only the
//! code's meaning and the names of table, column and constraint are kept.

use std::fmt;

/// What a server answered instead of doing what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// The five-character SQLSTATE.
    pub sqlstate: String,
    /// The primary message, or the code's meaning where the message could quote a value.
    pub message: String,
    /// The server's own hint.
    pub hint: Option<String>,
    /// `schema.table`, where the server names one.
    pub relation: Option<String>,
    /// The column's name, where the server names one.
    pub column: Option<String>,
    /// The constraint's name, where the server names one.
    pub constraint: Option<String>,
}

/// Fields of an error report as a driver read them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a> {
    /// SQLSTATE.
    pub sqlstate: &'a str,
    /// Primary message.
    pub message: &'a str,
    /// Hint.
    pub hint: Option<&'a str>,
    /// Schema name.
    pub schema: Option<&'a str>,
    /// Table name.
    pub table: Option<&'a str>,
    /// Column name.
    pub column: Option<&'a str>,
    /// Constraint name.
    pub constraint: Option<&'a str>,
}

impl ServerError {
    /// Keeps of a report what is safe to show.
    #[must_use]
    pub fn from_fields(fields: Fields<'_>) -> Self {
        let quotes_values = fields.sqlstate.starts_with("22") || fields.sqlstate.starts_with("23");
        let message = if quotes_values { meaning(fields.sqlstate).to_owned() } else { fields.message.to_owned() };
        Self {
            sqlstate: fields.sqlstate.to_owned(),
            message,
            hint: fields.hint.filter(|_| !quotes_values).map(str::to_owned),
            relation: fields.table.map(|table| match fields.schema {
                Some(schema) => format!("{schema}.{table}"),
                None => table.to_owned(),
            }),
            column: fields.column.map(str::to_owned),
            constraint: fields.constraint.map(str::to_owned),
        }
    }
}

impl From<&tokio_postgres::error::DbError> for ServerError {
    fn from(error: &tokio_postgres::error::DbError) -> Self {
        Self::from_fields(Fields {
            sqlstate: error.code().code(),
            message: error.message(),
            hint: error.hint(),
            schema: error.schema(),
            table: error.table(),
            column: error.column(),
            constraint: error.constraint(),
        })
    }
}

fn meaning(sqlstate: &str) -> &'static str {
    match sqlstate {
        "22001" => "a value is too long for its column",
        "22003" => "a number is out of range",
        "22007" | "22008" => "a date or time cannot be read or is out of range",
        "22021" => "a byte sequence is not valid in the database's encoding",
        "22P02" => "a value cannot be read as its column's type",
        "22P04" => "a copied row has the wrong form",
        "23502" => "a NULL in a column that refuses it",
        "23503" => "a row without the row that its foreign key names",
        "23505" => "a key that exists already",
        "23514" => "a row that a check constraint refuses",
        "23P01" => "a row that an exclusion constraint refuses",
        _ if sqlstate.starts_with("22") => "a value that the server refuses",
        _ => "a row that a constraint refuses",
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (SQLSTATE {})", self.message, self.sqlstate)?;
        for (word, name) in [("table", &self.relation), ("column", &self.column), ("constraint", &self.constraint)] {
            if let Some(name) = name {
                write!(formatter, ", {word} `{name}`")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ServerError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_data_and_integrity_errors_are_not_kept() {
        let error = ServerError::from_fields(Fields {
            sqlstate: "22P02",
            message: "invalid input syntax for type integer: \"hunter2\"",
            table: Some("orders"),
            schema: Some("public"),
            ..Fields::default()
        });
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(
            error.to_string(),
            "a value cannot be read as its column's type (SQLSTATE 22P02), table `public.orders`"
        );
    }

    #[test]
    fn other_messages_are_kept() {
        let error =
            ServerError::from_fields(Fields { sqlstate: "42P01", message: "no such table", ..Fields::default() });
        assert_eq!(error.to_string(), "no such table (SQLSTATE 42P01)");
    }
}
