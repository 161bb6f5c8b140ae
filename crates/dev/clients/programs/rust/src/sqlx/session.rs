//! Connections, and answers as JSON.

use std::future::Future;

use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgRow, PgSslMode, PgValueFormat};
use sqlx::{Column, ConnectOptions, Executor, PgConnection, Row, TypeInfo, ValueRef};

use crate::report::{schema, variable};

/// An error, told with every field that a client can see.
pub(crate) struct Failure(Value);

impl From<Failure> for Value {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return Self(json!({"error": error.to_string()}));
        };
        let server = database.downcast_ref::<PgDatabaseError>();
        Self(json!({
            "severity": format!("{:?}", server.severity()), "sqlstate": server.code(), "message": server.message(),
            "detail": server.detail(), "hint": server.hint(), "position": server.position().map(|at| format!("{at:?}")),
            "where": server.r#where(), "schema": server.schema(), "table": server.table(), "column": server.column(),
            "type": server.data_type(), "constraint": server.constraint(), "routine": server.routine(),
        }))
    }
}

/// The address in the environment.
pub(crate) fn options() -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&variable("PGHOST"))
        .port(variable("PGPORT").parse().expect("a port"))
        .username(&variable("PGUSER"))
        .password(&variable("PGPASSWORD"))
        .database(&variable("PGDATABASE"))
        .ssl_mode(PgSslMode::Disable)
        .disable_statement_logging()
}

/// A connection in the program's own schema.
pub(crate) async fn connect() -> Result<PgConnection, Failure> {
    connect_with(|options| options).await
}

/// The same with options.
pub(crate) async fn connect_with(
    change: impl FnOnce(PgConnectOptions) -> PgConnectOptions,
) -> Result<PgConnection, Failure> {
    let mut connection = change(options()).connect().await?;
    connection.execute(format!("SET search_path = {}", schema()).as_str()).await?;
    Ok(connection)
}

/// What an action gives, be it a value or an error.
pub(crate) async fn attempt(action: impl Future<Output = Result<Value, Failure>>) -> Value {
    action.await.unwrap_or_else(Into::into)
}

/// All rows of a statement.
pub(crate) async fn rows(connection: &mut PgConnection, sql: &str) -> Result<Value, Failure> {
    let rows = sqlx::query(sql).fetch_all(connection).await?;
    Ok(json!(rows.iter().map(row).collect::<Vec<_>>()))
}

/// One row: every value as it came, with its format.
pub(crate) fn row(row: &PgRow) -> Value {
    let values: Vec<Value> = row
        .columns()
        .iter()
        .map(|column| {
            let told = match row.try_get_raw(column.ordinal()) {
                Ok(value) if value.is_null() => Value::Null,
                Ok(value) => {
                    let format = if value.format() == PgValueFormat::Binary { "binary" } else { "text" };
                    let bytes = value.as_bytes().unwrap_or_default();
                    json!([format, bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()])
                }
                Err(error) => json!(error.to_string()),
            };
            json!([column.name(), column.type_info().name(), told])
        })
        .collect();
    json!(values)
}
