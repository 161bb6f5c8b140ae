//! The unnamed statement, which lives until the next one.

use crate::support::{bind, execute, flush, gateway, parse, query, run, sync, tags};

#[test]
fn it_outlives_its_transaction_and_another_clients_in_between() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.prepare("", "SELECT 'first'");
    second.prepare("", "SELECT 'second'");
    for _ in 0..3 {
        assert_eq!(first.execute("", &[]), "first");
        assert_eq!(second.execute("", &[]), "second");
    }
}

#[test]
fn questions_of_the_gateway_do_not_take_it_away() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    // Only statements by name from here on, so that nothing else forgets the unnamed one.
    second.prepare("sets", "SELECT set_config('work_mem', '9MB', false)");
    second.prepare("plain", "SELECT 1");
    first.prepare("", "SELECT 'first'");
    second.execute("sets", &[]);
    assert_eq!(first.execute("", &[]), "first");
    second.execute("plain", &[]);
    assert_eq!(first.execute("", &[]), "first");
    first.run("SET a.b = 'x'");
    first.prepare("", "SELECT set_config('a.b', 'y', false)");
    assert_eq!(first.execute("", &[]), "y");
    assert_eq!(first.execute("", &[]), "y");
}

#[test]
fn a_simple_query_takes_it_away() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("", "SELECT 1");
    client.run("SELECT 2");
    assert_eq!(client.tags(&run("", &[])), "E26000 ZI");
}

#[test]
fn another_clients_is_never_met() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.prepare("", "SELECT 'first'");
    assert_eq!(second.tags(&run("", &[])), "E26000 ZI");
    assert_eq!(first.execute("", &[]), "first");
}

#[test]
fn it_may_be_parsed_and_bound_in_parts() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send(&[parse("", "SELECT 'in parts'"), flush()].concat());
    assert_eq!(client.message().tag, b'1');
    client.send(&[bind("", "", &[]), flush()].concat());
    assert_eq!(client.message().tag, b'2');
    client.send(&[execute("", 0), flush()].concat());
    assert_eq!(tags(&client.until(b'C')), "D C");
    client.send(&sync());
    assert_eq!(tags(&client.until_ready()), "ZI");
    assert_eq!(client.tags(&query("SELECT 1")), "T D C ZI");
}
