//! What `base/sql` believes of built-in functions and of words, held against servers of every version.
//!
//! Here and not beside the lists, since `base` sees no server. `cargo test -p xtask -- --ignored` writes the lists anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use atalaya_sandbox::fresh_database;

const MAJORS: [u16; 6] = [13, 14, 15, 16, 17, 18];

/// Functions that can be called by name: no argument or result is of a type that a statement cannot pass.
const CALLABLE: &str = "
    SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a', 'w')
      AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[] || p.prorettype) AS t(id)
                      JOIN pg_catalog.pg_type y ON y.oid = t.id
                      WHERE y.typname IN ('internal', 'cstring', 'trigger', 'event_trigger') OR y.typname LIKE '%handler')
";

/// Built-in functions that change or tell what belongs to the session, run SQL that they are given, or are made for
/// other programs than a client: a name by itself, or the beginning of names that ends with `*`.
const NOT_HARMLESS: &str = "
    set_config setseed lastval currval
    pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared pg_advisory_unlock*
    pg_replication_origin_* pg_replication_slot_advance pg_create_logical_replication_slot
    pg_create_physical_replication_slot pg_copy_logical_replication_slot pg_copy_physical_replication_slot
    pg_drop_replication_slot pg_logical_slot_* pg_sync_replication_slots
    pg_start_backup pg_stop_backup pg_backup_* pg_is_in_backup
    query_to_xml* cursor_to_xml* table_to_xml* schema_to_xml* database_to_xml* ts_stat ts_rewrite
    binary_upgrade_* pg_extension_config_dump pg_import_system_collations pg_nextoid pg_event_trigger_*
    brin_* gin_clean_pending_list pg_restore_* pg_clear_* plpgsql_* fmgr_*
";

fn is_not_harmless(name: &str) -> bool {
    NOT_HARMLESS.split_whitespace().any(|denied| match denied.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == denied,
    })
}

fn ask(major: u16, sql: &str) -> BTreeSet<String> {
    let (server, database) = fresh_database(major).unwrap();
    server.run_sql(&database, sql).unwrap().lines().map(str::to_owned).collect()
}

/// Names that every version has: one that a version lacks may be anybody's function there.
fn harmless() -> BTreeSet<String> {
    let everywhere = MAJORS.iter().map(|major| ask(*major, CALLABLE)).reduce(|left, right| &left & &right).unwrap();
    everywhere.into_iter().filter(|name| !is_not_harmless(name)).collect()
}

/// Every word that is a keyword somewhere, and whether no version takes it for a function's name.
fn keywords() -> BTreeMap<String, bool> {
    let mut found: BTreeMap<String, Vec<bool>> = BTreeMap::new();
    for major in MAJORS {
        for line in ask(major, "SELECT word || ' ' || catcode::text FROM pg_catalog.pg_get_keywords()") {
            let (word, category) = line.split_once(' ').unwrap();
            found.entry(word.to_owned()).or_default().push(matches!(category, "R" | "C"));
        }
    }
    let everywhere = |told: Vec<bool>| told.len() == MAJORS.len() && told.into_iter().all(|reserved| reserved);
    found.into_iter().map(|(word, told)| (word, everywhere(told))).collect()
}

fn lists() -> [(&'static str, BTreeSet<String>); 3] {
    let (reserved, others): (Vec<_>, Vec<_>) = keywords().into_iter().partition(|(_, reserved)| *reserved);
    let words = |list: Vec<(String, bool)>| list.into_iter().map(|(word, _)| word).collect();
    [("functions.txt", harmless()), ("reserved.txt", words(reserved)), ("keywords.txt", words(others))]
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap().join("crates/base/sql/words").join(name)
}

fn text(words: &BTreeSet<String>) -> String {
    words.iter().map(|word| format!("{word}\n")).collect()
}

#[test]
fn the_lists_of_words_are_what_all_servers_say() {
    for (name, words) in lists() {
        let written = std::fs::read_to_string(path(name)).unwrap();
        assert!(written == text(&words), "`{name}` is stale; `cargo test -p xtask -- --ignored` writes it");
    }
}

#[test]
#[ignore = "writes the lists that the other test compares"]
fn write_the_lists_of_words() {
    for (name, words) in lists() {
        std::fs::write(path(name), text(&words)).unwrap();
    }
}
