//! What sqlx does with a server: named scenarios, one JSON line each.

#[path = "../report.rs"]
mod report;
mod session;

use futures_util::{StreamExt, TryStreamExt, future};
use report::{is_asking, scenario, schema, tell};
use serde_json::{Value, json};
use session::{Failure, attempt, connect, connect_with, options, rows};
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{Column, Connection, Executor, Row, TypeInfo};

type Told = Result<Value, Failure>;

#[tokio::main]
async fn main() {
    if is_asking() {
        return asking().await;
    }
    scenario("statements", 1, statements()).await;
    scenario("every type comes out", 1, types_out()).await;
    scenario("every type goes in and comes back", 1, types_back()).await;
    scenario("prepared statements", 1, prepared()).await;
    scenario("no statement is kept", 1, unprepared()).await;
    scenario("a changed result type", 1, changed_type()).await;
    scenario("describe", 1, describe()).await;
    scenario("transactions", 1, transactions()).await;
    scenario("streams", 1, streams()).await;
    scenario("copy", 1, copy()).await;
    scenario("settings", 1, settings()).await;
    scenario("errors", 1, errors()).await;
    scenario("a pool of connections", 1, pool()).await;
    scenario("notifications", 2, notifications()).await;
    scenario("refusals", 1, refusals()).await;
}

async fn asking() {
    let mut connection = connect().await.map_err(Value::from).expect("a connection");
    for _ in std::io::stdin().lines() {
        let word = sqlx::query_scalar("SELECT 'right'").fetch_one(&mut connection).await;
        tell(word.map_err(|error| Failure::from(error).into()));
    }
}

async fn statements() -> Told {
    let mut connection = connect().await?;
    let raw = sqlx::raw_sql("SELECT 1 AS one; INSERT INTO log (said) VALUES ('x'); SELECT 'end' AS word")
        .fetch_many(&mut connection)
        .map_ok(|item| item.map_left(|done| done.rows_affected()).map_right(|row| row.len()))
        .map_ok(|item| format!("{item:?}"))
        .try_collect::<Vec<_>>()
        .await?;
    let updated = sqlx::query("UPDATE items SET price = price WHERE id < $1").bind(11).execute(&mut connection).await?;
    let empty = sqlx::query("").execute(&mut connection).await?;
    connection.ping().await?;
    Ok(json!([
        raw,
        updated.rows_affected(),
        empty.rows_affected(),
        rows(&mut connection, "SELECT id, name FROM items WHERE id < 4 ORDER BY id").await?
    ]))
}

async fn types_out() -> Told {
    let mut connection = connect().await?;
    let mut told = Vec::new();
    told.push(attempt(rows(&mut connection, "SELECT * FROM kinds ORDER BY id")).await);
    let text = sqlx::raw_sql("SELECT * FROM kinds ORDER BY id").fetch_all(&mut connection).await?;
    told.push(json!(text.iter().map(session::row).collect::<Vec<_>>()));
    Ok(json!(told))
}

async fn types_back() -> Told {
    let mut connection = connect().await?;
    macro_rules! back {
        ($kind:literal, $value:expr, $type:ty) => {
            match sqlx::query(concat!("SELECT $1::", $kind, " AS value, $1::", $kind, "::text AS words"))
                .bind($value)
                .fetch_one(&mut connection)
                .await
            {
                Ok(row) => {
                    json!([format!("{:?}", row.try_get::<$type, _>(0).ok()), row.try_get::<Option<String>, _>(1).ok()])
                }
                Err(error) => Failure::from(error).into(),
            }
        };
    }
    let big = "0123456789abcdef".repeat(65536);
    let length: i32 = sqlx::query_scalar("SELECT length($1)").bind(&big).fetch_one(&mut connection).await?;
    Ok(json!([
        back!("bool", true, bool),
        back!("int8", i64::MIN, i64),
        back!("float8", 1.5, f64),
        back!("numeric", rust_decimal::Decimal::new(12300, 4), rust_decimal::Decimal),
        back!("text", "naïve ☃", String),
        back!("text", None::<String>, Option<String>),
        back!("bytea", vec![0_u8, 255], Vec<u8>),
        back!("uuid", uuid::Uuid::from_u128(5), uuid::Uuid),
        back!("jsonb", json!({"a": [1, null]}), Value),
        back!("timestamptz", time::macros::datetime!(2024-02-29 01:02:03.000004 UTC), time::OffsetDateTime),
        back!("int[]", vec![Some(1), None, Some(3)], Vec<Option<i32>>),
        back!("text[]", vec!["a", "b\"c"], Vec<String>),
        length,
    ]))
}

async fn prepared() -> Told {
    let mut connection = connect().await?;
    let mut told = Vec::new();
    for id in [1, 2, 3, 500] {
        let name: Option<String> =
            sqlx::query_scalar("SELECT name FROM items WHERE id = $1").bind(id).fetch_optional(&mut connection).await?;
        told.push(json!(name));
    }
    for turn in 0..3 {
        // More than the driver keeps, so that it closes some.
        for number in 0..130 {
            let sum: i32 =
                sqlx::query_scalar(&format!("SELECT $1::int + {number}")).bind(turn).fetch_one(&mut connection).await?;
            told.push(json!(sum));
        }
    }
    told.push(json!(connection.cached_statements_size()));
    connection.clear_cached_statements().await?;
    // The driver counts its statements, and has closed all of them.
    for name in ["sqlx_s_1", "sqlx_s_200"] {
        told.push(attempt(rows(&mut connection, &format!("EXECUTE {name} (1)"))).await);
    }
    Ok(json!(told))
}

async fn unprepared() -> Told {
    let mut connection = connect_with(|options| options.statement_cache_capacity(0)).await?;
    let mut told = Vec::new();
    for number in 0..40 {
        let sum: i32 =
            sqlx::query_scalar("SELECT $1::int * 2").bind(number).persistent(false).fetch_one(&mut connection).await?;
        told.push(sum);
    }
    Ok(json!(told))
}

async fn changed_type() -> Told {
    let mut connection = connect().await?;
    connection.execute("CREATE TABLE shape (id int)").await?;
    connection.execute("INSERT INTO shape VALUES (1)").await?;
    let mut told = vec![attempt(rows(&mut connection, "SELECT * FROM shape")).await];
    connection.execute("ALTER TABLE shape ADD words text DEFAULT 'new'").await?;
    told.push(attempt(rows(&mut connection, "SELECT * FROM shape")).await);
    told.push(attempt(rows(&mut connection, "SELECT * FROM shape")).await);
    connection.clear_cached_statements().await?;
    told.push(attempt(rows(&mut connection, "SELECT * FROM shape")).await);
    connection.execute("DROP TABLE shape").await?;
    Ok(json!(told))
}

async fn describe() -> Told {
    let mut connection = connect().await?;
    let described = connection.describe("SELECT id, name, price, $1::text AS words FROM items WHERE id = $2").await?;
    let columns: Vec<_> =
        described.columns().iter().map(|column| json!([column.name(), column.type_info().name()])).collect();
    let failed = match connection.describe("SELECT nothing_there").await {
        Ok(_) => json!("described"),
        Err(error) => Failure::from(error).into(),
    };
    Ok(json!([columns, format!("{:?}", described.nullable), failed]))
}

async fn transactions() -> Told {
    let mut connection = connect().await?;
    connection.execute("TRUNCATE log").await?;
    let mut told = Vec::new();
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await?;
    transaction.execute("INSERT INTO log (said) VALUES ('kept')").await?;
    {
        let mut inner = transaction.begin().await?;
        inner.execute("INSERT INTO log (said) VALUES ('undone')").await?;
        told.push(attempt(rows(&mut inner, "SELECT 1 / 0")).await);
        inner.rollback().await?;
    }
    transaction.commit().await?;
    {
        let mut dropped = connection.begin().await?;
        dropped.execute("INSERT INTO log (said) VALUES ('dropped')").await?;
    }
    let mut transaction = connection.begin().await?;
    transaction.execute("INSERT INTO parts VALUES (1, 999999)").await?;
    told.push(attempt(async { Ok(json!(transaction.commit().await?)) }).await);
    told.push(rows(&mut connection, "SELECT said FROM log ORDER BY id").await?);
    Ok(json!(told))
}

async fn streams() -> Told {
    let mut connection = connect().await?;
    let mut told = Vec::new();
    let sum = sqlx::query_scalar::<_, i32>("SELECT n FROM generate_series(1, $1) n")
        .bind(5000)
        .fetch(&mut connection)
        .try_fold(0_i64, |sum, number| future::ready(Ok(sum + i64::from(number))))
        .await?;
    told.push(json!(sum));
    {
        // Left in its middle: the rest is read before the next statement.
        let mut stream =
            sqlx::query_scalar::<_, i32>("SELECT n FROM generate_series(1, 20000) n").fetch(&mut connection);
        told.push(json!(stream.next().await.transpose()?));
    }
    told.push(attempt(rows(&mut connection, "SELECT 10 / (n - 500) FROM generate_series(1, 600) n")).await);
    told.push(rows(&mut connection, "SELECT 'usable' AS word").await?);
    Ok(json!(told))
}

async fn copy() -> Told {
    let mut connection = connect().await?;
    connection.execute("TRUNCATE filled").await?;
    let mut told = Vec::new();
    let text: String = (0..3000).map(|id| format!("{id}\twords {id}\t\\N\t{id}\n")).collect();
    let mut sink = connection.copy_in_raw("COPY filled FROM STDIN").await?;
    sink.send(text.as_bytes()).await?;
    told.push(json!(sink.finish().await?));
    let out: Vec<_> =
        connection.copy_out_raw("COPY (SELECT * FROM filled ORDER BY id) TO STDOUT").await?.try_collect().await?;
    told.push(json!([out.len(), out.concat() == text.as_bytes()]));
    let mut sink = connection.copy_in_raw("COPY filled FROM STDIN").await?;
    sink.send(&b"bad\n"[..]).await?;
    told.push(attempt(async { Ok(json!(sink.finish().await?)) }).await);
    let sink = connection.copy_in_raw("COPY filled FROM STDIN").await?;
    told.push(attempt(async { Ok(json!(sink.abort("changed my mind").await?)) }).await);
    told.push(rows(&mut connection, "SELECT count(*) FROM filled").await?);
    Ok(json!(told))
}

async fn settings() -> Told {
    let shown = "SELECT current_setting('work_mem'), current_setting('application_name'), current_setting('timezone')";
    let mut told = Vec::new();
    let mut connection =
        connect_with(|options| options.application_name("of its own").options([("work_mem", "5MB")])).await?;
    told.push(rows(&mut connection, shown).await?);
    connection.execute("SET work_mem = '6MB'").await?;
    let mut transaction = connection.begin().await?;
    transaction.execute("SET LOCAL work_mem = '7MB'").await?;
    told.push(rows(&mut transaction, shown).await?);
    transaction.commit().await?;
    told.push(rows(&mut connection, shown).await?);
    connection.close().await?;
    let mut connection = connect().await?;
    told.push(rows(&mut connection, shown).await?);
    Ok(json!(told))
}

async fn errors() -> Told {
    let mut connection = connect().await?;
    let mut told = Vec::new();
    for sql in [
        "SELECT nothing_there",
        "SELECT 1 / 0",
        "SELECT * FROM no_such_table",
        "SELEC",
        "SELECT fail('ZX123', 'of our own')",
        "INSERT INTO items VALUES (1, 'x', 1)",
        "INSERT INTO items VALUES (1001, 'x', -1)",
        "INSERT INTO items VALUES (1001, NULL, 1)",
    ] {
        told.push(attempt(rows(&mut connection, sql)).await);
        let raw = sqlx::raw_sql(sql).execute(&mut connection).await;
        told.push(attempt(async { Ok(json!(raw?.rows_affected())) }).await);
    }
    told.push(rows(&mut connection, "SELECT 'usable' AS word").await?);
    Ok(json!(told))
}

async fn pool() -> Told {
    let pool = PgPoolOptions::new()
        .max_connections(6)
        .acquire_timeout(std::time::Duration::from_secs(120))
        .connect_with(options())
        .await?;
    let answers = future::try_join_all((0..60).map(|number| {
        let pool = pool.clone();
        async move {
            let sql = format!("SELECT $1::bigint + count(*) FROM {}.items", schema());
            let mut transaction = pool.begin().await?;
            let sum: i64 = sqlx::query_scalar(&sql).bind(i64::from(number)).fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(sum)
        }
    }))
    .await?;
    pool.close().await;
    Ok(json!(answers))
}

async fn notifications() -> Told {
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    let channel = format!("{}_x", schema());
    listener.listen(&channel).await?;
    let mut told = Vec::new();
    for words in ["one", "two"] {
        sqlx::query("SELECT pg_notify($1, $2)").bind(&channel).bind(words).execute(&pool).await?;
        let heard = tokio::time::timeout(std::time::Duration::from_secs(60), listener.recv()).await;
        told.push(json!(heard.ok().transpose()?.map(|note| note.payload().to_owned())));
    }
    Ok(json!(told))
}

async fn refusals() -> Told {
    let refused = async |options| match sqlx::PgConnection::connect_with(&options).await {
        Ok(_) => "let in".to_owned(),
        Err(sqlx::Error::Database(error)) => error.code().unwrap_or_default().into_owned(),
        Err(error) => error.to_string(),
    };
    Ok(json!([
        refused(options().password("not the one")).await,
        refused(options().database("no_such_database")).await,
        refused(options().username("nobody_by_this_name")).await,
    ]))
}
