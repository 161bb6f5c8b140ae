//! Connections, and answers as JSON.

use std::future::Future;

use serde_json::{Value, json};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};

use crate::report::{schema, variable};

/// An error, told with every field that a client can see.
pub(crate) struct Failure(Value);

impl From<Failure> for Value {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Some(server) = error.as_db_error() else {
            return Self(
                json!({"error": error.to_string(), "source": std::error::Error::source(&error).map(ToString::to_string)}),
            );
        };
        Self(json!({
            "severity": server.severity(), "sqlstate": server.code().code(), "message": server.message(),
            "detail": server.detail(), "hint": server.hint(), "position": server.position().map(|at| format!("{at:?}")),
            "where": server.where_(), "schema": server.schema(), "table": server.table(), "column": server.column(),
            "type": server.datatype(), "constraint": server.constraint(), "routine": server.routine(),
        }))
    }
}

/// The address in the environment, changed as a scenario wants it.
pub(crate) fn config(change: impl FnOnce(&mut Config) -> &mut Config) -> Config {
    let mut config = Config::new();
    config
        .host(variable("PGHOST"))
        .port(variable("PGPORT").parse().expect("a port"))
        .user(variable("PGUSER"))
        .password(variable("PGPASSWORD"))
        .dbname(variable("PGDATABASE"))
        .connect_timeout(std::time::Duration::from_secs(60));
    change(&mut config);
    config
}

/// A connection in the program's own schema.
pub(crate) async fn connect() -> Result<Client, Failure> {
    connect_with(|config| config).await
}

/// The same with options.
pub(crate) async fn connect_with(change: impl FnOnce(&mut Config) -> &mut Config) -> Result<Client, Failure> {
    let (client, connection) = config(change).connect(NoTls).await?;
    tokio::spawn(async move {
        // A scenario sees what became of the connection at its next statement.
        let _ended = connection.await;
    });
    client.batch_execute(&format!("SET search_path = {}", schema())).await?;
    Ok(client)
}

/// What an action gives, be it a value or an error.
pub(crate) async fn attempt(action: impl Future<Output = Result<Value, Failure>>) -> Value {
    action.await.unwrap_or_else(Into::into)
}

/// A value's bytes as the server sent them.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// All rows of a statement, every value in binary as it came.
pub(crate) async fn rows(client: &Client, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Value, Failure> {
    let rows = client.query(sql, parameters).await?;
    let told: Vec<Value> = rows
        .iter()
        .map(|row| {
            let values: Vec<Value> = (0..row.len())
                .map(|column| {
                    let value: Option<Raw> = row.get(column);
                    let hex = value.map(|raw| raw.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
                    json!([row.columns()[column].name(), row.columns()[column].type_().name(), hex])
                })
                .collect();
            json!(values)
        })
        .collect();
    Ok(json!(told))
}

/// All that a string of statements answers.
pub(crate) async fn simple(client: &Client, sql: &str) -> Result<Value, Failure> {
    let told: Vec<Value> = client
        .simple_query(sql)
        .await?
        .iter()
        .map(|message| match message {
            SimpleQueryMessage::Row(row) => json!((0..row.len()).map(|column| row.get(column)).collect::<Vec<_>>()),
            SimpleQueryMessage::CommandComplete(count) => json!(count),
            SimpleQueryMessage::RowDescription(columns) => {
                json!(columns.iter().map(|one| one.name()).collect::<Vec<_>>())
            }
            _ => json!("something else"),
        })
        .collect();
    Ok(json!(told))
}
