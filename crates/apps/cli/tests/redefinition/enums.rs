//! Labels of enums.

use super::{caught_up, done, refused};
use crate::support::{Move, eventually};

const TABLES: &str = "
CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('b', 'd'); CREATE TYPE state AS ENUM ('open');
CREATE TYPE unused AS ENUM ('u'); CREATE DOMAIN dom AS app.mood; CREATE TYPE pair AS (one app.mood, other int);
CREATE TABLE item (id int PRIMARY KEY, mood app.mood, moods app.mood[], d dom, p pair, s state);
INSERT INTO item VALUES (1, 'b', '{b,d}', 'd', '(b,1)', 'open')";

/// Labels of every enum in their order.
fn labels(server: &atalaya_sandbox::Server) -> String {
    let sql = "SELECT enumtypid::regtype, string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum
                WHERE enumtypid <> 'unused'::regtype GROUP BY 1 ORDER BY 1::text";
    server.run_sql("shop", sql).unwrap()
}

fn labels_are_followed(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", TABLES).unwrap();
    let mut running = shop.follow(&[]);
    // At once with rows that have them, and without any.
    for sql in [
        "ALTER TYPE app.mood ADD VALUE 'c' BEFORE 'd'; ALTER TYPE app.mood ADD VALUE 'it''s' BEFORE 'b';
         INSERT INTO item VALUES (2, 'c', '{c,b}', 'it''s', '(c,2)', 'open'); UPDATE item SET mood = 'c' WHERE id = 1",
        "ALTER TYPE state ADD VALUE 'closed'; ALTER TYPE unused ADD VALUE 'v'",
    ] {
        shop.source.run_sql("shop", sql).unwrap();
        eventually("both sides have the same labels", || {
            running.assert_alive();
            labels(&shop.source) == labels(&shop.target)
        });
    }
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.assert_equal();
    let unused = shop.target.run_sql("shop", "SELECT count(*) FROM pg_enum WHERE enumtypid = 'unused'::regtype");
    assert_eq!(unused.unwrap(), "1");
    // Far behind: rows with the label are there long before the first look.
    shop.source
        .run_sql("shop", "ALTER TYPE state ADD VALUE 'lost' BEFORE 'open'; UPDATE item SET s = 'lost' WHERE id = 1")
        .unwrap();
    done(&caught_up(&shop));
    assert_eq!(labels(&shop.source), labels(&shop.target));
    // A renamed label is in rows that are there, and nothing in the stream says so.
    shop.source.run_sql("shop", "ALTER TYPE state RENAME VALUE 'open' TO 'begun'").unwrap();
    refused(&caught_up(&shop), "enum public.state has lost or renamed a label");
    shop.target.run_sql("shop", "ALTER TYPE state RENAME VALUE 'open' TO 'begun'").unwrap();
    shop.source.run_sql("shop", "INSERT INTO item (id, s) VALUES (3, 'begun')").unwrap();
    done(&caught_up(&shop));
    shop.done("finish", &[]);
    shop.assert_equal();
}

#[test]
fn from_13_to_18_labels_are_followed() {
    labels_are_followed(13, 18);
}

#[test]
fn from_18_to_18_labels_are_followed() {
    labels_are_followed(18, 18);
}
