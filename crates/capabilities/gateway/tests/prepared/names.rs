//! Names that clients give.

use atalaya_sandbox::fresh_database;

use crate::support::{Setup, close_statement, describe_statement, gateway, parse, query, run, sync, tags};

#[test]
fn a_name_stands_for_each_clients_own_text() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.prepare("s", "SELECT 'first'");
    second.prepare("s", "SELECT 'second'");
    for _ in 0..3 {
        assert_eq!(first.execute("s", &[]), "first");
        assert_eq!(second.execute("s", &[]), "second");
    }
}

#[test]
fn a_statement_is_found_at_every_server() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(3).start();
    let (mut client, mut one, mut two) = (gateway.client(), gateway.client(), gateway.client());
    client.prepare("s", "SELECT $1::int + 1, pg_backend_pid()");
    let mut processes = std::collections::BTreeSet::new();
    for held in 0..3 {
        if held > 0 {
            one.run("BEGIN");
        }
        if held > 1 {
            two.run("BEGIN");
        }
        let answer = client.execute("s", &["41"]);
        let (sum, process) = answer.split_once('|').unwrap();
        assert_eq!(sum, "42");
        processes.insert(process.to_owned());
    }
    assert_eq!(processes.len(), 3);
}

#[test]
fn statements_that_made_room_are_prepared_again() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).database("prepared_max: 1").start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    for number in 0..5 {
        first.prepare(&format!("s{number}"), &format!("SELECT {number}"));
    }
    second.prepare("s0", "SELECT 'other'");
    for number in (0..5).chain([0, 4]) {
        assert_eq!(first.execute(&format!("s{number}"), &[]), number.to_string());
        assert_eq!(second.execute("s0", &[]), "other");
    }
    let count = "SELECT count(*) FROM pg_prepared_statements";
    let count: usize = first.run(count).parse().unwrap();
    assert!(count <= 2, "{count} are left at the server");
}

#[test]
fn making_room_in_the_middle_of_a_pipeline_takes_nothing_from_it() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).database("prepared_max: 1").start();
    let mut client = gateway.client();
    let prepared: Vec<u8> =
        ["a", "b", "c"].into_iter().flat_map(|name| parse(name, &format!("SELECT '{name}'"))).collect();
    let run = |name: &str| [crate::support::bind("", name, &[]), crate::support::execute("", 0)].concat();
    let all = [prepared, run("a"), run("b"), run("c"), run("a"), sync()].concat();
    let said = client.ask(&all);
    assert_eq!(tags(&said), "1 1 1 2 D C 2 D C 2 D C 2 D C ZI");
    let values: Vec<_> =
        said.iter().filter(|said| said.tag == b'D').map(|said| said.row()[0].clone().unwrap()).collect();
    assert_eq!(values, ["a", "b", "c", "a"]);
}

#[test]
fn a_name_that_is_taken_is_refused_until_it_is_closed() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("s", "SELECT 1");
    let again = [parse("s", "SELECT 2"), sync()].concat();
    assert_eq!(client.tags(&again), "E42P05 ZI");
    assert_eq!(client.execute("s", &[]), "1");
    assert_eq!(client.tags(&[close_statement("s"), sync()].concat()), "3 ZI");
    assert_eq!(client.tags(&run("s", &[])), "E26000 ZI");
    client.prepare("s", "SELECT 2");
    assert_eq!(client.execute("s", &[]), "2");
}

#[test]
fn closing_a_statement_leaves_that_of_others() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.prepare("s", "SELECT 'shared'");
    second.prepare("s", "SELECT 'shared'");
    assert_eq!(first.tags(&[close_statement("s"), sync()].concat()), "3 ZI");
    assert_eq!(second.execute("s", &[]), "shared");
    assert_eq!(first.tags(&[close_statement("never there"), sync()].concat()), "3 ZI");
}

#[test]
fn what_was_never_prepared_is_missing_whoever_else_has_it() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.prepare("s", "SELECT 1");
    assert_eq!(second.tags(&run("s", &[])), "E26000 ZI");
    assert_eq!(second.tags(&[describe_statement("s"), sync()].concat()), "E26000 ZI");
    assert_eq!(second.tags(&run("atalaya:1", &[])), "E26000 ZI");
    assert_eq!(second.tags(&[describe_statement("atalaya:1"), sync()].concat()), "E26000 ZI");
    assert_eq!(first.execute("s", &[]), "1");
}

#[test]
fn a_text_that_is_wrong_leaves_its_name_free() {
    let gateway = gateway();
    let mut client = gateway.client();
    assert_eq!(client.tags(&[parse("s", "SELEC 1"), sync()].concat()), "E42601 ZI");
    assert_eq!(client.tags(&run("s", &[])), "E26000 ZI");
    client.prepare("s", "SELECT 1");
    assert_eq!(client.execute("s", &[]), "1");
}

#[test]
fn names_may_be_as_long_and_odd_as_postgres_lets_them_be() {
    let gateway = gateway();
    let mut client = gateway.client();
    for name in ["n".repeat(5000), "with \"quotes\" and 'more'".to_owned(), "äöü ✓".to_owned()] {
        client.prepare(&name, "SELECT 'found'");
        gateway.client().run("SELECT 1");
        assert_eq!(client.execute(&name, &[]), "found");
    }
}

#[test]
fn a_statement_prepared_in_a_transaction_that_is_rolled_back_stays() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("BEGIN");
    client.prepare("s", "SELECT 1");
    client.run("ROLLBACK");
    assert_eq!(client.execute("s", &[]), "1");
}

#[test]
fn a_simple_query_between_binds_leaves_named_statements() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("s", "SELECT 1");
    assert_eq!(client.tags(&query("SELECT 2")), "T D C ZI");
    assert_eq!(client.execute("s", &[]), "1");
}
