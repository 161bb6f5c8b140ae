//! Partition trees that change while the move runs, and trees that are divided in another way on the target.

mod alike;
mod apart;
mod divided;

use atalaya_sandbox::Server;

use crate::support::{Move, Ran};

/// The migration followed until it has caught up; however that ends.
fn caught_up(shop: &Move, more: &[&str]) -> Ran {
    shop.run("start", &[&["--stop-when", "caught-up"], more].concat())
}

/// Asserts that a run has caught up, and returns what it said.
fn done(ran: Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stderr
}

/// Asserts a refusal that says so.
fn refused(ran: &Ran, because: &str) {
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(because), "{}", ran.stderr);
}

/// Asserts that a relation, read with all that is below it, holds the same rows on both sides, whatever the order of columns.
fn assert_same(shop: &Move, relations: &[&str]) {
    for relation in relations {
        let sql = format!(
            "SELECT count(*), coalesce(sum(('x' || substr(md5((SELECT string_agg(key || '=' || coalesce(value, '-'), ',' ORDER BY key)
                FROM jsonb_each_text(to_jsonb(r)))), 1, 15))::bit(60)::int8), 0) FROM {relation} r"
        );
        assert_eq!(
            shop.source.run_sql("shop", &sql).unwrap(),
            shop.target.run_sql("shop", &sql).unwrap(),
            "{relation}"
        );
    }
}

/// Who is a partition of what, and for what values.
fn tree(server: &Server) -> String {
    let sql = "SET search_path = ''; SELECT format('%s of %s %s', inhrelid::regclass, inhparent::regclass,
                      pg_get_expr(relpartbound, inhrelid))
        FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind IN ('r', 'p') ORDER BY 1";
    server.run_sql("shop", sql).unwrap()
}
