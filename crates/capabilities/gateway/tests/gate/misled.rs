//! Who may know a type's number that the place where clients are led gives to another type: counted by `resume --to`, and
//! ended before it could read or write by it.

use atalaya_gateway::admin::Answer;
use atalaya_sandbox::{Server, eventually, fresh_database};

use crate::support::{Client, Gateway, Setup, copy_data, copy_done, query, run, tags};

/// Types, and a table with a column of each.
const TYPES: &str = "CREATE TYPE mood AS ENUM ('ok'); CREATE TYPE spot AS (x int, feeling mood);
     CREATE TABLE t (id int, word text, words text[], feeling mood, feelings mood[], spot spot);
     INSERT INTO t VALUES (1, 'a', '{b}', 'ok', '{ok}', '(1,ok)'); GRANT ALL ON t TO public";

/// Two places that number those types otherwise.
fn two_places() -> Gateway {
    let (blue, blue_database) = fresh_database(18).unwrap();
    let (green, green_database) = fresh_database(16).unwrap();
    blue.run_sql(&blue_database, TYPES).unwrap();
    let number = |server: &Server, database: &str| server.run_sql(database, "SELECT 'mood'::regtype::oid").unwrap();
    green.run_sql(&green_database, TYPES).unwrap();
    if number(blue, &blue_database) == number(green, &green_database) {
        green.run_sql(&green_database, &format!("DROP TABLE t; DROP TYPE spot, mood; {TYPES}")).unwrap();
    }
    Setup::of(blue, &blue_database).green(green, &green_database).servers_max(4).start()
}

/// Who is ended by a move: those that are tied, and those that are misled.
fn ended_by_moving(gateway: &Gateway) -> (usize, usize) {
    let epoch = gateway.pause();
    match gateway.try_resume(Some(epoch), Some("green")) {
        Answer::Resumed { clients_ended, clients_misled, .. } => (clients_ended, clients_misled),
        other => panic!("{other:?}"),
    }
}

fn is_served(client: &mut Client) -> bool {
    client.send(&query("SHOW server_version_num"));
    match client.message().tag {
        b'E' => {
            assert_eq!(tags(&client.until_end()), "");
            false
        }
        _ => client.until_ready().len() > 2,
    }
}

/// What a COPY to the client says, all in one.
fn copied(client: &mut Client, sql: &str) -> Vec<u8> {
    let said = client.ask(&query(sql));
    assert!(tags(&said).starts_with("H d") && tags(&said).ends_with("c C ZI"), "{said:?}");
    said.iter().filter(|said| said.tag == b'd').flat_map(|said| said.body.clone()).collect()
}

#[test]
fn what_is_copied_in_binary_holds_numbers_that_no_description_names() {
    let gateway = two_places();
    let mut asks = gateway.client();
    let numbers: Vec<u32> = asks
        .run("SELECT 'mood'::regtype::oid, 'spot'::regtype::oid")
        .split('|')
        .map(|number| number.parse().unwrap())
        .collect();
    drop(asks);
    for (sql, holds) in [
        ("COPY (SELECT feelings FROM t) TO STDOUT BINARY", numbers[0]),
        ("COPY (SELECT spot FROM t) TO STDOUT (FORMAT binary)", numbers[0]),
        ("COPY (SELECT ARRAY[spot] FROM t) TO STDOUT (FORMAT 'binary')", numbers[1]),
    ] {
        let mut client = gateway.client();
        let data = copied(&mut client, sql);
        assert!(
            data.windows(4).any(|bytes| bytes == holds.to_be_bytes()),
            "{sql}: no answer but the data tell of a type"
        );
    }
}

#[test]
fn copies_in_binary_either_way_are_misled_and_copies_of_text_are_not() {
    let gateway = two_places();
    let [mut source, mut from, mut to, mut pipelined, mut text, mut plain] = [(); 6].map(|()| gateway.client());
    let data = copied(&mut source, "COPY t (feelings) TO STDOUT BINARY");
    drop(source);
    eventually("it is gone", || gateway.status().clients == 5);
    copied(&mut from, "COPY t (spot) TO STDOUT (FORMAT binary)");
    to.send(&query("COPY t (feelings) FROM STDIN (FORMAT binary)"));
    to.until(b'G');
    to.send(&[copy_data(&data), copy_done()].concat());
    assert_eq!(tags(&to.until_ready()), "C ZI");
    pipelined.prepare("s", "COPY t (feelings) TO STDOUT BINARY");
    assert!(pipelined.tags(&run("s", &[])).starts_with("2 H d"));
    copied(&mut text, "COPY t TO STDOUT");
    copied(&mut text, "COPY t TO STDOUT CSV");
    text.send(&query("COPY t (id, feelings) FROM STDIN"));
    text.until(b'G');
    text.send(&[copy_data(b"2\t{ok}\n"), copy_done()].concat());
    assert_eq!(tags(&text.until_ready()), "C ZI");
    assert_eq!(plain.run("SELECT word FROM t WHERE id = 1"), "a");
    assert_eq!(ended_by_moving(&gateway), (0, 3));
    assert_eq!([&mut from, &mut to, &mut pipelined].map(is_served), [false; 3]);
    assert_eq!([&mut text, &mut plain].map(is_served), [true; 2]);
    assert_eq!(gateway.status().ended_at_server_change, 3);
}

#[test]
fn rows_whose_columns_nobody_names_count_and_who_is_tied_counts_once() {
    let gateway = two_places();
    let [mut row, mut rows, mut plain, mut tied] = [(); 4].map(|()| gateway.client());
    // Described as `record` and `record[]`: each value's own columns are told with the value.
    assert_eq!(row.run("SELECT ROW(1, feeling) FROM t WHERE id = 1"), "(1,ok)");
    assert_eq!(rows.run("SELECT ARRAY[ROW(1, feeling)] FROM t WHERE id = 1"), "{\"(1,ok)\"}");
    assert_eq!(plain.run("SELECT words FROM t WHERE id = 1"), "{b}");
    tied.run("CREATE TEMP TABLE own AS SELECT feeling FROM t; SELECT feeling FROM own");
    eventually("it is tied", || gateway.status().kept.len() == 1);
    assert_eq!(ended_by_moving(&gateway), (1, 2));
    assert_eq!([&mut row, &mut rows, &mut tied].map(is_served), [false; 3]);
    assert!(is_served(&mut plain));
}

#[test]
fn nobody_is_misled_where_numbers_are_the_same() {
    let gateway = two_places();
    let mut client = gateway.client();
    copied(&mut client, "COPY t (feelings) TO STDOUT BINARY");
    let epoch = gateway.pause();
    match gateway.try_resume(Some(epoch), Some("blue")) {
        Answer::Resumed { clients_ended: 0, clients_misled: 0, .. } => {}
        other => panic!("{other:?}"),
    }
    assert!(is_served(&mut client));
}
