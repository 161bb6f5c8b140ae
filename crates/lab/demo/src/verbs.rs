//! The verbs that the play needs once each, and what is read of their answers.

use std::time::Instant;

use atalaya_postgres::Session;
use atalaya_verbs::{Event, Program, Proof, prove, prove_equal, tables_done};
use serde::Deserialize;

use crate::corruption::Cell;
use crate::report::{Certificate, Corruption};
use crate::steps::Steps;
use crate::{Error, Stage};

/// Where the certificate is written, in the folder that the program is run in.
const CERTIFICATE: &str = "moved";

pub(crate) async fn assess(program: &Program, steps: &Steps) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Assessment {
        summary: Summary,
    }
    #[derive(Deserialize)]
    struct Summary {
        pass: u64,
        warn: u64,
        not_applicable: u64,
    }
    let answer = program.run(&program.arguments(&["assess"], &[]), &[0], |_| ()).await?;
    let Summary { pass, warn, not_applicable } = answer.read::<Assessment>()?.summary;
    steps.came_to(format!("{pass} checks pass, {warn} warn, {not_applicable} do not apply; nothing forbids the move"));
    Ok(())
}

pub(crate) async fn prove_and_repair(
    program: &Program,
    stage: &Stage,
    steps: &mut Steps,
) -> Result<(Vec<Proof>, Corruption), Error> {
    #[derive(Deserialize)]
    struct Repair {
        rows: u64,
    }
    steps.begin("prove both equal while writes go on");
    let clean = prove_equal(program, "while writes go on", &[]).await?;
    steps.begin("corrupt one cell on the new server, and prove again");
    let cell = Cell::corrupt(stage, &*program.narrator).await?;
    let corrupted = prove(program, "one cell corrupted", &[]).await?;
    cell.expect_found(&corrupted)?;
    steps.begin("repair it, and prove again");
    let arguments = program.arguments(&["validate"], &["--repair"]);
    let answer = program.run(&arguments, &[0], tables_done(program)).await?;
    let repair: Repair = answer.read()?;
    cell.expect_restored(stage).await?;
    steps.came_to(format!("{} row read again from the old server", repair.rows));
    let repaired = prove_equal(program, "after the repair", &[]).await?;
    let corruption = Corruption {
        table: cell.table(),
        key: cell.key(),
        column: cell.column(),
        found: true,
        rows_repaired: repair.rows,
        restored: true,
    };
    Ok((vec![clean, corrupted, repaired], corruption))
}

/// What clients need on the new server before they come, and `migrate cutover --dry-run` would ask for: statistics of the
/// shop's partitioned table, which autovacuum never makes.
pub(crate) async fn ready_new_server(stage: &Stage, program: &Program) -> Result<(), Error> {
    let session = Session::connect(&stage.target_url, "atalaya demo").await?;
    let statement = "ANALYZE shop.price_history";
    program.narrator.tell(&Event::Sql { side: "target", statement: statement.to_owned() });
    Ok(session.batch(statement).await?)
}

/// Makes the certificate of both sides. `finish` makes one of its own only where clients are on the old server still: with
/// clients led away, nothing stands still that it could certify.
pub(crate) async fn certify(program: &Program, steps: &Steps) -> Result<Certificate, Error> {
    #[derive(Deserialize)]
    struct Certified {
        equal: bool,
    }
    let began = Instant::now();
    let arguments = program.arguments(&["validate"], &["--certificate", CERTIFICATE]);
    let certified: Certified = program.run(&arguments, &[0], |_| ()).await?.read()?;
    steps.came_to(format!("certificate: {}", if certified.equal { "both sides are equal" } else { "NOT EQUAL" }));
    Ok(Certificate { equal: certified.equal, seconds: began.elapsed().as_secs_f64() })
}

pub(crate) async fn finish(program: &Program) -> Result<(), Error> {
    program.run(&program.arguments(&["migrate", "finish"], &[]), &[0], |_| ()).await?;
    Ok(())
}
