//! Statements larger than anybody should write.

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Setup, close_statement, gateway, parse, query, run, sync};

fn large(bytes: usize) -> String {
    format!("SELECT length('{}')", "x".repeat(bytes))
}

#[test]
fn an_unnamed_statement_of_2_megabytes_is_served_and_binds_its_client_until_the_next() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("", &large(2 << 20));
    assert_eq!(client.execute("", &[]), (2 << 20).to_string());
    assert_eq!(client.execute("", &[]), (2 << 20).to_string());
    assert_eq!(client.run("SELECT 1"), "1");
    let mut other = gateway.client();
    assert_eq!(other.run("SELECT 1"), "1");
}

#[test]
fn a_simple_query_of_5_megabytes_is_served() {
    let gateway = gateway();
    let mut client = gateway.client();
    assert_eq!(client.run(&large(5 << 20)), (5 << 20).to_string());
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

#[test]
fn a_named_statement_of_20_megabytes_is_refused_and_the_client_goes_on() {
    let gateway = gateway();
    let mut client = gateway.client();
    assert_eq!(client.tags(&[parse("s", &large(20 << 20)), sync()].concat()), "E54000 ZI");
    assert_eq!(client.tags(&run("s", &[])), "E26000 ZI");
    assert_eq!(client.tags(&query("SELECT 1")), "T D C ZI");
    client.prepare("s", &large(3 << 20));
    assert_eq!(client.execute("s", &[]), (3 << 20).to_string());
}

#[test]
fn a_value_of_30_megabytes_is_passed_on() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("s", "SELECT length($1::text)");
    let value = "v".repeat(30 << 20);
    assert_eq!(client.execute("s", &[&value]), (30 << 20).to_string());
}

#[test]
fn statements_of_one_session_share_a_budget_and_what_is_closed_makes_room() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("a", &large(15 << 20));
    client.prepare("b", &large(15 << 20));
    assert_eq!(client.tags(&[parse("c", &large(15 << 20)), sync()].concat()), "E54000 ZI");
    // As a server fails a pipeline.
    assert_eq!(client.tags(&[parse("c", &large(15 << 20)), parse("d", "SELECT 1"), sync()].concat()), "E54000 ZI");
    client.prepare("d", "SELECT 1");
    assert_eq!(client.execute("b", &[]), (15 << 20).to_string());
    assert_eq!(client.tags(&[close_statement("a"), sync()].concat()), "3 ZI");
    client.prepare("c", &large(15 << 20));
    assert_eq!(client.execute("c", &[]), (15 << 20).to_string());
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

#[test]
fn what_sql_prepares_beyond_the_budget_keeps_the_client_at_its_server() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).start();
    let (mut client, mut other) = (gateway.client(), gateway.client());
    for name in ["a", "b", "c"] {
        client.run(&format!("PREPARE {name} AS {}", large(15 << 20)));
        assert_eq!(other.run("SELECT 1"), "1");
    }
    eventually("the client keeps its server", || gateway.status().kept.len() == 1);
    for name in ["c", "a", "b"] {
        assert_eq!(client.run(&format!("EXECUTE {name}")), (15 << 20).to_string());
    }
}
