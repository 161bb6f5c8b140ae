//! Messages that only look like the trigger's: anybody may send one.

use super::{caught_up, done, slot, with_trigger};
use crate::support::Move;

#[test]
fn a_made_up_message_changes_nothing_and_stops_nothing() {
    let shop = Move::between(18, 18);
    shop.source
        .run_sql("shop", "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 1); CREATE ROLE anybody")
        .unwrap();
    done(with_trigger(&shop));
    let prefix = format!("atalaya.ddl.{}", slot(&shop));
    let oid = shop.source.run_sql("shop", "SELECT 'a'::regclass::oid").unwrap();
    let columns = "\"attributes\": 9, \"shape\": 1";
    let table =
        |name: &str, oid: &str| format!("{{\"oid\": {oid}, \"schema\": \"public\", \"name\": \"{name}\", {columns}}}");
    let message = |event: &str, tables: &str| {
        format!(
            "{{\"event\": \"{event}\", \"tag\": \"ALTER TABLE\", \"by\": \"\\u001b[31m\", \"text\": \"ALTER TABLE a ''x''\",
               \"reason\": 4, \"tables\": [{tables}], \"dropped\": [{}]}}",
            table("a", &oid)
        )
    };
    let many: Vec<String> = (0..2000).map(|number| table("a", &number.to_string())).collect();
    for content in [
        "no json".to_owned(),
        "{}".to_owned(),
        message("table_rewrite", &table("a", &oid)),
        message("ddl_command_end", &table("a", &oid)),
        message("ddl_command_end", &table("a", "1")),
        message("sql_drop", &table("b", &oid)),
        message("ddl_command_end", &many.join(", ")),
        "x".repeat(3 << 20),
    ] {
        for transactional in ["true", "false"] {
            let sql = format!(
                "SET ROLE anybody; SELECT length(pg_logical_emit_message({transactional}, '{prefix}', '{content}')::text) > 0"
            );
            shop.source.run_sql("shop", &sql).unwrap();
        }
        let raw = format!("SELECT length(pg_logical_emit_message(true, '{prefix}', '\\xff00fe'::bytea)::text) > 0");
        shop.source.run_sql("shop", &raw).unwrap();
    }
    shop.source.run_sql("shop", "INSERT INTO a VALUES (2, 2)").unwrap();
    let said = done(caught_up(&shop));
    assert_eq!(said.matches("could not say what a statement did").count(), 1, "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    shop.assert_equal();
}
