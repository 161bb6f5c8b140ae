//! A backlog of TPC-B transactions beside a native subscription: one source, two targets in one server, both with
//! `synchronous_commit` off and their position acknowledged only once it is on the target's disk. And beside decoding
//! alone: the same backlog, read from the source by `pg_recvlogical` and thrown away.

use std::time::{Duration, Instant};

use super::Size;
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{Pairs, Side};
use crate::report::{Figure, Goal, Measured};

const NAME: &str = "apply";
const NATIVE: &str = "native";
const DECODING: &str = "decoding";
const CLIENTS: u32 = 8;

pub(super) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    prepare(lab, size)?;
    let mut pairs = Pairs::default();
    let mut decoding = Vec::new();
    for round in 0..size.rounds {
        let goal = write_backlog(lab, size)?;
        let order = if round % 2 == 0 { [Side::Peer, Side::Ours] } else { [Side::Ours, Side::Peer] };
        for side in order {
            for database in [DATABASE, NATIVE] {
                lab.target.run_sql(database, "VACUUM")?;
            }
            lab.checkpoint()?;
            match side {
                Side::Peer => pairs.peer.push(native(lab, &goal)?.as_secs_f64()),
                Side::Ours => {
                    let mut start = lab.migrate(
                        "start",
                        NAME,
                        DATABASE,
                        &["--stop-when", "caught-up", "--append-only", "public.pgbench_history"],
                    );
                    pairs.ours.push(child::time(&mut start)?.as_secs_f64());
                }
            }
        }
        decoding.push(decode(lab, &goal)?.as_secs_f64());
        same(lab)?;
    }
    child::time(&mut lab.migrate("abort", NAME, DATABASE, &[]))?;
    lab.target.run_sql(NATIVE, "DROP SUBSCRIPTION native")?;
    let changes = u64::from(size.transactions) * 4;
    let what = format!(
        "a backlog of {} TPC-B transactions ({changes} changes), 15 to 15, synchronous_commit = off on the target and \
         acknowledged from its disk; ours with start and end of the program",
        size.transactions
    );
    let beside_decoding = Pairs { ours: pairs.ours.clone(), peer: decoding };
    Ok(vec![
        Figure {
            id: "apply",
            what: what.clone(),
            measured: Measured::Seconds(pairs, "native subscription"),
            goal: Goal::RatioAtMost(0.67),
        },
        Figure {
            id: "apply-decoding",
            what,
            measured: Measured::Seconds(beside_decoding, "decoding alone"),
            goal: Goal::RatioAtMost(1.25),
        },
    ])
}

/// Equal rows on all three, a slot for each side, nothing on its way.
fn prepare(lab: &Lab, size: &Size) -> Result<(), Error> {
    let scale = size.scale.to_string();
    lab.target.create_database(NATIVE)?;
    for (server, database) in [(&lab.source, DATABASE), (&lab.target, NATIVE)] {
        child::time(lab.tool_at("pgbench", server, database).args(["-i", "-q", "-s", &scale]))?;
    }
    lab.source.run_sql(DATABASE, "CREATE PUBLICATION native FOR ALL TABLES")?;
    lab.target.run_sql(
        NATIVE,
        &format!(
            "CREATE SUBSCRIPTION native CONNECTION '{}' PUBLICATION native WITH (copy_data = false, synchronous_commit = off, enabled = false, create_slot = true, slot_name = native)",
            lab.source.url(DATABASE)
        ),
    )?;
    lab.source.run_sql(DATABASE, &format!("SELECT pg_create_logical_replication_slot('{DECODING}', 'pgoutput')"))?;
    let words = ["--stop-when", "caught-up", "--append-only", "public.pgbench_history"];
    child::time(&mut lab.migrate("start", NAME, DATABASE, &words))?;
    Ok(())
}

/// Writes on the source while nobody follows; the end of the log.
pub(super) fn write_backlog(lab: &Lab, size: &Size) -> Result<String, Error> {
    let mut pgbench = lab.tool_at("pgbench", &lab.source, DATABASE);
    pgbench
        // Only the time to make the backlog depends on it.
        .env("PGOPTIONS", "-c synchronous_commit=off")
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &CLIENTS.to_string()])
        .args(["-t", &(size.transactions / CLIENTS).to_string()]);
    child::time(&mut pgbench)?;
    Ok(lab.source.run_sql(DATABASE, "SELECT pg_current_wal_insert_lsn()")?)
}

/// Lets the subscription work until its slot has the source's goal confirmed.
fn native(lab: &Lab, goal: &str) -> Result<Duration, Error> {
    let begun = Instant::now();
    lab.target.run_sql(NATIVE, "ALTER SUBSCRIPTION native ENABLE")?;
    wait_until(
        lab,
        &format!("SELECT confirmed_flush_lsn >= '{goal}' FROM pg_replication_slots WHERE slot_name = 'native'"),
    )?;
    let elapsed = begun.elapsed();
    lab.target.run_sql(NATIVE, "ALTER SUBSCRIPTION native DISABLE")?;
    wait_until(lab, "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'native'")?;
    Ok(elapsed)
}

/// Lets the source decode the backlog for a reader that throws it away.
fn decode(lab: &Lab, goal: &str) -> Result<Duration, Error> {
    let mut reader = lab.tool_at("pg_recvlogical", &lab.source, DATABASE);
    reader.args(["-d", DATABASE, "-S", DECODING, "--start", "--no-loop", "-f", "/dev/null", "--endpos", goal]);
    reader.args(["-o", "proto_version=2", "-o", "publication_names=native"]);
    child::time(&mut reader)
}

/// Waits inside the source, in steps of 10 ms, so that waiting costs neither side anything.
pub(super) fn wait_until(lab: &Lab, condition: &str) -> Result<(), Error> {
    let sql = format!(
        "DO $$ BEGIN
             FOR step IN 1..60000 LOOP
                 IF ({condition}) THEN RETURN; END IF;
                 PERFORM pg_sleep(0.01);
             END LOOP;
             RAISE 'not within ten minutes';
         END $$"
    );
    lab.source.run_sql(DATABASE, &sql)?;
    Ok(())
}

/// All three hold the same rows, or the times say nothing.
fn same(lab: &Lab) -> Result<(), Error> {
    const SUMS: &str = "
        SELECT (SELECT sum(hashtextextended(t::text, 0)) FROM pgbench_accounts t),
               (SELECT sum(hashtextextended(t::text, 0)) FROM pgbench_tellers t),
               (SELECT sum(hashtextextended(t::text, 0)) FROM pgbench_branches t),
               (SELECT sum(hashtextextended(t::text, 0)) FROM pgbench_history t), (SELECT count(*) FROM pgbench_history)";
    let source = lab.source.run_sql(DATABASE, SUMS)?;
    for database in [DATABASE, NATIVE] {
        let found = lab.target.run_sql(database, SUMS)?;
        if found != source {
            return Err(Error::OtherWork(format!(
                "{database} is not equal to the source: {found} instead of {source}"
            )));
        }
    }
    Ok(())
}
