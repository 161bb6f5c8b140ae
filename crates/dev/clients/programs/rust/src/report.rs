//! What both programs share: how a scenario is run and told. Nothing told differs from run to run.

use std::future::Future;

use serde_json::{Value, json};

/// Where the program's own tables are.
pub(crate) fn schema() -> String {
    variable("CLIENT_SCHEMA")
}

/// A variable that the caller sets.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("`{name}` is not set"))
}

/// Runs a scenario and prints its line, unless it needs more servers at a time than there are. An error is its result.
pub(crate) async fn scenario<E: Into<Value>>(
    name: &str,
    connections: usize,
    body: impl Future<Output = Result<Value, E>>,
) {
    let servers = std::env::var("CLIENT_SERVERS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let result =
        if connections <= servers { body.await.unwrap_or_else(Into::into) } else { json!("needs more servers") };
    println!("{}", json!({"scenario": name, "result": result}));
}

/// Whether the program is to be a client that stays: for each line that it reads it asks for a row, and tells what came of it.
pub(crate) fn is_asking() -> bool {
    std::env::args().nth(1).as_deref() == Some("asking")
}

/// The row of a client that stays, or the SQLSTATE that it was told.
pub(crate) fn tell(answer: Result<String, Value>) {
    println!(
        "{}",
        answer.unwrap_or_else(|failure| failure["sqlstate"].as_str().map_or(failure.to_string(), str::to_owned))
    );
}
