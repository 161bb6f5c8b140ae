//! Queries and copies between servers.

use atalaya_postgres::wire::{WireError, pipe_copy};

use super::support::{connect, start, value};

#[tokio::test]
async fn a_query_returns_columns_rows_and_counts_and_an_error_leaves_the_session_usable() {
    let server = start(18);
    let mut connection = connect(&server).await;
    assert_eq!(connection.server_major_version(), Some(18));
    let pid = connection.backend_process_id().to_string();
    assert_eq!(value(&mut connection, "select pg_backend_pid()").await, pid);

    let results = connection
        .simple_query("create temp table t(a int, b text); insert into t values (1, null), (2, 'x'); select * from t")
        .await
        .unwrap();
    assert_eq!(results[1].affected, 2);
    assert_eq!(results[2].columns, ["a", "b"]);
    let row = |a: &str, b: Option<&str>| vec![Some(a.to_owned()), b.map(str::to_owned)];
    assert_eq!(results[2].rows, [row("1", None), row("2", Some("x"))]);

    let error = connection.simple_query("select 'hunter2'::int").await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22P02"));
    assert!(!format!("{error:?}").contains("hunter2"));
    let error = connection.copy_out("select 1").await.err().unwrap();
    assert!(matches!(error, WireError::NotACopy(_)), "{error}");
    assert_eq!(value(&mut connection, "select 1").await, "1");
    connection.close().await;
}

#[tokio::test]
async fn rows_of_50_mb_travel_in_small_pieces_and_arrive_equal() {
    let server = start(18);
    let mut source = connect(&server).await;
    let mut target = connect(&server).await;
    let setup = "create table big(id int, body text); alter table big alter body set storage external;
        insert into big select i, repeat(md5(i::text), 50 * 32768) from generate_series(1, 3) i;
        create table copied(like big)";
    source.simple_query(setup).await.unwrap();

    let mut copy = source.copy_out("copy big to stdout").await.unwrap();
    let (mut total, mut largest) = (0, 0);
    while let Some(piece) = copy.next().await.unwrap() {
        total += piece.len();
        largest = largest.max(piece.len());
    }
    assert_eq!(copy.rows(), 3);
    assert!(largest <= 128 << 10, "a piece of {largest} bytes");
    assert!(total > 3 * 50 * (1 << 20), "only {total} bytes");

    let mut reported = 0;
    let binary = "(format binary)";
    let totals = pipe_copy(
        &mut source,
        &format!("copy big to stdout {binary}"),
        &mut target,
        &format!("copy copied from stdin {binary}"),
        |bytes| reported += bytes,
    )
    .await
    .unwrap();
    assert_eq!((totals.rows, totals.bytes), (3, reported));
    let differences = "select count(*) from (table big except table copied) d";
    assert_eq!(value(&mut target, differences).await, "0");
    assert_eq!(value(&mut target, "select count(*) from copied").await, "3");
}

#[tokio::test]
async fn many_small_rows_arrive_complete_from_13_to_18() {
    let (old, new) = (start(13), start(18));
    let mut source = connect(&old).await;
    let mut target = connect(&new).await;
    target.simple_query("create table t(a bigint, b text)").await.unwrap();
    let out = "copy (select i, md5(i::text) from generate_series(1, 300000) i) to stdout";
    let totals = pipe_copy(&mut source, out, &mut target, "copy t from stdin", |_| {}).await.unwrap();
    assert_eq!(totals.rows, 300_000);
    let sum = "select count(*) || ' ' || sum(a) || ' ' || count(distinct b) from t where b = md5(a::text)";
    assert_eq!(value(&mut target, sum).await, "300000 45000150000 300000");
}

#[tokio::test]
async fn an_error_of_the_target_ends_the_copy_early_and_both_sessions_stay_usable() {
    let server = start(18);
    let mut source = connect(&server).await;
    let mut target = connect(&server).await;
    target.simple_query("create table t(a int check (a <> 777777), b text)").await.unwrap();
    // Endless for a test, were the error not noticed.
    let out = "copy (select 777000 + i % 1000, 'hunter2' from (select generate_series(1, 2000000000) i) s) to stdout";
    let error = pipe_copy(&mut source, out, &mut target, "copy t from stdin", |_| {}).await.unwrap_err();
    assert!(matches!(error, WireError::CopyTarget(_)), "{error}");
    assert_eq!(error.sqlstate(), Some("23514"));
    assert!(!format!("{error:?}").contains("hunter2"));
    assert_eq!(value(&mut source, "select 1").await, "1");
    assert_eq!(value(&mut target, "select count(*) from t").await, "0");
}

#[tokio::test]
async fn an_error_of_the_source_undoes_the_targets_copy_and_both_sessions_stay_usable() {
    let server = start(18);
    let mut source = connect(&server).await;
    let mut target = connect(&server).await;
    target.simple_query("create table t(a int)").await.unwrap();
    let out = "copy (select 1 / (400000 - i) from generate_series(1, 500000) i) to stdout";
    let error = pipe_copy(&mut source, out, &mut target, "copy t from stdin", |_| {}).await.unwrap_err();
    assert!(matches!(error, WireError::CopySource(_)), "{error}");
    assert_eq!(error.sqlstate(), Some("22012"));
    assert_eq!(value(&mut source, "select 1").await, "1");
    assert_eq!(value(&mut target, "select count(*) from t").await, "0");
}

#[tokio::test]
async fn a_copy_that_was_dropped_leaves_a_connection_that_refuses_to_go_on() {
    let server = start(18);
    let mut connection = connect(&server).await;
    let mut copy = connection.copy_out("copy (select generate_series(1, 1000000)) to stdout").await.unwrap();
    copy.next().await.unwrap().unwrap();
    drop(copy);
    let error = connection.simple_query("select 1").await.unwrap_err();
    assert!(matches!(error, WireError::Abandoned), "{error}");
}
