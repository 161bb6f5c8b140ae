//! What a call costs, printed for whoever asks (`cargo test --release -p atalaya-sql -- --ignored --nocapture`).
#![allow(clippy::print_stdout, reason = "printing is all it does")]

use std::hint::black_box;
use std::time::Instant;

use atalaya_sql::session_effects;

use crate::STANDARD;
use crate::plain::PLAIN;

fn measure(name: &str, sql: &str) {
    // Short batches, the best of many: another process may have the core for most of them.
    let rounds = 1 + 100_000 / sql.len();
    let mut best = f64::INFINITY;
    for _ in 0..500 {
        let start = Instant::now();
        for _ in 0..rounds {
            black_box(session_effects(black_box(sql.as_bytes()), STANDARD));
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(rounds).unwrap()));
    }
    println!("{name}: {best:.0} ns for {} bytes", sql.len());
}

#[test]
#[ignore = "prints times, and proves nothing"]
fn the_time_of_a_call() {
    measure("select", "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;");
    measure("update", "UPDATE pgbench_accounts SET abalance = abalance + 4711 WHERE aid = 12345;");
    measure("begin", "BEGIN");
    measure(
        "insert",
        "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP);",
    );
    measure("every plain statement", &PLAIN.replace('\n', ";\n"));
    measure("a long string", &format!("INSERT INTO t (a) VALUES ('{}')", "x".repeat(1_000_000)));
    measure("many rows", &format!("INSERT INTO t (a, b) VALUES {} (1, 'x')", "(1, 'abc'), ".repeat(10_000)));
}
