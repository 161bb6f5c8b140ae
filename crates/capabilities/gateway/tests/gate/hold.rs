//! Closing and opening.

use atalaya_gateway::admin::{Answer, Refused, Request};
use atalaya_sandbox::eventually;

use crate::support::{Client, bind, copy_data, copy_done, execute, flush, gateway, parse, query, sync, tags};

fn waiting(gateway: &crate::support::Gateway, count: usize) {
    eventually(&format!("{count} wait"), || gateway.status().gate.waiting == count);
}

#[test]
fn a_pause_waits_for_those_who_run_and_holds_those_who_come() {
    let gateway = gateway();
    let (mut running, mut late) = (gateway.client(), gateway.client());
    running.run("CREATE TABLE t (x int); BEGIN; INSERT INTO t VALUES (1)");
    std::thread::scope(|scope| {
        let pause = scope.spawn(|| gateway.pause());
        eventually("the gate is closed", || gateway.status().gate.paused_epoch.is_some());
        late.send(&query("SELECT count(*) FROM t"));
        waiting(&gateway, 1);
        assert!(!pause.is_finished());
        running.run("INSERT INTO t VALUES (2)");
        running.run("COMMIT");
        let epoch = pause.join().unwrap();
        assert_eq!(gateway.status().gate.running, 0);
        match gateway.try_resume(Some(epoch), None) {
            Answer::Resumed { clients_held: 1, clients_ended: 0, .. } => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(late.until_ready()[1].row(), [Some("2".to_owned())]);
    });
}

#[test]
fn those_who_were_held_go_on_in_their_order() {
    let gateway = gateway();
    gateway.client().run("CREATE TABLE came (number serial, who int)");
    let mut clients: Vec<_> = (0..8).map(|_| gateway.client()).collect();
    let epoch = gateway.pause();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(&query(&format!("INSERT INTO came (who) VALUES ({number})")));
        waiting(&gateway, number + 1);
    }
    gateway.resume(epoch);
    for client in &mut clients {
        assert_eq!(tags(&client.until_ready()), "C ZI");
    }
    // Two workers serve them, each in order: nobody is overtaken by one of its own worker.
    let order: Vec<usize> =
        gateway.client().rows("SELECT who FROM came ORDER BY number").iter().map(|who| who.parse().unwrap()).collect();
    for worker in 0..2 {
        let its: Vec<_> = order.iter().filter(|who| *who % 2 == worker).collect();
        assert!(its.is_sorted(), "{order:?}");
    }
}

#[test]
fn a_deadline_opens_the_gate_again_and_cuts_nothing() {
    let gateway = gateway();
    let (mut running, mut late) = (gateway.client(), gateway.client());
    running.run("CREATE TABLE t (x int); BEGIN; INSERT INTO t VALUES (1)");
    match gateway.try_pause(300, 60_000) {
        Err(Refused::NotDrained { running: 1, waited_ms }) => assert!(waited_ms >= 300),
        other => panic!("{other:?}"),
    }
    assert_eq!(gateway.status().gate.paused_epoch, None);
    running.run("COMMIT");
    assert_eq!(late.run("SELECT count(*) FROM t"), "1");
}

#[test]
fn a_second_pause_is_refused_and_names_the_first() {
    let gateway = gateway();
    let epoch = gateway.pause();
    assert_eq!(gateway.try_pause(1000, 1000), Err(Refused::Paused { epoch }));
    gateway.resume(epoch);
    let next = gateway.pause();
    assert_ne!(next, epoch);
    gateway.resume(next);
}

#[test]
fn only_who_closed_it_opens_it() {
    let gateway = gateway();
    let epoch = gateway.pause();
    let refused = |answer| match answer {
        Answer::Refused(refused) => refused,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(gateway.try_resume(Some(epoch + 1), None)), Refused::NotPaused);
    assert_eq!(
        refused(gateway.try_resume(Some(epoch), Some("nowhere"))),
        Refused::NoPlace { to: "nowhere".to_owned() }
    );
    assert_eq!(gateway.status().gate.paused_epoch, Some(epoch));
    assert!(matches!(gateway.try_resume(None, None), Answer::Resumed { .. }));
    assert_eq!(refused(gateway.try_resume(Some(epoch), None)), Refused::NotPaused);
    let other = Request::Pause { database: "other".to_owned(), drain_limit_ms: 1, hold_limit_ms: 1 };
    assert_eq!(refused(gateway.answer(other)), Refused::NoDatabase { database: "other".to_owned() });
}

#[test]
fn a_pause_that_nobody_ends_ends_by_itself() {
    let gateway = gateway();
    let mut client = gateway.client();
    let first = gateway.try_pause(1000, 200).unwrap();
    client.send(&query("SELECT 1"));
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
    assert!(matches!(gateway.try_resume(Some(first), None), Answer::Refused(Refused::NotPaused)));
}

#[test]
fn who_waits_may_leave_and_is_counted_no_more() {
    let gateway = gateway();
    let mut client = gateway.client();
    let epoch = gateway.pause();
    client.send(&query("SELECT 1"));
    waiting(&gateway, 1);
    client.vanish();
    waiting(&gateway, 0);
    gateway.resume(epoch);
    assert_eq!(gateway.client().run("SELECT 1"), "1");
    eventually("nothing runs", || gateway.status().gate.running == 0);
}

#[test]
fn who_waits_for_longer_than_is_allowed_is_told() {
    let (server, database) = atalaya_sandbox::fresh_database(18).unwrap();
    let gateway = crate::support::Setup::of(server, &database).wait_seconds(1).start();
    let mut client = gateway.client();
    let epoch = gateway.pause();
    assert_eq!(client.error("SELECT 1"), "57P03");
    assert_eq!(client.tags(&[parse("s", "SELECT 1"), bind("", "s", &[]), sync()].concat()), "E57P03 ZI");
    gateway.resume(epoch);
    assert_eq!(client.run("SELECT 1"), "1");
}

#[test]
fn a_login_waits_at_the_gate_only_when_a_server_has_to_be_asked() {
    let gateway = gateway();
    gateway.client().run("SELECT 1");
    let epoch = gateway.pause();
    let known = gateway.client();
    let login = gateway.login().with("application_name", "never seen before");
    std::thread::scope(|scope| {
        let unknown = scope.spawn(|| Client::login(&login).run("SHOW application_name"));
        waiting(&gateway, 1);
        gateway.resume(epoch);
        assert_eq!(unknown.join().unwrap(), "never seen before");
    });
    drop(known);
}

#[test]
fn a_copy_is_waited_for() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("CREATE TABLE t (x int)");
    client.send(&query("COPY t FROM STDIN"));
    client.until(b'G');
    std::thread::scope(|scope| {
        let pause = scope.spawn(|| gateway.pause());
        eventually("the gate is closed", || gateway.status().gate.paused_epoch.is_some());
        client.send(&[copy_data(b"1\n"), copy_data(b"2\n")].concat());
        assert!(!pause.is_finished());
        client.send(&copy_done());
        assert_eq!(tags(&client.until_ready()), "C ZI");
        gateway.resume(pause.join().unwrap());
    });
    assert_eq!(client.run("SELECT count(*) FROM t"), "2");
}

#[test]
fn a_pipeline_is_waited_for_up_to_its_sync() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("CREATE TABLE t (x int)");
    client.send(&[parse("", "INSERT INTO t VALUES (1)"), bind("", "", &[]), execute("", 0), flush()].concat());
    client.until(b'C');
    std::thread::scope(|scope| {
        let pause = scope.spawn(|| gateway.pause());
        eventually("the gate is closed", || gateway.status().gate.paused_epoch.is_some());
        client.send(&[bind("", "", &[]), execute("", 0), flush()].concat());
        client.until(b'C');
        assert!(!pause.is_finished());
        client.send(&[sync(), query("SELECT count(*) FROM t")].concat());
        assert_eq!(tags(&client.until_ready()), "ZI");
        let epoch = pause.join().unwrap();
        gateway.resume(epoch);
    });
    assert_eq!(client.until_ready()[1].row(), [Some("2".to_owned())]);
}

#[test]
fn a_client_that_vanishes_within_a_transaction_is_not_waited_for() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("BEGIN");
    std::thread::scope(|scope| {
        let pause = scope.spawn(|| gateway.pause());
        eventually("the gate is closed", || gateway.status().gate.paused_epoch.is_some());
        client.vanish();
        gateway.resume(pause.join().unwrap());
    });
}

#[test]
fn a_bound_client_without_a_transaction_does_not_hold_up_a_pause() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.run("CREATE TEMP TABLE t AS SELECT 1 AS x");
    let epoch = gateway.pause();
    client.send(&query("SELECT x FROM t"));
    waiting(&gateway, 1);
    gateway.resume(epoch);
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
}
