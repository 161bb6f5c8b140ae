//! Connections that end in the middle: never mistaken for the end of the data.

use atalaya_postgres::wire::{WireConnection, WireError, pipe_copy};

use super::support::{connect, options, proxy_that_hangs_up, start, value};

const ENDLESS: &str = "copy (select i, md5(i::text) from (select generate_series(1, 2000000000) i) s) to stdout";

#[tokio::test]
async fn a_terminated_session_ends_a_copy_with_an_error() {
    let server = start(18);
    let mut connection = connect(&server).await;
    let pid = connection.backend_process_id();
    let mut copy = connection.copy_out(ENDLESS).await.unwrap();
    copy.next().await.unwrap().unwrap();
    server.run_sql("postgres", &format!("select pg_terminate_backend({pid})")).unwrap();
    let error = loop {
        match copy.next().await {
            Ok(piece) => assert!(piece.is_some(), "the copy was taken for complete"),
            Err(error) => break error,
        }
    };
    assert!(error.sqlstate() == Some("57P01") || matches!(error, WireError::Ended(_)), "{error:?}");
}

#[tokio::test]
async fn a_stream_closed_in_good_order_in_mid_copy_is_an_error_and_the_target_keeps_nothing() {
    let server = start(18);
    let mut target = connect(&server).await;
    target.simple_query("create table t(a int, b text)").await.unwrap();
    let url = proxy_that_hangs_up(&server, 3_000_000).await;
    let mut source = WireConnection::connect(&url, &options()).await.unwrap();
    let error = pipe_copy(&mut source, ENDLESS, &mut target, "copy t from stdin", |_| {}).await.unwrap_err();
    let WireError::CopySource(inner) = &error else { panic!("{error:?}") };
    assert!(matches!(**inner, WireError::Ended("a copy")), "{error:?}");
    assert_eq!(value(&mut target, "select count(*) from t").await, "0");
}

#[tokio::test]
async fn a_target_that_is_terminated_fails_the_copy_on_the_target() {
    let server = start(18);
    let mut source = connect(&server).await;
    let mut target = connect(&server).await;
    target.simple_query("create table t(a int, b text)").await.unwrap();
    let terminate = format!("select pg_terminate_backend({})", target.backend_process_id());
    let mut pieces = 0;
    let error = pipe_copy(&mut source, ENDLESS, &mut target, "copy t from stdin", |_| {
        pieces += 1;
        if pieces == 20 {
            server.run_sql("postgres", &terminate).unwrap();
        }
    })
    .await
    .unwrap_err();
    assert!(matches!(error, WireError::CopyTarget(_)), "{error:?}");
    assert_eq!(value(&mut source, "select count(*) from t").await, "0");
}
