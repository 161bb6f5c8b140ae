//! The journal: what a move leaves in it, and the verbs that look into it.

mod interrupted;
mod kept;
mod shared;
mod tampered;

use serde_json::Value;

use crate::support::{Move, Ran, ran};

const TABLES: &str = "CREATE TABLE item (id int PRIMARY KEY, v text);
    INSERT INTO item SELECT n, 'confidential ' || n FROM generate_series(1, 500) n; ANALYZE";

/// A move of one table.
pub(crate) fn shop() -> Move {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLES).unwrap();
    shop
}

/// Runs a verb of `journal`.
pub(crate) fn journal(shop: &Move, words: &[&str]) -> Ran {
    ran(&mut shop.command(&[&["journal"], words].concat()))
}

/// The answer of a verb that must succeed.
pub(crate) fn answer(shop: &Move, words: &[&str]) -> Value {
    let ran = journal(shop, &[words, &["--output", "json"]].concat());
    assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

/// The only saga, of whatever state.
pub(crate) fn saga(shop: &Move) -> Value {
    let sagas = answer(shop, &["sagas", "--all"]);
    let sagas = sagas["sagas"].as_array().unwrap();
    assert_eq!(sagas.len(), 1, "{sagas:?}");
    sagas[0].clone()
}

/// The types of a stream's events.
pub(crate) fn types(shop: &Move, stream: &str) -> Vec<String> {
    let shown = answer(shop, &["show", stream]);
    shown["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}
