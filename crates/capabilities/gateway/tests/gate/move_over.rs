//! A database that is led to another server while its clients stay.

use atalaya_gateway::admin::{Answer, Request};
use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Gateway, Setup, query, run, tags};

/// A gateway before 18, with a database of 16 to move to. Both tell who they are.
fn two_places() -> Gateway {
    let (blue, blue_database) = fresh_database(18).unwrap();
    let (green, green_database) = fresh_database(16).unwrap();
    for (server, database, name) in [(blue, &blue_database, "blue"), (green, &green_database, "green")] {
        server
            .run_sql(database, &format!("CREATE TABLE place AS SELECT '{name}' AS name; GRANT ALL ON place TO public"))
            .unwrap();
    }
    Setup::of(blue, &blue_database).green(green, &green_database).servers_max(3).start()
}

fn move_to(gateway: &Gateway, place: &str) -> usize {
    let epoch = gateway.pause();
    match gateway.try_resume(Some(epoch), Some(place)) {
        Answer::Resumed { clients_ended, .. } => clients_ended,
        other => panic!("{other:?}"),
    }
}

#[test]
fn clients_stay_with_their_statements_and_settings() {
    let gateway = two_places();
    let mut client = gateway.client();
    client.run("SET work_mem = '9MB'; SET a.b = 'mine'; SET TimeZone = 'Asia/Tokyo'");
    client.prepare("named", "SELECT name FROM place");
    client.run("PREPARE by_sql AS SELECT name || '!' FROM place");
    client.prepare("", "SELECT name || '?' FROM place");
    assert_eq!(client.execute("named", &[]), "blue");
    assert_eq!(move_to(&gateway, "green"), 0);
    assert_eq!(gateway.status().to, "green");
    assert_eq!(client.execute("", &[]), "green?");
    assert_eq!(client.execute("named", &[]), "green");
    assert_eq!(client.run("EXECUTE by_sql"), "green!");
    assert_eq!(
        client.run("SELECT current_setting('work_mem'), current_setting('a.b'), current_setting('TimeZone')"),
        "9MB|mine|Asia/Tokyo"
    );
    assert_eq!(move_to(&gateway, "blue"), 0);
    assert_eq!(client.execute("named", &[]), "blue");
}

#[test]
fn who_has_set_what_the_new_server_does_not_know_is_ended_there() {
    let gateway = two_places();
    let (mut newer, mut older) = (gateway.client(), gateway.client());
    newer.run("SET transaction_timeout = '1min'");
    older.run("SET statement_timeout = '1min'");
    assert_eq!(move_to(&gateway, "green"), 0);
    newer.send(&query("SELECT name FROM place"));
    assert_eq!(tags(&newer.until_end()), "E57P01");
    assert_eq!(older.run("SELECT name, current_setting('statement_timeout') FROM place"), "green|1min");
    eventually("nothing runs", || gateway.status().gate.running == 0);
    assert_eq!(gateway.status().ended_at_server_change, 1);
}

#[test]
fn those_who_were_held_meet_the_new_server_only() {
    let gateway = two_places();
    let mut clients: Vec<_> = (0..6).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.run("SELECT 1");
    }
    let epoch = gateway.pause();
    for client in &mut clients {
        client.send(&query("SELECT name FROM place"));
    }
    eventually("they wait", || gateway.status().gate.waiting == 6);
    assert!(matches!(gateway.try_resume(Some(epoch), Some("green")), Answer::Resumed { clients_held: 6, .. }));
    for client in &mut clients {
        assert_eq!(
            client.until_ready().iter().find(|said| said.tag == b'D').unwrap().row(),
            [Some("green".to_owned())]
        );
    }
}

#[test]
fn what_the_new_server_reports_otherwise_is_told() {
    let gateway = two_places();
    let mut client = gateway.client();
    let version = |reported: &[(String, String)]| {
        reported.iter().find(|(name, _)| name == "server_version").map(|(_, value)| value.clone()).unwrap()
    };
    assert!(version(&client.reported).starts_with("18"));
    move_to(&gateway, "green");
    let said = client.ask(&query("SELECT 1"));
    let told: Vec<_> = said.iter().filter(|said| said.tag == b'S').map(|said| said.texts()).collect();
    assert!(told.iter().any(|texts| texts[0] == "server_version" && texts[1].starts_with("16")), "{said:?}");
    assert_eq!(client.tags(&query("SELECT 1")), "T D C ZI");
    assert!(version(&gateway.client().reported).starts_with("16"));
}

#[test]
fn bound_clients_are_listed_before_and_ended_with_a_reason() {
    let gateway = two_places();
    let (mut bound, mut free) = (gateway.client(), gateway.client());
    bound.run("CREATE TEMP TABLE t (x int)");
    eventually("it is listed", || gateway.status().kept.len() == 1);
    assert_eq!(gateway.status().kept[0].process_id, bound.process_id);
    assert_eq!(move_to(&gateway, "green"), 1);
    assert_eq!(tags(&bound.until_end()), "E57P01");
    assert_eq!(free.run("SELECT name FROM place"), "green");
    assert_eq!(gateway.status().ended_at_server_change, 1);
    assert!(gateway.status().kept.is_empty());
}

#[test]
fn a_bound_client_that_waits_at_the_gate_is_ended_with_a_reason_too() {
    let gateway = two_places();
    let mut bound = gateway.client();
    bound.run("CREATE TEMP TABLE t (x int)");
    eventually("it is listed", || gateway.status().kept.len() == 1);
    let epoch = gateway.pause();
    bound.send(&query("SELECT * FROM t"));
    eventually("it waits", || gateway.status().gate.waiting == 1);
    assert!(matches!(gateway.try_resume(Some(epoch), Some("green")), Answer::Resumed { clients_ended: 1, .. }));
    assert_eq!(tags(&bound.until_end()), "E57P01");
    assert_eq!(gateway.client().run("SELECT name FROM place"), "green");
    eventually("nothing runs", || gateway.status().gate.running == 0);
}

#[test]
fn a_statement_that_means_something_else_there_is_refused_to_who_has_it_and_served_to_who_prepares_it() {
    let gateway = two_places();
    let (mut old, mut new) = (gateway.client(), gateway.client());
    old.prepare("s", "SELECT * FROM place");
    move_to(&gateway, "green");
    let mut admin = gateway.client();
    let green = admin.run("SELECT current_database()");
    atalaya_sandbox::fresh_database(16).unwrap().0.run_sql(&green, "ALTER TABLE place ADD more int").unwrap();
    old.run("SELECT 1");
    assert_eq!(old.tags(&run("s", &[])), "E0A000 ZI");
    new.prepare("s", "SELECT * FROM place");
    assert_eq!(new.execute("s", &[]), "green|~");
}

#[test]
fn clients_that_lend_a_server_for_their_session_move_when_nothing_binds_them() {
    let (blue, blue_database) = fresh_database(18).unwrap();
    let (green, green_database) = fresh_database(16).unwrap();
    let setup = Setup::of(blue, &blue_database).green(green, &green_database).servers_max(3);
    let gateway = setup.database("pooling: session").start();
    let (mut free, mut bound) = (gateway.client(), gateway.client());
    free.run("SET work_mem = '9MB'");
    bound.run("CREATE TEMP TABLE t (x int)");
    eventually("it is listed", || gateway.status().kept.len() == 1);
    move_to(&gateway, "green");
    assert_eq!(
        free.run("SELECT current_setting('work_mem'), current_setting('server_version_num')::int / 10000"),
        "9MB|16"
    );
    assert_eq!(tags(&bound.until_end()), "E57P01");
}

#[test]
fn who_knows_types_by_number_is_ended_even_if_it_waits_while_the_estate_leads_elsewhere() {
    let (blue, blue_database) = fresh_database(18).unwrap();
    let (green, green_database) = fresh_database(16).unwrap();
    let setup = Setup::of(blue, &blue_database).green(green, &green_database);
    let gateway = setup.start();
    let [mut first, mut knowing, mut other] = [(); 3].map(|()| gateway.client());
    first.run("CREATE TYPE mood AS ENUM ('ok')");
    knowing.run("SELECT 'ok'::mood");
    other.run("SELECT 'ok'");
    first.run("BEGIN");
    for waiting in [&mut knowing, &mut other] {
        waiting.send(&query("SHOW server_version_num"));
    }
    eventually("both wait", || gateway.status().pools[0].clients_waiting == 2);
    setup.lead_to("green");
    assert!(matches!(gateway.answer(Request::Reload), Answer::Reloaded));
    first.run("COMMIT");
    assert_eq!(tags(&knowing.until_end()), "E57P01");
    assert!(tags(&other.until_ready()).contains("D C ZI"));
}
