//! Statements larger than anybody should write.

use crate::support::{gateway, parse, query, run, sync};

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
