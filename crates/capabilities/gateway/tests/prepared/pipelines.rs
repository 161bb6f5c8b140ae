//! Many requests at once are answered as a server answers them.

use atalaya_sandbox::fresh_database;

use crate::support::{
    Client, Login, Message, Setup, bind, close_statement, describe_portal, describe_statement, execute, flush, gateway,
    parse, query, run, sync, tags,
};

/// Says the same to a server and to a gateway before it; both have to answer the same.
#[track_caller]
fn same_as_direct(script: &[Vec<u8>]) -> Vec<String> {
    let (server, database) = fresh_database(18).unwrap();
    server.run_sql(&database, "CREATE TABLE t (x int PRIMARY KEY); GRANT ALL ON t TO public").unwrap();
    let gateway = Setup::of(server, &database).start();
    let superuser = server.superuser();
    let direct = Login {
        port: server.port(),
        user: superuser.name().to_owned(),
        password: superuser.password().to_owned(),
        database: database.clone(),
        settings: Vec::new(),
    };
    let said = |client: &mut Client| -> Vec<String> {
        script
            .iter()
            .map(|bytes| {
                client.send(bytes);
                let mut all = client.until_ready();
                // Whatever still comes stands before the answer to a last Sync.
                client.send(&query("SELECT 'the end'"));
                loop {
                    let more = client.until_ready();
                    let is_row = |said: &Message| said.tag == b'D' && said.row()[0].as_deref() == Some("the end");
                    // In a transaction that has failed there is no other answer.
                    if more.iter().any(is_row) || tags(&more) == "E25P02 ZE" {
                        break;
                    }
                    all.extend(more);
                }
                tags(&all)
            })
            .collect()
    };
    let expected = said(&mut Client::login(&direct));
    server.run_sql(&database, "TRUNCATE t").unwrap();
    let got = said(&mut gateway.client());
    assert_eq!(got, expected);
    got
}

#[test]
fn an_error_in_the_middle_is_answered_up_to_the_next_sync() {
    let got = same_as_direct(&[
        [
            parse("a", "INSERT INTO t VALUES (1)"),
            bind("", "a", &[]),
            execute("", 0),
            parse("b", "SELECT 1 / 0"),
            bind("", "b", &[]),
            execute("", 0),
            parse("c", "SELECT 3"),
            bind("", "c", &[]),
            execute("", 0),
            sync(),
        ]
        .concat(),
        [parse("c", "SELECT 4"), bind("", "c", &[]), execute("", 0), sync()].concat(),
        run("a", &[]),
        run("b", &[]),
        run("c", &[]),
        query("SELECT * FROM t"),
    ]);
    assert!(got[0].contains("E22012"), "{got:?}");
}

#[test]
fn errors_of_the_gateways_own_fail_a_pipeline_as_a_servers_do() {
    same_as_direct(&[
        [parse("a", "INSERT INTO t VALUES (1)"), sync()].concat(),
        [bind("", "a", &[]), execute("", 0), parse("a", "SELECT 1"), bind("", "a", &[]), execute("", 0), sync()]
            .concat(),
        query("SELECT count(*) FROM t"),
        [bind("", "a", &[]), execute("", 0), bind("", "missing", &[]), execute("", 0), sync()].concat(),
        query("SELECT count(*) FROM t"),
        [query("BEGIN"), parse("a", "SELECT 1"), sync(), query("SELECT 1"), query("ROLLBACK")].concat(),
    ]);
}

#[test]
fn simple_queries_within_a_pipeline_are_answered_in_their_place() {
    same_as_direct(&[
        [parse("", "SELECT 1"), bind("", "", &[]), execute("", 0), sync(), query("SELECT 2"), sync()].concat(),
        [parse("x", "SELECT 1"), query("SELEC"), bind("", "x", &[]), execute("", 0), sync()].concat(),
        [query("BEGIN"), query("INSERT INTO t VALUES (1)"), query("COMMIT"), run("x", &[])].concat(),
        [sync(), sync(), query(""), sync()].concat(),
    ]);
}

#[test]
fn portals_give_rows_in_portions() {
    same_as_direct(&[
        [
            parse("s", "SELECT generate_series(1, 5)"),
            bind("p", "s", &[]),
            describe_portal("p"),
            execute("p", 2),
            execute("p", 2),
            execute("p", 0),
            sync(),
        ]
        .concat(),
        [execute("p", 1), sync()].concat(),
        query("BEGIN"),
        [bind("p", "s", &[]), execute("p", 2), sync()].concat(),
        [execute("p", 2), sync()].concat(),
        [bind("p", "s", &[]), sync()].concat(),
        query("ROLLBACK"),
    ]);
}

#[test]
fn descriptions_of_both_kinds_are_the_servers() {
    same_as_direct(&[
        [parse("s", "SELECT $1::int, 'x'::text"), describe_statement("s"), sync()].concat(),
        [bind("p", "s", &["1"]), describe_portal("p"), describe_statement("s"), execute("p", 0), sync()].concat(),
        [parse("", "INSERT INTO t VALUES ($1::int)"), describe_statement(""), sync()].concat(),
        [describe_statement("missing"), sync()].concat(),
        [describe_portal("missing"), sync()].concat(),
        [close_statement("s"), describe_statement("s"), sync()].concat(),
    ]);
}

#[test]
fn nothing_to_run_is_answered_as_nothing() {
    same_as_direct(&[
        query(""),
        query(";;"),
        [parse("", ""), bind("", "", &[]), describe_portal(""), execute("", 0), sync()].concat(),
        [flush(), sync()].concat(),
        [execute("", 0), sync()].concat(),
        [bind("", "missing", &[]), flush(), flush(), sync(), sync()].concat(),
    ]);
}

#[test]
fn answers_come_at_a_flush_without_waiting_for_sync() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send(&[parse("s", "SELECT 1"), flush()].concat());
    assert_eq!(client.message().tag, b'1');
    client.send(&[bind("", "s", &[]), describe_portal(""), execute("", 0), flush()].concat());
    assert_eq!(tags(&client.until(b'C')), "2 T D C");
    client.send(&[bind("", "missing", &[]), flush()].concat());
    assert_eq!(client.message().sqlstate(), "26000");
    client.send(&sync());
    assert_eq!(tags(&client.until_ready()), "ZI");
}

#[test]
fn a_long_pipeline_is_answered_in_order() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("s", "SELECT $1::int");
    let mut writer = client.writer();
    let sent = std::thread::spawn(move || {
        for number in 0..5000 {
            let request = [bind("", "s", &[&number.to_string()]), execute("", 0)].concat();
            std::io::Write::write_all(&mut writer, &request).unwrap();
        }
        std::io::Write::write_all(&mut writer, &sync()).unwrap();
    });
    let said = client.until_ready();
    sent.join().unwrap();
    let values: Vec<_> =
        said.iter().filter(|said| said.tag == b'D').map(|said| said.row()[0].clone().unwrap()).collect();
    assert_eq!(values, (0..5000).map(|number| number.to_string()).collect::<Vec<_>>());
}

fn insert() -> Vec<u8> {
    [parse("", "INSERT INTO t VALUES (1)"), bind("", "", &[]), execute("", 0)].concat()
}

fn unnamed(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", "", &[]), execute("", 0)].concat()
}

/// The server has a statement under the name that the client gave it only when SQL, or the protocol after SQL, asks.
#[test]
fn a_statement_that_the_server_has_to_get_in_a_pipeline_commits_nothing_of_it() {
    for called in [unnamed("EXECUTE by_protocol"), [bind("", "by_sql", &[]), execute("", 0)].concat()] {
        let got = same_as_direct(&[
            [parse("by_protocol", "SELECT 'p'"), sync()].concat(),
            query("PREPARE by_sql AS SELECT 's'"),
            [insert(), called.clone(), unnamed("SELECT 1 / 0"), sync()].concat(),
            query("SELECT * FROM t"),
            [insert(), called.clone(), sync()].concat(),
            query("SELECT * FROM t"),
            query("BEGIN"),
            [unnamed("INSERT INTO t VALUES (2)"), called, unnamed("COMMIT"), sync()].concat(),
            query("SELECT * FROM t"),
        ]);
        assert!(got[2].contains("E22012") && !got[3].contains('D'), "{got:?}");
    }
}

#[test]
fn a_statement_that_the_server_cannot_get_any_more_fails_the_pipeline_that_calls_it() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("CREATE TABLE t (x int); CREATE TABLE gone (x int)");
    client.prepare("by_protocol", "SELECT * FROM gone");
    client.run("PREPARE by_sql AS SELECT * FROM gone");
    client.run("DROP TABLE gone");
    let by_bind = [bind("", "by_sql", &[]), execute("", 0)].concat();
    for called in [unnamed("EXECUTE by_protocol"), unnamed("EXECUTE by_sql"), by_bind] {
        let after = unnamed("INSERT INTO t VALUES (9)");
        assert_eq!(client.tags(&[insert(), called, after, sync()].concat()), "1 2 C E42P01 ZI");
        assert_eq!(client.run("SELECT count(*) FROM t"), "0");
    }
    client.run("CREATE TABLE gone AS SELECT 7 AS x");
    assert_eq!(client.run("EXECUTE by_sql"), "7");
}

#[test]
fn a_simple_query_in_a_pipeline_gets_its_statement_and_its_own_answer() {
    same_as_direct(&[
        query("CREATE TABLE gone (x int)"),
        [parse("there", "SELECT 1"), parse("lost", "SELECT * FROM gone"), sync()].concat(),
        query("PREPARE s AS SELECT * FROM gone"),
        query("DROP TABLE gone"),
        // It commits what came before it.
        [insert(), query("EXECUTE there"), unnamed("SELECT 1 / 0"), sync()].concat(),
        query("SELECT * FROM t"),
        query("TRUNCATE t"),
        [insert(), query("EXECUTE lost"), unnamed("SELECT 1"), sync()].concat(),
        query("SELECT * FROM t"),
        [insert(), query("EXECUTE s"), unnamed("SELECT 1"), sync()].concat(),
        query("SELECT * FROM t"),
        query("BEGIN"),
        query("INSERT INTO t VALUES (3)"),
        query("EXECUTE lost"),
        query("SELECT 1"),
        query("ROLLBACK"),
    ]);
}

#[test]
fn a_name_that_is_deallocated_is_free_at_once() {
    let take = |sql: &str| [parse("s", sql), bind("", "s", &[]), execute("", 0)].concat();
    let got = same_as_direct(&[
        [parse("s", "SELECT 1"), sync()].concat(),
        query("BEGIN"),
        query("DEALLOCATE s"),
        [take("SELECT 1, 2"), sync()].concat(),
        query("COMMIT"),
        [describe_statement("s"), run("s", &[])].concat(),
        [unnamed("DEALLOCATE s"), take("SELECT 3"), sync()].concat(),
        [unnamed("DEALLOCATE s"), bind("", "s", &[]), execute("", 0), sync()].concat(),
        run("s", &[]),
        [take("SELECT 4"), sync()].concat(),
        query("BEGIN"),
        query("DEALLOCATE missing"),
        query("ROLLBACK"),
        [take("SELECT 5"), sync()].concat(),
        query("DEALLOCATE s; DEALLOCATE missing"),
        [take("SELECT 6"), sync()].concat(),
        query("BEGIN"),
        query("DEALLOCATE s"),
        query("EXECUTE s"),
        query("ROLLBACK"),
        run("s", &[]),
    ]);
    assert!(got[3].starts_with('1') && got[15].starts_with('1'), "{got:?}");
}
