//! Changes of the source's schema while the move runs: what is followed, and what stops before a wrong row.

mod added;
mod columns;
mod enums;
mod stopped;

use crate::support::{Move, Ran};

/// The migration followed until it has caught up; however that ends.
fn caught_up(shop: &Move) -> Ran {
    shop.run("start", &["--stop-when", "caught-up"])
}

/// Asserts that a run has caught up.
fn done(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// Asserts a refusal that says so.
fn refused(ran: &Ran, because: &str) {
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains(because), "{}", ran.stderr);
}

/// Every column of every table with its type, default and constraint, as each server says it.
fn columns(server: &atalaya_sandbox::Server) -> String {
    let sql = "SET search_path = '';
        SELECT format('%s %s %s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
                      a.attnotnull, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid))
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
           AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
           AND c.relnamespace::regnamespace::text <> 'atalaya'
         ORDER BY a.attrelid::regclass::text COLLATE \"C\", a.attnum";
    server.run_sql("shop", sql).unwrap()
}
