//! The drill itself: its steps in order, and what each must come to.

mod assessment;
mod clients;
mod preparation;
mod steps;
mod verdict;

use std::sync::Arc;

use atalaya_postgres::Session;
use atalaya_verbs::{Narrator, Program, grouped, prove, prove_equal};
use tokio::time::Instant;

use assessment::assess;
use clients::{CLIENTS, Clients, told};
use preparation::{make_clone, origin_of, prepare, size};
use steps::Steps;
use verdict::{complaints, leftovers, tamper};

use crate::clone::Script;
use crate::compare::compare;
use crate::faults::{During, Planned, plan};
use crate::moving::{Extra, Supervisor};
use crate::report::{REPORT_VERSION, Report};
use crate::{Error, Options, Stage, Tampering};

/// Plays the drill, and hands out the servers with what it came to: they end when the stage is dropped.
pub async fn play(options: &Options, narrator: Arc<dyn Narrator>) -> (Result<Report, Error>, Option<Stage>) {
    let mut steps = Steps::tell_to(Arc::clone(&narrator));
    let began = Instant::now();
    let prepared = prepare(options, &mut steps).await;
    let (script, stage) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return (Err(error), None),
    };
    let program = stage.program(options, narrator);
    let played = play_on(options, &stage, &program, &script, &mut steps).await;
    let played = played.map(|report| Report { seconds: began.elapsed().as_secs_f64(), ..report });
    (played, Some(stage))
}

async fn play_on(
    options: &Options,
    stage: &Stage,
    program: &Program,
    script: &Script,
    steps: &mut Steps,
) -> Result<Report, Error> {
    let clone = make_clone(options, stage, script, steps).await?;
    let extra = Extra::of(options);
    steps.begin("assess the move");
    let warnings = assess(program, options, &extra, steps).await?;

    let faults = plan(options.faults, options.seed);
    let during =
        |part: During| -> Vec<Planned> { faults.iter().copied().filter(|fault| fault.during == part).collect() };
    steps.begin(format!("move it while {} clients write, under {} faults", CLIENTS * 2, faults.len()));
    let clients = Clients::start(options, stage, &clone).await?;
    let mut supervisor = Supervisor::new(program.clone(), stage, extra.clone(), options.time);
    let under_writes = async {
        supervisor.start_under(&during(During::Copy)).await?;
        supervisor.until_caught_up().await?;
        supervisor.start_under(&during(During::Follow)).await?;
        supervisor.until_caught_up().await?;
        steps.begin("prove both equal while writes go on");
        clients.writers.spare_tables();
        Ok::<_, Error>(prove_equal(program, "while writes go on", &extra.of_validate()).await?)
    };
    let mut proofs = vec![clients.telling(&*program.narrator, under_writes).await?];
    let (writes, record) = clients.stop().await;
    steps.came_to(told(&writes));

    steps.begin("finish the move under faults");
    if options.tampering == Tampering::OneRow {
        tamper(stage, &clone.filled, steps).await?;
    }
    proofs.extend(supervisor.finish_under(&during(During::Finish)).await?);
    supervisor.let_go().await?;

    steps.begin("compare both sides once more, by the program, by psql, by what clients were told");
    let mut quiesced = extra.of_validate();
    quiesced.push("--quiesced");
    proofs.push(prove(program, "both databases at rest", &quiesced).await?);
    let comparison = compare(stage, &options.tables).await?;
    steps.came_to(format!(
        "psql: {} tables, {} rows, {} different",
        comparison.tables,
        grouped(comparison.rows),
        comparison.different.len()
    ));
    let ledger = match record {
        Some(record) => Some(record.reconcile(&Session::connect(&stage.target.url, "atalaya drill").await?).await?),
        None => None,
    };
    let mut report = Report {
        version: REPORT_VERSION,
        seed: options.seed,
        from: stage.from,
        to: stage.to,
        origin: origin_of(options),
        schema: clone.schema,
        warnings,
        writes,
        planned: size(faults.len()),
        faults: supervisor.faults,
        runs_again: supervisor.runs_again,
        proofs,
        comparison,
        ledger,
        leftovers: leftovers(stage).await?,
        seconds: 0.0,
        complaints: Vec::new(),
    };
    report.complaints = complaints(&report, supervisor.is_out_of_time);
    Ok(report)
}
