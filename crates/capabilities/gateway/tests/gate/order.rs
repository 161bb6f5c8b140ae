//! In which order clients go on that a gate has held.

use std::sync::Barrier;

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Setup, query, tags};

const HELD: usize = 8;
const LATE: usize = 4;

/// One worker and one server, so that there is one order.
#[test]
fn those_who_were_held_go_on_as_they_came_and_who_arrives_while_it_opens_changes_nothing_of_that() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).workers(1).start();
    gateway.client().run("CREATE TABLE came (number serial, round int, who int)");
    let mut held: Vec<_> = (0..HELD).map(|_| gateway.client()).collect();
    let mut late: Vec<_> = (0..LATE).map(|_| gateway.client()).collect();
    let insert = |round: usize, who: usize| query(&format!("INSERT INTO came (round, who) VALUES ({round}, {who})"));
    for round in 0..10 {
        let epoch = gateway.pause();
        for (who, client) in held.iter_mut().enumerate() {
            client.send(&insert(round, who));
            eventually("it waits", || gateway.status().gate.waiting == who + 1);
        }
        let begun = Barrier::new(LATE + 1);
        std::thread::scope(|scope| {
            for (number, client) in late.iter_mut().enumerate() {
                let begun = &begun;
                scope.spawn(move || {
                    begun.wait();
                    assert_eq!(client.tags(&insert(round, HELD + number)), "C ZI");
                });
            }
            begun.wait();
            gateway.resume(epoch);
        });
        for client in &mut held {
            assert_eq!(tags(&client.until_ready()), "C ZI");
        }
        let sql = format!("SELECT who FROM came WHERE round = {round} ORDER BY number");
        let order: Vec<usize> = gateway.client().rows(&sql).iter().map(|who| who.parse().unwrap()).collect();
        assert_eq!(order.len(), HELD + LATE);
        let of_held: Vec<_> = order.iter().filter(|who| **who < HELD).collect();
        assert!(of_held.is_sorted(), "{order:?}");
    }
}
