//! The event trigger on the source, where one was asked for: each statement that touches a table is told in the stream,
//! within its own transaction.
//!
//! It stands in the application's way: whatever happens in it, no statement of the application may fail. One migration
//! has one function and three triggers, named as its slot is; the function's comment says whose they are.

mod install;
mod look;

pub use install::try_event_trigger;
pub(crate) use install::{install, names_of, remove, try_out};
pub(crate) use look::{TriggerState, find, look};

/// Tables that one message names at most.
pub(super) const TABLES: usize = 1000;
/// Characters of a statement that are sent at most.
const TEXT: usize = 2000;

/// Our schema, also on a source.
const SCHEMA: &str = "atalaya";

/// What a name ends with, the event, and the tags that count where not all do.
const EVENTS: [(&str, &str, &str); 3] = [
    (
        "end",
        "ddl_command_end",
        " WHEN TAG IN ('ALTER TABLE', 'ALTER SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA')",
    ),
    ("drop", "sql_drop", ""),
    ("write", "table_rewrite", ""),
];

/// The prefix of the messages of one migration.
pub(crate) fn prefix(slot: &str) -> String {
    format!("atalaya.ddl.{slot}")
}

/// The names of a migration's triggers; its function is named as the slot is.
fn names(slot: &str) -> Vec<String> {
    EVENTS.iter().map(|(ending, ..)| format!("{slot}_{ending}")).collect()
}

/// The function's text.
fn body(slot: &str) -> String {
    include_str!("function.sql")
        .replace(":{tables}", &TABLES.to_string())
        .replace(":{text}", &TEXT.to_string())
        .replace(":{shape}", super::described::SHAPE)
        .replace(":{prefix}", &atalaya_data::quote_literal(&prefix(slot)))
}
