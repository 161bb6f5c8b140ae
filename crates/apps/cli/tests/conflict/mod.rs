//! A target that others write to: every kind of conflict under every policy, what is refused, and what is kept of it.

mod hammered;
mod keys;
mod killed;
mod kinds;
mod refusals;

use crate::support::{Move, Ran};

/// Tables of the same shape, one a policy; `updated_at` is what latest-wins goes by. Old rows travel whole.
const SHAPE: &str =
    "(id int PRIMARY KEY, v text, u int UNIQUE, updated_at timestamptz NOT NULL DEFAULT '2020-01-01', big text)";

/// The policies, by the name of their table.
const POLICIES: [&str; 4] = [
    "--conflicts=source_wins=source-wins",
    "--conflicts=target_wins=target-wins",
    "--conflicts=latest_wins=latest-wins:updated_at",
    "--conflicts=full_latest_wins=latest-wins:updated_at",
];

/// Tables with a policy other than `stop`.
const TABLES: [&str; 4] = ["source_wins", "target_wins", "latest_wins", "full_latest_wins"];

/// A migration that has caught up, with rows 1 to 100 in every table.
fn prepared(from: u16, to: u16) -> Move {
    let shop = Move::between(from, to);
    for table in TABLES.iter().chain(&["stops"]) {
        let full = ["target_wins", "full_latest_wins"].contains(table);
        let identity = if full { format!("ALTER TABLE {table} REPLICA IDENTITY FULL;") } else { String::new() };
        let sql = format!(
            "CREATE TABLE {table} {SHAPE}; {identity}
             ALTER TABLE {table} ALTER big SET STORAGE EXTERNAL;
             INSERT INTO {table} SELECT n, 'v' || n, n, '2020-01-01', repeat(n::text, 3000) FROM generate_series(1, 100) n"
        );
        shop.source.run_sql("shop", &sql).unwrap();
    }
    shop.done("start", &with(&POLICIES, &["--stop-when", "caught-up"]));
    shop
}

fn with<'a>(one: &[&'a str], other: &[&'a str]) -> Vec<&'a str> {
    one.iter().chain(other).copied().collect()
}

/// Runs until caught up with what the target has stored of the policies.
fn caught_up(shop: &Move) -> Ran {
    shop.run("start", &["--stop-when", "caught-up"])
}

/// Kind, resolution and number of a table's conflicts.
fn counted(shop: &Move, table: &str) -> String {
    shop.target
        .run_sql(
            "shop",
            &format!(
                "SELECT coalesce(string_agg(format('%s %s %s', conflicts, kind, resolution), ', ' ORDER BY kind, resolution), '')
                   FROM atalaya.conflict_counts WHERE name = '{table}'"
            ),
        )
        .unwrap()
}

/// Some rows of a table, without the large column.
fn rows(server: &atalaya_sandbox::Server, table: &str, condition: &str) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(format('%s:%s:%s', id, v, u), ' ' ORDER BY id), '') FROM {table} WHERE {condition}"
    );
    server.run_sql("shop", &sql).unwrap()
}
