//! What a text means is settled when it is prepared, by the settings of its client.

use crate::support::{Client, gateway};

#[test]
fn clients_with_other_time_zones_do_not_share_what_a_literal_means() {
    let gateway = gateway();
    let sql = "SELECT extract(epoch FROM '2020-01-01 00:00'::timestamptz)::int";
    let mut utc = gateway.client();
    let mut tokyo = Client::login(&gateway.login().with("TimeZone", "Asia/Tokyo"));
    utc.prepare("s", sql);
    tokyo.prepare("s", sql);
    assert_eq!(utc.execute("s", &[]), "1577836800");
    assert_eq!(tokyo.execute("s", &[]), "1577804400");
}

#[test]
fn clients_with_other_orders_of_day_and_month_do_not_either() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("SET DateStyle = 'ISO, DMY'");
    second.run("SET DateStyle = 'ISO, MDY'");
    for client in [&mut first, &mut second] {
        client.prepare("s", "SELECT '01/02/2020'::date");
    }
    assert_eq!(first.execute("s", &[]), "2020-02-01");
    assert_eq!(second.execute("s", &[]), "2020-01-02");
}

#[test]
fn clients_that_read_backslashes_otherwise_do_not_either() {
    let gateway = gateway();
    let mut plain = gateway.client();
    let mut old = Client::login(&gateway.login().with("standard_conforming_strings", "off"));
    for client in [&mut plain, &mut old] {
        client.prepare("s", r"SELECT length('a\\b')");
    }
    assert_eq!(plain.execute("s", &[]), "4");
    assert_eq!(old.execute("s", &[]), "3");
}

#[test]
fn clients_that_search_other_schemas_do_not_either() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run(
        "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t AS SELECT 'of a' AS x; CREATE TABLE b.t AS SELECT 'of b' AS x;
         SET search_path = a",
    );
    second.run("SET search_path = b");
    for client in [&mut first, &mut second] {
        client.prepare("s", "SELECT x, 't'::regclass::oid = to_regclass('t')::oid FROM t");
    }
    for _ in 0..2 {
        assert_eq!(first.execute("s", &[]), "of a|t");
        assert_eq!(second.execute("s", &[]), "of b|t");
    }
}

#[test]
fn settings_of_the_running_transaction_count_as_well() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    let sql = "SELECT extract(epoch FROM '2020-01-01 00:00'::timestamptz)::int";
    second.prepare("s", sql);
    first.run("BEGIN; SET LOCAL TimeZone = 'Asia/Tokyo'");
    first.prepare("s", sql);
    assert_eq!(first.execute("s", &[]), "1577804400");
    first.run("COMMIT");
    assert_eq!(second.execute("s", &[]), "1577836800");
}
