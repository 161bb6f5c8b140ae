//! Who is ended when clients are led elsewhere, and when a server ends every session: counted by why, and nobody else.

use atalaya_sandbox::eventually;

use super::lab::{LONG, Lab, Steered};
use crate::support::{bind, execute, message, query, sync, tags};

const PLACE: &str = "SELECT name FROM place";

/// A statement whose parameter is of a given type.
fn parse_typed(sql: &str, type_number: u32) -> Vec<u8> {
    let types = [&[0, 1][..], &type_number.to_be_bytes()].concat();
    message(b'P', &[b"\0", sql.as_bytes(), b"\0", &types[..]].concat())
}

#[test]
fn who_may_know_a_types_number_is_ended_and_counted_apart() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let [mut asked, mut given, mut tables, mut tied] = [(); 4].map(|()| gateway.client());
    let number: u32 = asked.run("SELECT typarray FROM pg_type WHERE typname = 'place'").parse().unwrap();
    // No answer tells it of the type.
    let messages = [parse_typed("SELECT 1 WHERE $1 IS NULL", number), bind("", "", &["{}"]), execute("", 0), sync()];
    assert_eq!(given.tags(&messages.concat()), "1 2 C ZI");
    tables.run("SELECT oid, relname FROM pg_class LIMIT 1");
    tied.run("CREATE TEMP TABLE t (x int); SELECT t FROM t");
    eventually("it is listed", || gateway.status().kept.len() == 1);
    let ready = gateway.ready();
    assert_eq!((ready.kept.len(), ready.misled), (1, 2));
    let epoch = lab.open(&routes, &[&ready], LONG);
    gateway.arm(&epoch);
    given.send(&query(PLACE));
    eventually("it waits", || gateway.status().gate.waiting == 1);
    lab.fence(&[&ready]);
    lab.flip(&routes, &epoch);
    let settled = gateway.settle(&epoch);
    assert_eq!((settled.clients_ended, settled.clients_misled), (1, 2));
    for client in [&mut asked, &mut given, &mut tied] {
        assert_eq!(tags(&client.until_end()), "E57P01");
    }
    assert_eq!(tables.run(PLACE), "green");
}

#[test]
fn a_session_that_nothing_ties_outlives_the_end_of_its_servers_session_while_it_is_held() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.setup.clone().database("pooling: session").start(), lab.routes());
    let [mut idle, mut waiting, mut tied] = [(); 3].map(|()| gateway.client());
    idle.run("SET work_mem = '9MB'");
    waiting.run("SET work_mem = '8MB'");
    tied.run("CREATE TEMP TABLE t (x int)");
    eventually("it is listed", || gateway.status().kept.len() == 1);
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], LONG);
    gateway.arm(&epoch);
    waiting.send(&query("SELECT name, current_setting('work_mem') FROM place"));
    eventually("it waits", || gateway.status().gate.waiting == 1);
    lab.fence(&[&ready]);
    assert_eq!(tags(&tied.until_end()), "E57P01");
    eventually("servers are given up", || gateway.status().pools[0].servers_used == 0);
    lab.close(&routes, &epoch);
    let settled = gateway.settle(&epoch);
    assert_eq!((settled.clients_ended, settled.clients_misled), (1, 0));
    let said = waiting.until_ready();
    let row = said.iter().find(|said| said.tag == b'D').unwrap().row();
    assert_eq!(row, [Some("blue".to_owned()), Some("8MB".to_owned())]);
    assert_eq!(idle.run("SELECT current_setting('work_mem')"), "9MB");
}
