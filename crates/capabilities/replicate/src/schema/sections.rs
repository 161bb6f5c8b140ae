//! Restoring the archive stage by stage.

use atalaya_postgres::Session;

use super::archive::Archive;
use super::clone_states::sql_of_last;
use super::entry::{Entry, Stage};
use crate::Error;
use crate::progress::Store;

/// How long a statement may wait for a table that others use. Index builds wait for each other as long as
/// it takes; nobody else has business on a table that is being loaded. Who reads a materialized view may keep it from being filled.
pub(crate) const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '30s';";

/// Everything that stands before rows are copied, in one transaction.
pub(crate) async fn restore_before_data(archive: &Archive, store: &Store<'_>) -> Result<(), Error> {
    let entries: Vec<&Entry> = archive.entries(Stage::BeforeData).collect();
    run_once(archive, store, "schema before data", &entries, LOCK_TIMEOUT).await
}

/// Triggers, rules, row security, and what else must not be there while changes are applied.
pub(crate) async fn restore_rest(archive: &Archive, source: &Session, store: &Store<'_>) -> Result<(), Error> {
    run_last(archive, source, store, "schema after data").await
}

/// What comes last of an archive, in one transaction: no trigger fires in a state that the source's has not.
pub(super) async fn run_last(archive: &Archive, source: &Session, store: &Store<'_>, step: &str) -> Result<(), Error> {
    if store.has_step(step).await? {
        return Ok(());
    }
    let entries: Vec<&Entry> = archive.entries(Stage::Last).collect();
    run_script(store, step, &sql_of_last(archive, &entries, source, store).await?, LOCK_TIMEOUT).await
}

pub(super) fn step_name(entry: &Entry) -> String {
    // The label alone is not unique: schema and name stand in it unquoted.
    format!("{} {} ({})", entry.kind, entry.label, entry.id)
}

/// Runs entries and marks their step, in one transaction; does nothing when the step is marked.
pub(super) async fn run_once(
    archive: &Archive,
    store: &Store<'_>,
    step: &str,
    entries: &[&Entry],
    lock_timeout: &str,
) -> Result<(), Error> {
    if store.has_step(step).await? {
        return Ok(());
    }
    run_script(store, step, &archive.sql(entries).await?, lock_timeout).await
}

/// The same of a script that is there.
pub(super) async fn run_script(store: &Store<'_>, step: &str, sql: &str, lock_timeout: &str) -> Result<(), Error> {
    if store.has_step(step).await? {
        return Ok(());
    }
    // The script sets the session as pg_dump likes it; our own settings come back with the transaction's end. What is not on
    // the target's disk when it crashes is not marked either; the commit of the phase that ends with it waits for the disk.
    let script = format!(
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL synchronous_commit = off; {lock_timeout}\n{}\n;{}; COMMIT",
        scoped(sql),
        store.step_sql(step)
    );
    let restored = store.session.batch(&script).await;
    let Err(error) = restored else { return Ok(()) };
    // The error is what counts; a session that is lost has rolled back already.
    let _rolled_back = store.session.batch("ROLLBACK").await;
    // A run that was killed leaves its statement to the server, which may have ended it meanwhile.
    if store.has_step(step).await.unwrap_or(false) { Ok(()) } else { Err(error.into()) }
}

/// Makes the settings at the script's head end with the transaction. What comes after the first object's name
/// is the source's own text, lines of functions among it, and stays as it is.
fn scoped(sql: &str) -> String {
    let head_to = sql.find("\n-- Name: ").unwrap_or(0);
    let (head, body) = sql.split_at(head_to);
    let head: String = head
        .lines()
        .filter(|line| !line.starts_with("SET lock_timeout = "))
        .map(|line| match line.strip_prefix("SET ") {
            Some(rest) if is_setting(rest) => format!("SET LOCAL {rest}\n"),
            _ if line == "SELECT pg_catalog.set_config('search_path', '', false);" => {
                "SELECT pg_catalog.set_config('search_path', '', true);\n".to_owned()
            }
            _ => format!("{line}\n"),
        })
        .collect();
    head + body
}

/// Whether a line is one of the settings at the head of a pg_restore script.
fn is_setting(rest: &str) -> bool {
    const NAMES: &[&str] = &[
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_timeout",
        "client_encoding",
        "standard_conforming_strings",
        "check_function_bodies",
        "xmloption",
        "client_min_messages",
        "row_security",
        "default_tablespace",
        "default_table_access_method",
    ];
    rest.ends_with(';')
        && NAMES.iter().any(|name| rest.strip_prefix(name).is_some_and(|after| after.starts_with(" = ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_settings_at_the_head_are_made_to_end_with_the_transaction() {
        let script = "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\nSET lock_timeout = 0;\n\n--\n\
                      -- Name: f(); Type: FUNCTION\n--\n\nCREATE FUNCTION f() AS $$\nSET lock_timeout = 0;\n\
                      SET statement_timeout = 0;\n$$;\n";
        let scoped = scoped(script);
        assert_eq!(scoped.matches("SET LOCAL statement_timeout = 0;").count(), 1);
        assert_eq!(scoped.matches("SET lock_timeout = 0;").count(), 1);
        assert!(scoped.ends_with("$$\nSET lock_timeout = 0;\nSET statement_timeout = 0;\n$$;\n"));
    }
}
