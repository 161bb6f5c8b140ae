//! What continuous proof costs apply: the same backlog into two databases of one server, of which one has been proven,
//! so that the keys written to it are noted, and has its proof going on beside it.

use super::Size;
use super::apply::{wait_until, write_backlog};
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{Pairs, Side};
use crate::report::{Figure, Goal, Measured};

const PLAIN: &str = "plain";
/// The migration and the target's database.
const PROVEN: &str = "proven";
const WORDS: [&str; 4] = ["--append-only", "public.pgbench_history", "--stop-when", "caught-up"];

pub(super) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    lab.target.create_database(PROVEN)?;
    child::time(lab.tool_at("pgbench", &lab.source, DATABASE).args(["-i", "-q", "-s", &size.scale.to_string()]))?;
    for (name, database) in [(PLAIN, DATABASE), (PROVEN, PROVEN)] {
        child::time(&mut lab.migrate("start", name, database, &WORDS))?;
    }
    let mut pairs = Pairs::default();
    let mut noted = 0;
    for round in 0..size.rounds {
        prove(lab)?;
        write_backlog(lab, size)?;
        let order = if round % 2 == 0 { [Side::Peer, Side::Ours] } else { [Side::Ours, Side::Peer] };
        for side in order {
            for database in [DATABASE, PROVEN] {
                lab.target.run_sql(database, "VACUUM")?;
            }
            lab.checkpoint()?;
            match side {
                Side::Peer => pairs.peer.push(apply(lab, PLAIN, DATABASE)?),
                Side::Ours => {
                    let proof = ["validate", "--name", PROVEN, "--continuous", "--every", "5"];
                    let _proof = child::background(&mut lab.atalaya(PROVEN, &proof))?;
                    pairs.ours.push(apply(lab, PROVEN, PROVEN)?);
                    noted += keys(lab)?;
                }
            }
        }
    }
    prove(lab)?;
    for (name, database) in [(PLAIN, DATABASE), (PROVEN, PROVEN)] {
        child::time(&mut lab.migrate("abort", name, database, &[]))?;
    }
    if noted == 0 {
        return Err(Error::OtherWork("no key was noted".to_owned()));
    }
    Ok(vec![Figure {
        id: "continuous",
        what: format!(
            "a backlog of {} TPC-B transactions with the proof going on, 15 to 15; with start and end of the program",
            size.transactions
        ),
        measured: Measured::Seconds(pairs, "without a proof"),
        goal: Goal::RatioAtMost(1.15),
    }])
}

fn apply(lab: &Lab, name: &str, database: &str) -> Result<f64, Error> {
    Ok(child::time(&mut lab.migrate("start", name, database, &WORDS))?.as_secs_f64())
}

/// Proves everything, so that keys are noted from here on and none is left from before.
fn prove(lab: &Lab) -> Result<(), Error> {
    let following = child::background(&mut lab.migrate("start", PROVEN, PROVEN, &WORDS[..2]))?;
    wait_until(
        lab,
        "SELECT coalesce(bool_or(active), false) FROM pg_replication_slots WHERE slot_name LIKE 'atalaya\\_proven\\_%'",
    )?;
    child::time(&mut lab.atalaya(PROVEN, &["validate", "--name", PROVEN, "--touched"]))?;
    child::time(&mut lab.migrate("stop", PROVEN, PROVEN, &[]))?;
    drop(following);
    Ok(())
}

/// Keys that wait to be proven.
fn keys(lab: &Lab) -> Result<u64, Error> {
    let text = lab.target.run_sql(PROVEN, "SELECT coalesce(sum(keys_count), 0) FROM atalaya.touched")?;
    text.trim().parse().map_err(|_| Error::OtherWork(format!("{text} is no number of keys")))
}
