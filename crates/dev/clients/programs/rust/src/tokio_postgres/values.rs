//! Values in binary, the only format that this driver uses in the extended protocol.

use serde_json::{Value, json};
use time::macros::datetime;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use uuid::Uuid;

use crate::session::{Failure, attempt, connect, rows};

/// Every column of the table of kinds, as bytes.
pub(crate) async fn out() -> Result<Value, Failure> {
    let client = connect().await?;
    let mut told = vec![attempt(rows(&client, "SELECT * FROM kinds ORDER BY id", &[])).await];
    told.push(
        attempt(rows(&client, "SELECT k, ARRAY[feeling, feeling], ROW(1, words) FROM kinds k ORDER BY id", &[])).await,
    );
    Ok(json!(told))
}

/// Values there and back.
pub(crate) async fn back() -> Result<Value, Failure> {
    let client = connect().await?;
    let client = &client;
    Ok(json!([
        one(client, "bool", true).await,
        one(client, "int2", -3_i16).await,
        one(client, "int4", 4_i32).await,
        one(client, "int8", i64::MAX).await,
        one(client, "float4", 1.5_f32).await,
        one(client, "float8", f64::INFINITY).await,
        one(client, "text", "naïve ☃".to_owned()).await,
        one(client, "text", String::new()).await,
        one(client, "text", None::<String>).await,
        one(client, "bytea", vec![0_u8, 255]).await,
        one(client, "uuid", Uuid::from_u128(5)).await,
        one(client, "jsonb", json!({"a": [1, null]})).await,
        one(client, "timestamptz", datetime!(2024-02-29 01:02:03.000004 UTC)).await,
        one(client, "int[]", vec![Some(1_i32), None, Some(3)]).await,
        one(client, "text[]", vec!["a".to_owned(), "b\"c".to_owned()]).await,
        one(client, "int4", "of another type".to_owned()).await,
    ]))
}

async fn one<T>(client: &tokio_postgres::Client, kind: &str, value: T) -> Value
where
    T: ToSql + FromSqlOwned + Sync + PartialEq,
{
    attempt(async {
        let sql = format!("SELECT $1::{kind}, $1::{kind}::text");
        let row = client.query_one(&sql, &[&value]).await?;
        Ok(json!([row.get::<_, T>(0) == value, row.get::<_, Option<String>>(1)]))
    })
    .await
}

/// More than fits into any buffer on the way.
pub(crate) async fn large() -> Result<Value, Failure> {
    let client = connect().await?;
    let big = "0123456789abcdef".repeat(65536);
    let row = client.query_one("SELECT $1::text, length($1::text)", &[&big]).await?;
    let long = client.query_one("SELECT repeat('x', 9000000)", &[]).await?;
    let many = client.query("SELECT repeat('z', 100) FROM generate_series(1, 20000)", &[]).await?;
    Ok(json!([row.get::<_, &str>(0) == big, row.get::<_, i32>(1), long.get::<_, &str>(0).len(), many.len()]))
}
