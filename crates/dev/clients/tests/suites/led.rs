//! Drivers that stay connected while their database is led to another server, and back: what they remember of types is
//! never taken for the other server's.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use atalaya_sandbox::{client_tools, eventually};

use crate::harness::{Driver, Led, NEWEST, OLDER, Program, programs, run};

const LIMIT: Duration = Duration::from_secs(240);
const PIPELINES: usize = 4;
/// Clients that wait for half a pause at most, and one that does not end in it.
const SHORT_PAUSE: &str = "2s";

fn driver(led: &Led, program: Program, name: &'static str, way: &[&str]) -> Driver {
    let mut command = program.led();
    led.address(&mut command);
    command.args(way);
    Driver::start(name, command)
}

/// One after the other, and each has to be right.
fn all_right(drivers: &mut [Driver], step: &str) {
    drivers.iter_mut().for_each(|driver| driver.tell(step));
    drivers.iter().for_each(|driver| driver.says("right", step));
}

/// Leads clients away while some of them wait at the gate and the others are idle. Whoever knows types is ended, and
/// nobody else is.
fn led_away(led: &Led, verb: &str, drivers: &mut [Driver], held: &[&str]) {
    let halted = led.halted(verb, "cutover-flipping");
    let waiting = drivers.iter_mut().filter(|driver| held.contains(&driver.name));
    waiting.for_each(|driver| driver.tell(verb));
    // All but those who are told nothing yet, and a pipeline among them: some may have done their share before the gate closed.
    let idle = (drivers.len() - held.len()) as u64;
    eventually("they wait", || {
        let gateway = led.gateway();
        let [clients, waiting] =
            [&gateway["clients"], &gateway["gate"]["waiting"]].map(|count| count.as_u64().unwrap());
        waiting > held.len() as u64 && waiting + idle == clients
    });
    let report = halted.goes_on().document();
    assert_eq!(report["outcome"], "flipped");
    let gateway = &report["gateways"][0];
    assert_eq!((&gateway["clients_misled"], &gateway["clients_ended"]), (&4.into(), &0.into()), "{report}");
    for driver in drivers.iter_mut().filter(|driver| !held.contains(&driver.name)) {
        driver.tell(verb);
    }
    for driver in drivers {
        driver.says(if driver.name == "plain" { "right" } else { "ended" }, verb);
    }
}

/// One that was answered and not synchronised is a transaction that runs: it is waited for, and not cut.
fn open_pipeline(led: &Led, plain: &mut Driver) {
    plain.tell("open");
    plain.says("right", "open");
    let closed = led.lead("cutover", SHORT_PAUSE);
    assert_eq!(closed.code, Some(1), "{closed:?}");
    assert!(
        closed.stderr.contains("1 transactions still ran") && closed.stderr.contains("nothing was cut"),
        "{closed:?}"
    );
    assert!(closed.stderr.contains("clients of `old` are served by `old`"), "{closed:?}");
    plain.tell("close");
    plain.says("right", "close");
}

fn pipelines(led: &Led, is_over: &AtomicBool) -> usize {
    const TRANSACTIONS: usize = 50;
    let mut all = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut pgbench = Command::new(client_tools(NEWEST).unwrap().join("pgbench"));
        led.address(pgbench.env_clear().env("LC_ALL", "C.UTF-8"));
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--rate=100"]);
        pgbench.args([
            format!("--client={PIPELINES}"),
            format!("--jobs={PIPELINES}"),
            format!("--transactions={TRANSACTIONS}"),
        ]);
        pgbench.arg("--file").arg(programs().join("pgbench/led.sql"));
        let said = run(&mut pgbench, LIMIT).output("pgbench");
        let done = format!("number of transactions actually processed: {0}/{0}", PIPELINES * TRANSACTIONS);
        assert!(said.contains(&done) && said.contains("number of failed transactions: 0 "), "{said}");
        all += PIPELINES * TRANSACTIONS;
    }
    all
}

#[test]
fn what_drivers_know_of_types_is_never_taken_for_the_other_servers_and_pipelines_go_on() {
    let led = &Led::between(OLDER[0], NEWEST, "led.sql");
    let mut drivers = vec![
        driver(led, Program::Psycopg, "reads", &["reads"]),
        driver(led, Program::Psycopg, "asks", &["asks"]),
        driver(led, Program::Asyncpg, "asyncpg", &[]),
        driver(led, Program::Pgjdbc, "pgjdbc", &[]),
        driver(led, Program::Psycopg, "plain", &["plain"]),
    ];
    all_right(&mut drivers, "before");
    open_pipeline(led, drivers.last_mut().unwrap());
    let is_over = AtomicBool::new(false);
    let moved = std::thread::scope(|scope| {
        let load = scope.spawn(|| pipelines(led, &is_over));
        led_away(led, "cutover", &mut drivers, &["reads", "pgjdbc", "plain"]);
        all_right(&mut drivers, "after");
        led_away(led, "rollback", &mut drivers, &["asks", "asyncpg"]);
        all_right(&mut drivers, "back again");
        is_over.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    drop(drivers);
    led.prove();
    // Each of five programs' steps was kept once, and the steps of those that were ended a second time.
    assert_eq!(led.both("SELECT count(*) FROM kept"), (3 * 5).to_string());
    let wanted = "concat_ws('|', feeling, feelings, share, spot, tags, name)";
    assert_eq!(led.both(&format!("SELECT count(*) FROM kept WHERE {wanted} <> wanted")), "0");
    assert_eq!(
        led.both("SELECT count(*), count(*) FILTER (WHERE kind = wanted AND label = 'high') FROM said"),
        "120|120"
    );
    assert_eq!(led.both("SELECT count(*) FROM moves"), moved.to_string());
    assert_eq!(led.both("SELECT sum(balance), count(*) FROM accounts"), "100000|102");
}
