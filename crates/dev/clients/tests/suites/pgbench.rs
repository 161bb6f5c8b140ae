//! pgbench: many clients on few servers, in each of its protocols, with and without a connection for each transaction.

use std::process::Command;
use std::time::Duration;

use atalaya_sandbox::client_tools;

use crate::harness::{Door, Gateway, Lab, NEWEST, OLDER, Pooling, Tls, programs, run};

const LIMIT: Duration = Duration::from_secs(240);
const CLIENTS: usize = 8;
const TRANSACTIONS: usize = 40;

fn pgbench(lab: &Lab, door: &Door) -> Command {
    let mut pgbench = Command::new(client_tools(NEWEST).unwrap().join("pgbench"));
    pgbench.env_clear().env("LC_ALL", "C.UTF-8");
    lab.address(&mut pgbench, door);
    pgbench
}

/// Runs it to its end; every transaction has to be done.
fn bench(lab: &Lab, door: &Door, protocol: &str, further: &[&str]) {
    let mut command = pgbench(lab, door);
    command.args([
        "--no-vacuum",
        // A thread for each: while one prepares a statement it waits for nothing else, so a client that waits for a server
        // would keep another of its thread from ending its transaction.
        &format!("--jobs={CLIENTS}"),
        &format!("--client={CLIENTS}"),
        &format!("--transactions={TRANSACTIONS}"),
    ]);
    command.arg(format!("--protocol={protocol}")).args(further);
    let said = run(&mut command, LIMIT).output(&format!("pgbench {protocol} {further:?}"));
    let all = CLIENTS * TRANSACTIONS;
    let done = format!("number of transactions actually processed: {all}/{all}");
    assert!(said.contains(&done), "not `{done}`, but:\n{said}");
    assert!(said.contains("number of failed transactions: 0 "), "{said}");
}

fn value(lab: &Lab, sql: &str) -> String {
    lab.server.run_sql(&lab.database, sql).unwrap()
}

fn prepared_lab(major: u16) -> Lab {
    let lab = Lab::new(major, 0);
    lab.server.give_public_schema(&lab.role, &lab.database).unwrap();
    lab
}

fn every_protocol_adds_up(major: u16, pooling: Pooling, servers_max: usize) {
    let lab = prepared_lab(major);
    let gateway = Gateway::start(&lab, pooling, servers_max, Tls::Without);
    // Its tables are made through the gateway too: COPY, VACUUM, keys.
    run(pgbench(&lab, &gateway.door()).args(["-i", "-s", "1", "-q"]), LIMIT).output("pgbench -i");
    assert_eq!(value(&lab, "SELECT count(*) FROM pgbench_accounts"), "100000");
    let mut runs = 0;
    for protocol in ["simple", "extended", "prepared"] {
        for further in [[].as_slice(), &["--connect"]] {
            bench(&lab, &gateway.door(), protocol, further);
            runs += 1;
        }
    }
    let sums = "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
                       (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history),
                       (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history),
                       (SELECT count(*) FROM pgbench_history)";
    assert_eq!(value(&lab, sums), format!("t|t|t|{}", runs * CLIENTS * TRANSACTIONS));
}

#[test]
fn every_protocol_adds_up_with_session_pooling() {
    // One more than there are clients at a time: with a connection for each transaction, the one that leaves and the one
    // that comes are there together.
    every_protocol_adds_up(NEWEST, Pooling::Session, 2 * CLIENTS);
}

#[test]
fn every_protocol_adds_up_with_transaction_pooling_on_two_servers() {
    every_protocol_adds_up(NEWEST, Pooling::Transaction, 2);
}

#[test]
fn every_protocol_adds_up_with_transaction_pooling_on_one_server() {
    every_protocol_adds_up(NEWEST, Pooling::Transaction, 1);
}

#[test]
fn every_protocol_adds_up_before_older_servers() {
    for major in OLDER {
        every_protocol_adds_up(major, Pooling::Session, 2 * CLIENTS);
        every_protocol_adds_up(major, Pooling::Transaction, 2);
    }
}

#[test]
fn pipelines_and_transfers_share_two_servers() {
    let lab = prepared_lab(NEWEST);
    let tables = "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
                  INSERT INTO accounts SELECT n, 1000 FROM generate_series(1, 100) n;
                  CREATE TABLE moves (client int, source int, target int, amount int)";
    lab.server.run_sql(&lab.database, tables).unwrap();
    lab.server.give_public_schema(&lab.role, &lab.database).unwrap();
    let gateway = Gateway::start(&lab, Pooling::Transaction, 2, Tls::Without);
    let [ledger, pipeline] = ["ledger.sql", "pipeline.sql"]
        .map(|file| format!("--file={}", programs().join("pgbench").join(file).display()));
    for protocol in ["simple", "extended", "prepared"] {
        // Accounts are locked in any order: whoever met a deadlock tries again.
        bench(&lab, &gateway.door(), protocol, &[&ledger, "--max-tries=100"]);
    }
    for protocol in ["extended", "prepared"] {
        bench(&lab, &gateway.door(), protocol, &[&pipeline, "--max-tries=100"]);
    }
    assert_eq!(value(&lab, "SELECT sum(balance) FROM accounts"), "100000");
    assert_eq!(value(&lab, "SELECT count(*) FROM moves"), (3 * CLIENTS * TRANSACTIONS).to_string());
    let books = "SELECT count(*) FROM accounts a WHERE balance <> 1000
                   + coalesce((SELECT sum(amount) FROM moves WHERE target = a.id), 0)
                   - coalesce((SELECT sum(amount) FROM moves WHERE source = a.id), 0)";
    assert_eq!(value(&lab, books), "0");
}
