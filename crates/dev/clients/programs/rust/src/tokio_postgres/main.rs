//! What tokio-postgres does with a server: named scenarios, one JSON line each.

#[path = "../report.rs"]
mod report;
mod session;
mod values;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use report::{is_asking, scenario, schema, tell, variable};
use serde_json::{Value, json};
use session::{Failure, attempt, connect, connect_with, rows, simple};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Config, IsolationLevel, NoTls};

type Told = Result<Value, Failure>;

#[tokio::main]
async fn main() {
    if is_asking() {
        return asking().await;
    }
    scenario("simple queries", 1, simple_queries()).await;
    scenario("every type comes out", 1, values::out()).await;
    scenario("every type goes in and comes back", 1, values::back()).await;
    scenario("large values", 1, values::large()).await;
    scenario("prepared statements", 1, prepared()).await;
    scenario("a changed result type", 1, changed_type()).await;
    scenario("pipelines", 1, pipelines()).await;
    scenario("an error in mid pipeline", 1, pipeline_with_error()).await;
    scenario("transactions", 1, transactions()).await;
    scenario("portals", 1, portals()).await;
    scenario("copy", 1, copy()).await;
    scenario("copy that is left", 1, copy_that_is_left()).await;
    scenario("settings", 1, settings()).await;
    scenario("errors", 1, errors()).await;
    scenario("cancellation", 1, cancellation()).await;
    scenario("notifications", 2, notifications()).await;
    scenario("refusals", 1, refusals()).await;
}

async fn asking() {
    let client = connect().await.map_err(Value::from).expect("a connection");
    for _ in std::io::stdin().lines() {
        let row = client.query_one("SELECT 'right'", &[]).await;
        tell(row.map(|row| row.get(0)).map_err(|error| Failure::from(error).into()));
    }
}

async fn simple_queries() -> Told {
    let client = connect().await?;
    Ok(json!([
        simple(&client, "SELECT 1 AS one, 'two' AS two, NULL AS nothing").await?,
        simple(&client, "SELECT 1; INSERT INTO log (said) VALUES ('x'); ; SELECT 'end'").await?,
        simple(&client, "").await?,
        attempt(simple(&client, "SELECT 1; SELECT 1 / 0; SELECT 2")).await,
        client.execute("UPDATE items SET price = price WHERE id < 11", &[]).await?,
        attempt(rows(&client, "SELECT say('x')", &[])).await,
    ]))
}

async fn prepared() -> Told {
    let mut client = connect().await?;
    let mut told = Vec::new();
    let find = client.prepare("SELECT name FROM items WHERE id = $1").await?;
    told.push(json!([format!("{:?}", find.params()), find.columns().len()]));
    for id in [1, 2, 3] {
        told.push(json!(client.query_one(&find, &[&id]).await?.get::<_, String>(0)));
    }
    let transaction = client.transaction().await?;
    told.push(json!(transaction.query_one(&find, &[&9]).await?.get::<_, String>(0)));
    transaction.commit().await?;
    for turn in 0..3_i32 {
        let mut kept = Vec::new();
        for number in 0..100 {
            let statement = client.prepare(&format!("SELECT $1::int + {number}")).await?;
            told.push(json!(client.query_one(&statement, &[&turn]).await?.get::<_, i32>(0)));
            kept.push(statement);
        }
    }
    // What was dropped is closed on the way, by names that the driver counts for the whole process.
    told.push(attempt(async { Ok(json!(client.prepare("SELECT nothing_there").await?.columns().len())) }).await);
    Ok(json!(told))
}

async fn changed_type() -> Told {
    let client = connect().await?;
    client.batch_execute("CREATE TABLE shape (id int); INSERT INTO shape VALUES (1)").await?;
    let statement = client.prepare("SELECT * FROM shape").await?;
    let mut told = vec![json!(client.query(&statement, &[]).await?.len())];
    client.batch_execute("ALTER TABLE shape ADD words text").await?;
    told.push(attempt(async { Ok(json!(client.query(&statement, &[]).await?.len())) }).await);
    told.push(attempt(async { Ok(json!(client.query(&statement, &[]).await?.len())) }).await);
    let again = client.prepare("SELECT * FROM shape").await?;
    told.push(json!(client.query_one(&again, &[]).await?.columns().len()));
    client.batch_execute("DROP TABLE shape").await?;
    Ok(json!(told))
}

async fn pipelines() -> Told {
    let client = connect().await?;
    let statement = client.prepare("SELECT $1::int * 2").await?;
    // Polled together, their messages go out before the first answer came.
    let client = &client;
    let statement = &statement;
    let doubled =
        future::try_join_all((0..300_i32).map(|number| async move {
            client.query_one(statement, &[&number]).await.map(|row| row.get::<_, i32>(0))
        }))
        .await?;
    let mixed = future::join_all((0..40_i32).map(|number| async move {
        attempt(rows(client, &format!("SELECT 100 / ($1::int - {number})"), &[&20_i32])).await
    }))
    .await;
    Ok(json!([doubled, mixed]))
}

async fn pipeline_with_error() -> Told {
    let client = connect().await?;
    client.batch_execute("TRUNCATE log").await?;
    let insert = client.prepare("INSERT INTO log (said) VALUES ($1)").await?;
    let (one, failed, three) = future::join3(
        client.execute(&insert, &[&"one"]),
        client.batch_execute("SELECT 1 / 0"),
        client.execute(&insert, &[&"three"]),
    )
    .await;
    let told = [
        attempt(async { Ok(json!(one?)) }).await,
        attempt(async { Ok(json!(failed?)) }).await,
        attempt(async { Ok(json!(three?)) }).await,
    ];
    Ok(json!([told, simple(&client, "SELECT said FROM log ORDER BY id").await?]))
}

async fn transactions() -> Told {
    let mut client = connect().await?;
    client.batch_execute("TRUNCATE log").await?;
    let mut told = Vec::new();
    let mut transaction = client.build_transaction().isolation_level(IsolationLevel::Serializable).start().await?;
    transaction.execute("INSERT INTO log (said) VALUES ('kept')", &[]).await?;
    let savepoint = transaction.savepoint("a").await?;
    savepoint.execute("INSERT INTO log (said) VALUES ('undone')", &[]).await?;
    told.push(attempt(async { Ok(json!(savepoint.execute("SELECT 1 / 0", &[]).await?)) }).await);
    savepoint.rollback().await?;
    transaction.commit().await?;
    let dropped = client.transaction().await?;
    dropped.execute("INSERT INTO log (said) VALUES ('dropped')", &[]).await?;
    drop(dropped);
    let transaction = client.transaction().await?;
    transaction.execute("INSERT INTO parts VALUES (1, 999999)", &[]).await?;
    told.push(attempt(async { Ok(json!(transaction.commit().await?)) }).await);
    told.push(simple(&client, "SELECT said FROM log ORDER BY id").await?);
    Ok(json!(told))
}

async fn portals() -> Told {
    let mut client = connect().await?;
    let mut told = Vec::new();
    let transaction = client.transaction().await?;
    let first = transaction.bind("SELECT n FROM generate_series(1, $1::int) n", &[&10_i32]).await?;
    let second = transaction.bind("SELECT n FROM generate_series(101, 103) n", &[]).await?;
    for _ in 0..3 {
        for portal in [&first, &second] {
            let part = transaction.query_portal(portal, 4).await?;
            told.push(json!(part.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>()));
        }
    }
    transaction.commit().await?;
    let sum: i64 = client
        .query_raw("SELECT n FROM generate_series(1, 5000) n", Vec::<i32>::new())
        .await?
        .try_fold(0_i64, |sum, row| future::ready(Ok(sum + i64::from(row.get::<_, i32>(0)))))
        .await?;
    told.push(json!(sum));
    Ok(json!(told))
}

async fn copy() -> Told {
    let client = connect().await?;
    client.batch_execute("TRUNCATE filled").await?;
    let blocks = (0..500).map(|id| format!("{id}\twords {id}\t\\N\t{id}\n").into_bytes()).collect();
    let mut told = vec![copied(&client, "COPY filled FROM STDIN", blocks).await?];
    let out: Vec<bytes::Bytes> = client
        .copy_out("COPY (SELECT * FROM filled ORDER BY id) TO STDOUT (FORMAT binary)")
        .await?
        .try_collect()
        .await?;
    told.push(json!([out.len(), out.iter().map(bytes::Bytes::len).sum::<usize>()]));
    let binary = out.iter().map(|block| block.to_vec()).collect();
    told.push(copied(&client, "COPY filled FROM STDIN (FORMAT binary)", binary).await?);
    told.push(simple(&client, "SELECT count(*) FROM filled").await?);
    told.push(attempt(copied(&client, "COPY filled FROM STDIN", vec![b"bad\n".to_vec()])).await);
    // A refused COPY leaves the driver out of step with the server, so nothing follows it.
    told.push(attempt(copied(&client, "COPY no_such_table FROM STDIN", Vec::new())).await);
    Ok(json!(told))
}

/// What the driver does with its connection after these differs with when the server's answer comes, so each has a
/// connection of its own.
async fn copy_that_is_left() -> Told {
    {
        let client = connect().await?;
        let late = std::iter::once(b"bad\n".to_vec()).chain((0..200).map(|_| b"1\tx\t\\N\t1\n".repeat(1000)));
        let _failed = attempt(copied(&client, "COPY filled FROM STDIN", late.collect())).await;
    }
    {
        // A sink that is dropped before its end fails the COPY.
        let client = connect().await?;
        let sink = client.copy_in::<_, bytes::Bytes>("COPY filled FROM STDIN").await?;
        tokio::pin!(sink);
        sink.send(bytes::Bytes::from_static(b"1\tx\t\\N\t1\n")).await?;
    }
    let client = connect().await?;
    Ok(simple(&client, "SELECT count(*) FROM filled WHERE id = 1").await?)
}

async fn copied(client: &tokio_postgres::Client, query: &str, blocks: Vec<Vec<u8>>) -> Told {
    let sink = client.copy_in::<_, bytes::Bytes>(query).await?;
    tokio::pin!(sink);
    for block in blocks {
        sink.send(block.into()).await?;
    }
    Ok(json!(sink.finish().await?))
}

async fn settings() -> Told {
    let shown = "SELECT current_setting('work_mem'), current_setting('application_name'), current_setting('timezone')";
    let mut told = Vec::new();
    {
        let mut client =
            connect_with(|config| config.application_name("of its own").options("-c work_mem=5MB")).await?;
        told.push(simple(&client, shown).await?);
        client.batch_execute("SET work_mem = '6MB'; SET timezone = 'Asia/Tokyo'").await?;
        told.push(simple(&client, shown).await?);
        let transaction = client.transaction().await?;
        transaction.batch_execute("SET work_mem = '7MB'").await?;
        transaction.rollback().await?;
        told.push(simple(&client, shown).await?);
    }
    let client = connect().await?;
    told.push(simple(&client, shown).await?);
    Ok(json!(told))
}

async fn errors() -> Told {
    let client = connect().await?;
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
        "SELECT 1 / (n - 5000) FROM generate_series(1, 6000) n",
    ] {
        told.push(attempt(rows(&client, sql, &[])).await);
        told.push(attempt(simple(&client, sql)).await);
    }
    told.push(simple(&client, "SELECT 'usable'").await?);
    Ok(json!(told))
}

async fn cancellation() -> Told {
    let client = connect().await?;
    let token = client.cancel_token();
    let mut told = Vec::new();
    for _ in 0..3 {
        let sleeping = attempt(rows(&client, "SELECT pg_sleep(600)", &[]));
        let cancelling = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if token.cancel_query(NoTls).await.is_err() {
                    future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            ended = sleeping => told.push(ended),
            () = cancelling => {}
        }
        let mut quiet = 0;
        while quiet < 5 {
            let answer = client.simple_query("SELECT 'usable' FROM pg_sleep(0.02)").await;
            quiet = if answer.is_ok() { quiet + 1 } else { 0 };
        }
    }
    Ok(json!(told))
}

async fn notifications() -> Told {
    let (listener, mut connection) = session::config(|config| config).connect(NoTls).await?;
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = futures_util::stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(note) = message {
                let _closed = sender.send(json!([note.channel().replace(&schema(), ""), note.payload()]));
            }
        }
    });
    let speaker = connect().await?;
    let channel = format!("{}_t", schema());
    listener.batch_execute(&format!("LISTEN {channel}")).await?;
    let mut told = Vec::new();
    for words in ["one", "two"] {
        speaker.execute("SELECT pg_notify($1, $2)", &[&channel, &words]).await?;
        told.push(tokio::time::timeout(Duration::from_secs(60), heard.recv()).await.ok().flatten());
    }
    Ok(json!(told))
}

async fn refusals() -> Told {
    let refused = async |change: fn(&mut Config) -> &mut Config| match session::config(change).connect(NoTls).await {
        Ok(_) => "let in".to_owned(),
        Err(error) => error.code().map_or_else(|| error.to_string(), |code: &SqlState| code.code().to_owned()),
    };
    Ok(json!([
        refused(|config| config.password("not the one")).await,
        refused(|config| config.dbname("no_such_database")).await,
        refused(|config| config.user("nobody_by_this_name")).await,
        variable("PGDATABASE") != "no_such_database",
    ]))
}
