//! Pauses while clients work.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use atalaya_gateway::admin::Refused;
use atalaya_sandbox::fresh_database;

use crate::support::{Setup, query, run, tags};

/// Eight clients move money between accounts, and note what was confirmed.
#[test]
fn nothing_is_lost_or_done_twice_by_pauses_under_load() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(3).start();
    gateway.client().run(
        "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL); INSERT INTO account SELECT generate_series(0, 7), 1000;
         CREATE TABLE entry (client int, number bigint, PRIMARY KEY (client, number))",
    );
    let is_over = AtomicBool::new(false);
    let confirmed: Vec<AtomicU64> = (0..8).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for number in 0..8_usize {
            let (gateway, confirmed, is_over) = (&gateway, &confirmed, &is_over);
            scope.spawn(move || {
                let mut client = gateway.client();
                client.prepare("entry", "INSERT INTO entry VALUES ($1, $2)");
                let mut done = 0;
                while !is_over.load(Ordering::Relaxed) {
                    done += 1;
                    if done % 2 == 0 {
                        let from = number.min((number + 3) % 8);
                        let to = number.max((number + 3) % 8);
                        client.run("BEGIN");
                        client.run(&format!("UPDATE account SET balance = balance - 1 WHERE id = {from}"));
                        client.run(&format!("UPDATE account SET balance = balance + 1 WHERE id = {to}"));
                        client.execute("entry", &[&number.to_string(), &done.to_string()]);
                        client.run("COMMIT");
                    } else {
                        let got = client.tags(&run("entry", &[&number.to_string(), &done.to_string()]));
                        assert_eq!(got, "2 C ZI");
                    }
                    confirmed[number].store(done, Ordering::Relaxed);
                }
            });
        }
        let mut pauses = 0;
        let counted = || confirmed.iter().map(|count| count.load(Ordering::Relaxed)).sum::<u64>();
        while pauses < 15 {
            let before = counted();
            atalaya_sandbox::eventually("work is done", || counted() > before + 8);
            match gateway.try_pause(20_000, 60_000) {
                Ok(epoch) => {
                    let held = server.run_sql(&database, "SELECT count(*) FROM entry").unwrap();
                    assert_eq!(server.run_sql(&database, "SELECT count(*) FROM entry").unwrap(), held);
                    gateway.resume(epoch);
                }
                Err(Refused::NotDrained { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
            pauses += 1;
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let mut client = gateway.client();
    assert_eq!(client.run("SELECT sum(balance) FROM account"), "8000");
    for (number, count) in confirmed.iter().enumerate() {
        let sql = format!("SELECT count(*), max(number) FROM entry WHERE client = {number}");
        let count = count.load(Ordering::Relaxed);
        assert_eq!(client.run(&sql), format!("{count}|{count}"));
    }
    assert_eq!(tags(&client.ask(&query("SELECT 1"))), "T D C ZI");
}
