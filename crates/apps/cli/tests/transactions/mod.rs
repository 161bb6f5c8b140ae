//! Transactions that are large, long, prepared, or rolled back in parts.

mod fences;
mod interrupted;
mod prepared;
mod streamed;

use atalaya_sandbox::ServerOptions;

use crate::held::Held;
use crate::support::Move;

/// Two servers; the source sends what is larger than 64 kB before it is committed, from 14 on.
fn between(from: u16, to: u16) -> Move {
    let source = ServerOptions::new(from)
        .setting("logical_decoding_work_mem", "64kB")
        .setting("max_prepared_transactions", "10");
    Move::with(source, ServerOptions::new(to))
}

/// A session of the source in the middle of a transaction.
fn open(shop: &Move) -> Held {
    Held::open(&shop.source_url, "SET search_path = public; BEGIN")
}

/// How many transactions the source has sent before they were committed; from 14 on it does, and says so.
fn streamed(shop: &Move) -> u64 {
    let sql = "SELECT coalesce(sum(stream_txns), 0) FROM pg_stat_replication_slots";
    shop.source.run_sql("shop", sql).unwrap().parse().unwrap()
}

/// A table's count on the target.
fn count(shop: &Move, table: &str) -> u64 {
    shop.target.run_sql("shop", &format!("SELECT count(*) FROM {table}")).unwrap().parse().unwrap()
}
