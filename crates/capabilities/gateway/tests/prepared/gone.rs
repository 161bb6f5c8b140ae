//! Statements that a client prepared by SQL, at another server than the one where it did.

use std::time::Duration;

use atalaya_postgres::wire::WireConnection;

use crate::serving::Serving;

/// What a statement is told, and that it is told at all.
async fn told(client: &mut WireConnection, sql: &str) -> Result<(), String> {
    let answer = tokio::time::timeout(Duration::from_secs(60), client.simple_query(sql)).await;
    let answer = answer.unwrap_or_else(|_| panic!("no answer to `{sql}`"));
    answer.map(|_| ()).map_err(|error| error.sqlstate().unwrap_or_default().to_owned())
}

fn sqlstate(state: &str) -> Result<(), String> {
    Err(state.to_owned())
}

#[tokio::test]
async fn what_cannot_be_prepared_again_is_told_once_and_can_be_deallocated() {
    let gateway = Serving::start("");
    let mut client = gateway.client().await;
    for sql in ["CREATE TABLE shape (id int)", "PREPARE mine AS SELECT * FROM shape", "DROP TABLE shape"] {
        assert_eq!(told(&mut client, sql).await, Ok(()), "{sql}");
    }
    assert_eq!(told(&mut client, "EXECUTE mine").await, sqlstate("42P01"));
    assert_eq!(told(&mut client, "BEGIN").await, Ok(()));
    assert_eq!(told(&mut client, "EXECUTE mine").await, sqlstate("42P01"));
    assert_eq!(told(&mut client, "EXECUTE mine").await, sqlstate("25P02"), "the transaction has failed");
    assert_eq!(told(&mut client, "ROLLBACK").await, Ok(()));
    assert_eq!(told(&mut client, "DEALLOCATE mine").await, Ok(()));
    assert_eq!(told(&mut client, "EXECUTE mine").await, sqlstate("26000"));
    assert_eq!(told(&mut client, "SELECT 1").await, Ok(()));
}
