//! `validate --schema`: nothing false after a clean move, every kind of difference named, and mended by its own script.

mod clean;
mod mended;
mod pending;

use crate::support::{Move, Ran};

/// Compares the schemas; the report as JSON.
fn report(shop: &Move, more: &[&str]) -> (Ran, serde_json::Value) {
    let mut arguments = vec!["--schema", "--output", "json"];
    arguments.extend_from_slice(more);
    let ran = shop.validate(&arguments);
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}\n{}", ran.stdout, ran.stderr));
    (ran, report)
}

/// Every difference as `kind identity problem attribute severity`.
fn lines(listed: &serde_json::Value) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    listed
        .as_array()
        .unwrap()
        .iter()
        .map(|each| {
            let parts = ["kind", "identity", "problem", "attribute", "severity"].map(|name| text(&each[name]));
            parts.join(" | ")
        })
        .collect()
}
