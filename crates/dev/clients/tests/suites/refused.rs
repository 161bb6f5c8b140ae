//! Drivers that wait in vain at a gateway: for a server that others have, before a closed gate, for a server that is gone. Each
//! is told an SQLSTATE that it knows, and goes on by the same connection when the wait is over.

use atalaya_sandbox::{Proxy, client_tools, eventually};

use crate::harness::{Driver, Gateway, Lab, NEWEST, Program, Tls, clean};

/// Long enough for all that do get the server, one after the other, however busy the machine is.
const OPTIONS: &str = "pooling: transaction, servers_max: 1, wait_seconds: 6";
const TRIES: usize = 30;

fn drivers(lab: &Lab, gateway: &Gateway) -> Vec<Driver> {
    let programs = [
        ("psycopg", Program::Psycopg),
        ("asyncpg", Program::Asyncpg),
        ("node-postgres", Program::NodePostgres),
        ("pgjdbc", Program::Pgjdbc),
        ("tokio-postgres", Program::TokioPostgres),
        ("sqlx", Program::Sqlx),
    ];
    let start = |(name, program): (&'static str, Program)| {
        let mut command = program.asking();
        lab.address(&mut command, &gateway.door());
        command.env("CLIENT_SCHEMA", Lab::schema(0));
        let mut driver = Driver::start(name, command);
        // One after the other: each has the only server for as long as it takes.
        driver.tell("begin");
        driver.says("right", "at first");
        driver
    };
    programs.map(start).into()
}

fn all_are_told(drivers: &mut [Driver], wanted: &str, when: &str) {
    drivers.iter_mut().for_each(|driver| driver.tell(when));
    drivers.iter().for_each(|driver| driver.says(wanted, when));
}

#[test]
fn drivers_are_told_what_they_know_when_they_have_waited_in_vain_and_go_on_by_the_same_connection() {
    let lab = Lab::new(NEWEST, 1);
    let proxy = Proxy::start(lab.server.port()).unwrap();
    let gateway = Gateway::before(proxy.port(), &lab, OPTIONS, Tls::Without);
    let mut drivers = drivers(&lab, &gateway);

    let mut psql = clean(client_tools(NEWEST).unwrap().join("psql"));
    lab.address(&mut psql, &gateway.door());
    psql.args(["-X", "-q", "-A", "-t"]);
    let mut holder = Driver::start("psql", psql);
    holder.tell("BEGIN; SELECT 'held';");
    holder.says("held", "before others wait");
    all_are_told(&mut drivers, "53300", "while another client has the only server");
    holder.tell("COMMIT; SELECT 'free';");
    holder.says("free", "after others have waited");
    all_are_told(&mut drivers, "right", "once it is free");

    gateway.ask(&["gateway", "pause", &lab.database]);
    all_are_told(&mut drivers, "57P03", "while the gate is closed");
    gateway.ask(&["gateway", "resume", &lab.database]);
    all_are_told(&mut drivers, "right", "once it is open");

    let servers = || {
        let status: serde_json::Value = serde_json::from_str(&gateway.ask(&["gateway", "status"])).unwrap();
        let pool = &status["databases"][0]["pools"][0];
        ["servers_idle", "servers_used"].map(|which| pool[which].as_u64().unwrap())
    };
    // Whose server goes while it is tidied behind a transaction goes with it.
    eventually("its server is nobody's", || servers() == [1, 0]);
    // Whoever connects from here on is answered nothing.
    proxy.hold();
    proxy.hang_up();
    eventually("the gateway has seen the end of its server's connection", || servers() == [0, 0]);
    all_are_told(&mut drivers, "08006", "while the server is gone");
    proxy.release();
    for driver in &mut drivers {
        // The gateway tries again in growing pauses.
        let is_right = (0..TRIES).any(|_| {
            driver.tell("again");
            let said = driver.said();
            assert!(["right", "08006"].contains(&said.as_str()), "{}: {said}", driver.name);
            said == "right"
        });
        assert!(is_right, "{} does not go on", driver.name);
    }
}
