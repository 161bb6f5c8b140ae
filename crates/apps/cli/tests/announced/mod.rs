//! The event trigger on the source: statements named where they stand in the stream, and a trigger that is in nobody's
//! way and never left behind.

mod forged;
mod remade;
mod rights;
mod standing;
mod statements;

use atalaya_sandbox::Server;

use crate::support::{Move, Ran};

const TRIGGER: &[&str] = &["--ddl-trigger", "--stop-when", "caught-up"];

/// The migration followed until it has caught up; however that ends.
fn caught_up(shop: &Move) -> Ran {
    shop.run("start", &["--stop-when", "caught-up"])
}

/// The same with the trigger asked for.
fn with_trigger(shop: &Move) -> Ran {
    shop.run("start", TRIGGER)
}

/// Asserts that a run has caught up; what it said.
fn done(ran: Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stderr
}

/// Asserts a refusal that says all of this; what it said.
fn refused(ran: Ran, because: &[&str]) -> String {
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    for each in because {
        assert!(ran.stderr.contains(each), "`{each}` in {}", ran.stderr);
    }
    ran.stderr
}

/// Event triggers, functions of ours and our schema.
fn of_trigger(server: &Server) -> String {
    let sql = "SELECT (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'),
                      (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'atalaya')";
    server.run_sql("shop", sql).unwrap()
}

/// Everything of ours on a source.
fn assert_nothing_of_ours(server: &Server) {
    let others = "SELECT (SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM pg_publication)";
    assert_eq!(server.run_sql("shop", others).unwrap(), "0|0");
    assert_eq!(of_trigger(server), "0|0|0");
}

/// The slot's name, after which the trigger is named.
fn slot(shop: &Move) -> String {
    shop.target.run_sql("shop", "SELECT slot FROM atalaya.migration WHERE name = 'shop'").unwrap()
}
