//! What a client leaves behind in the middle of something.

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Setup, copy_data, copy_done, gateway, message, query, tags};

#[test]
fn clients_take_turns_at_one_server() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    let process = first.run("SELECT pg_backend_pid()");
    assert_eq!(second.run("SELECT pg_backend_pid()"), process);
    assert_eq!(first.run("SELECT pg_backend_pid()"), process);
    eventually("three are counted", || gateway.status().transactions == 3);
}

#[test]
fn a_transaction_keeps_its_server_to_itself() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE TABLE kept (id int); BEGIN; INSERT INTO kept VALUES (1)");
    second.send(&query("SELECT count(*) FROM kept"));
    first.run("INSERT INTO kept VALUES (2)");
    first.run("COMMIT");
    assert_eq!(second.until_ready()[1].row(), [Some("2".to_owned())]);
}

#[test]
fn copy_data_that_is_still_coming_after_an_error_reaches_no_other_client() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE TABLE numbers (id int)");
    first.send(&query("COPY numbers FROM STDIN"));
    first.until(b'G');
    // The second message is announced with 1000 bytes, of which 10 are sent.
    let rest = message(b'd', &[b'x'; 1000]);
    first.send(&[copy_data(b"no number\n"), rest[..15].to_vec()].concat());
    assert_eq!(tags(&first.until_ready()), "E22P02 ZI");
    second.send(&query("SELECT 'mine'"));
    first.send(&rest[15..]);
    first.send(&copy_done());
    assert_eq!(second.until_ready()[1].row(), [Some("mine".to_owned())]);
    assert_eq!(first.run("SELECT 'still here'"), "still here");
}

#[test]
fn a_client_that_is_gone_in_the_middle_of_a_result_leaves_nothing_of_it() {
    let gateway = gateway();
    let mut first = gateway.client();
    first.send(&query("SELECT repeat('theirs', 1000) FROM generate_series(1, 100000)"));
    first.until(b'D');
    first.vanish();
    assert_eq!(gateway.client().run("SELECT 'mine'"), "mine");
}

#[test]
fn a_client_that_is_gone_in_the_middle_of_a_copy_commits_nothing() {
    let gateway = gateway();
    let mut first = gateway.client();
    first.run("CREATE TABLE numbers (id int)");
    first.send(&[query("COPY numbers FROM STDIN"), copy_data(b"1\n2\n")].concat());
    first.until(b'G');
    first.vanish();
    let mut second = gateway.client();
    assert_eq!(second.run("SELECT count(*) FROM numbers"), "0");
}

#[test]
fn a_rush_of_clients_that_all_keep_their_server_gets_one_each() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(12).start();
    let mut clients: Vec<_> = (0..12).map(|_| gateway.client()).collect();
    clients.iter_mut().for_each(|client| client.send(&query("BEGIN")));
    for client in &mut clients {
        assert_eq!(tags(&client.until_ready()), "C ZT");
    }
}
