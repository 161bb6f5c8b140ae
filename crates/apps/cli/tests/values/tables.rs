//! Tables of one type each: one with a key, and one without, whose rows are found by all their values.

use std::fmt::Write;

use atalaya_sandbox::Server;

use super::literals::{OWN_TYPES, Type};

/// `keyed_N (id, v, spare)` and `bare_N (v)`.
pub(super) fn create(types: &[Type]) -> String {
    let mut sql = OWN_TYPES.to_owned();
    for (number, each) in types.iter().enumerate() {
        let of = each.sql;
        writeln!(
            sql,
            "CREATE TABLE keyed_{number} (id int PRIMARY KEY, v {of}, spare {of});
             CREATE TABLE bare_{number} (v {of}); ALTER TABLE bare_{number} REPLICA IDENTITY FULL;"
        )
        .unwrap();
    }
    sql
}

fn literal(value: &str, of: &Type) -> String {
    format!("'{}'::{}", value.replace('\'', "''"), of.sql)
}

/// Every value once with a key and twice without, and NULL: what the copy takes along.
pub(super) fn first_rows(types: &[Type]) -> String {
    let mut sql = String::new();
    for (number, each) in types.iter().enumerate() {
        for (id, value) in each.values.iter().enumerate() {
            let value = literal(value, each);
            writeln!(
                sql,
                "INSERT INTO keyed_{number} VALUES ({id}, {value}, NULL); INSERT INTO bare_{number} VALUES ({value}), ({value});"
            )
            .unwrap();
        }
        writeln!(sql, "INSERT INTO keyed_{number} VALUES (-1); INSERT INTO bare_{number} VALUES (NULL), (NULL);")
            .unwrap();
    }
    sql
}

/// Every value inserted, updated to, moved to another row, and one copy of each row without a key deleted.
pub(super) fn changes(types: &[Type]) -> String {
    let mut sql = String::new();
    for (number, each) in types.iter().enumerate() {
        writeln!(sql, "BEGIN;").unwrap();
        for (id, value) in each.values.iter().enumerate() {
            let value = literal(value, each);
            writeln!(
                sql,
                "INSERT INTO keyed_{number} VALUES ({id} + 1000, {value}, {value});
                 UPDATE keyed_{number} SET spare = {value} WHERE id = {id};"
            )
            .unwrap();
        }
        // A second transaction, so that these are not folded into the first ones.
        writeln!(
            sql,
            "COMMIT;
             UPDATE keyed_{number} SET v = spare, spare = v WHERE id = -1; DELETE FROM keyed_{number} WHERE id = 1001;
             DELETE FROM bare_{number} WHERE ctid IN (SELECT min(ctid) FROM bare_{number} GROUP BY v::text);
             INSERT INTO bare_{number} SELECT v FROM keyed_{number} WHERE id >= 1000;"
        )
        .unwrap();
    }
    sql
}

/// Rows lost, altered and doubled on the target, of every type.
pub(super) fn damage(types: &[Type]) -> String {
    let mut sql = String::new();
    for number in 0..types.len() {
        writeln!(
            sql,
            "UPDATE keyed_{number} SET v = NULL WHERE id = 0; DELETE FROM keyed_{number} WHERE id = 1000;
             INSERT INTO keyed_{number} VALUES (5000, (SELECT v FROM keyed_{number} WHERE v IS NOT NULL LIMIT 1));
             DELETE FROM bare_{number} WHERE ctid = (SELECT min(ctid) FROM bare_{number} WHERE num_nonnulls(v) = 1);
             INSERT INTO bare_{number} VALUES (NULL);"
        )
        .unwrap();
    }
    sql
}

/// One line a table: how many rows, and the digest of their texts and of what their send function gives.
pub(super) fn digests(types: &[Type]) -> String {
    // Text must be the same text on both sides, whatever their defaults are.
    let mut sql =
        "SET extra_float_digits = 3; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres';
                   SET bytea_output = 'hex'; SET lc_monetary = 'C';\n"
            .to_owned();
    for (number, each) in types.iter().enumerate() {
        for (table, columns) in [("keyed", "v, spare"), ("bare", "v")] {
            let bytes = if each.sendable {
                // A record's send function gives each column's own bytes and its built-in type's OID.
                format!("record_send(ROW({columns}))")
            } else {
                format!("convert_to(ROW({columns})::text, 'UTF8')")
            };
            writeln!(
                sql,
                "SELECT '{table} {}', count(*), md5(string_agg(d, '' ORDER BY d COLLATE \"C\")) FROM (
                    SELECT md5({bytes}) || md5(ROW({columns})::text) AS d FROM {table}_{number}) x;",
                each.sql.replace('\'', "''")
            )
            .unwrap();
        }
    }
    sql
}

/// Rows of all tables together.
pub(super) fn rows(server: &Server) -> usize {
    let sql = "SELECT sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', relname), false, true, '')))[1]::text::int)
                 FROM pg_class WHERE relkind = 'r' AND relname ~ '^(keyed|bare)_'";
    server.run_sql("shop", sql).unwrap().trim().parse().unwrap()
}
