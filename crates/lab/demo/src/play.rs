//! The play itself: its steps in order, and what each must come to.

use std::sync::Arc;
use std::time::Instant;

use atalaya_data::size::bytes;
use atalaya_load::ledger::{LedgerRecord, LedgerRun};
use atalaya_postgres::Session;
use atalaya_sandbox::available;
use atalaya_verbs::{Narrator, Program, Proof, grouped, prove_equal};

use crate::follow::Following;
use crate::front::Front;
use crate::lead::{Led, lead};
use crate::report::{Afterwards, Certificate, Copied, Corruption, Finish, Lag, Leading, REPORT_VERSION, Report};
use crate::steps::Steps;
use crate::{Error, Options, Stage, judge, pauses, stage, verbs, writes};

/// Plays the demo, and hands out the servers with the report: they end when the stage is dropped.
///
/// # Errors
/// Too little disk, before anything is started; a server or verb that fails; differences where none may be. What is
/// merely not good enough, as a rate that was not kept, is a complaint in the report.
pub async fn play(options: &Options, narrator: Arc<dyn Narrator>) -> Result<(Report, Stage), Error> {
    if options.to < options.from {
        return Err(Error::Downgrade { from: options.from, to: options.to });
    }
    stage::check_disk(options)?;
    let mut steps = Steps::new(Arc::clone(&narrator));
    steps.begin(&format!("start PostgreSQL {} and {}, fsync on", options.from, options.to));
    let setting = options.clone();
    let stage = tokio::task::spawn_blocking(move || Stage::set(&setting)).await.map_err(|_| Error::Ended)??;
    steps.begin("fill the old one with a shop");
    let shop = writes::fill(options, &stage, &*narrator).await?;
    steps.came_to(format!("{} tables, {} rows, {}", shop.tables, grouped(shop.rows), bytes(shop.bytes)));

    let program = stage.program(options, Arc::clone(&narrator));
    steps.begin("put a gateway before it");
    let front = Front::open(&stage, &program).await?;
    steps.begin(&format!("let {} clients write through it, and assess the move", options.clients));
    let run = writes::start(options, &front.url, 1).await?;
    verbs::assess(&program, &steps).await?;
    let (moved, following) = under_writes(&program, &stage, run, &mut steps, options).await?;
    let settled = settle(&program, &stage, &moved, &mut steps).await?;
    let (finish, afterwards) = finish(&program, &stage, &front, following, &mut steps, options).await?;

    let mut report = Report {
        version: REPORT_VERSION,
        from: version(options.from),
        to: version(options.to),
        durable: true,
        shop,
        steps: steps.into_done(),
        copied: moved.copied,
        lag: moved.lag,
        writes: writes::summary(options, &moved.record),
        series: pauses::series(&moved.record.timeline),
        pauses: settled.pauses,
        proofs: moved.proofs.into_iter().chain([settled.proof]).collect(),
        corruption: moved.corruption,
        reconciliation: settled.reconciliation,
        reconciliation_old: settled.reconciliation_old,
        certificate: settled.certificate,
        finish,
        afterwards,
        complaints: Vec::new(),
    };
    report.complaints = judge::complaints(options, &report);
    Ok((report, stage))
}

fn version(major: u16) -> String {
    let found = available().into_iter().find(|server| server.major == major);
    found.map_or_else(|| major.to_string(), |server| server.version)
}

/// What happened while the clients wrote.
struct Moved {
    copied: Copied,
    lag: Lag,
    proofs: Vec<Proof>,
    corruption: Corruption,
    led: Vec<Led>,
    record: LedgerRecord,
}

async fn under_writes(
    program: &Program,
    stage: &Stage,
    run: LedgerRun,
    steps: &mut Steps,
    options: &Options,
) -> Result<(Moved, Following), Error> {
    steps.begin("move it: schema, copy, indexes, changes");
    let mut following = Following::start(program.clone())?;
    let acting = async {
        let (copied, mut lag) = following.until_caught_up().await?;
        steps.came_to(format!(
            "caught up: {} rows, {} copied at {:.0} MB/s; {} of the log behind",
            grouped(copied.rows),
            bytes(copied.bytes),
            copied.mb_per_second,
            bytes(lag.caught_up_bytes)
        ));
        let proving = verbs::prove_and_repair(program, stage, steps);
        let (mut proofs, corruption) = following.watching(&mut lag, proving).await?;
        let (led, proof) = there_and_back(program, stage, &run, steps, options).await?;
        proofs.push(proof);
        Ok::<_, Error>((copied, lag, proofs, corruption, led))
    };
    let acted = writes::telling(&run, &*program.narrator, acting).await;
    let (copied, lag, proofs, corruption, led) = acted?;
    steps.begin("stop the clients, compare their books with both servers");
    let record = run.stop().await;
    let mean = writes::summary(options, &record).per_second_mean;
    steps.came_to(format!("{} transactions committed, {mean:.0}/s", grouped(record.committed())));
    Ok((Moved { copied, lag, proofs, corruption, led, record }, following))
}

/// Rehearses, leads clients to the new server, back with what they wrote there, and to it again.
async fn there_and_back(
    program: &Program,
    stage: &Stage,
    run: &LedgerRun,
    steps: &mut Steps,
    options: &Options,
) -> Result<(Vec<Led>, Proof), Error> {
    let (from, to) = (options.from, options.to);
    steps.begin("rehearse the cutover");
    verbs::ready_new_server(stage, program).await?;
    let rehearsed = lead(program, steps, options, Leading::Rehearsal).await?;
    steps.begin(&format!("cut over to {to}, and let the clients write there"));
    let there = lead(program, steps, options, Leading::Cutover).await?;
    writes::go_on_for_a_while(options, run).await?;
    steps.begin(&format!("roll back to {from}, and prove both equal"));
    let back = lead(program, steps, options, Leading::Rollback).await?;
    let proof = prove_equal(program, "after the rollback", &[]).await?;
    steps.begin("cut over again");
    let again = lead(program, steps, options, Leading::Cutover).await?;
    writes::go_on_for_a_while(options, run).await?;
    Ok((vec![rehearsed, there, back, again], proof))
}

/// What was found while nobody wrote, with clients led to the new server and the way back standing.
struct Settled {
    reconciliation: atalaya_load::ledger::Reconciliation,
    reconciliation_old: atalaya_load::ledger::Reconciliation,
    pauses: Vec<crate::Pause>,
    proof: Proof,
    certificate: Certificate,
}

async fn settle(program: &Program, stage: &Stage, moved: &Moved, steps: &mut Steps) -> Result<Settled, Error> {
    let pauses = pauses::read(program, &moved.led, &moved.record.timeline).await?;
    let target = Session::connect(&stage.target_url, "atalaya demo").await?;
    let reconciliation = moved.record.reconcile(&target).await?;
    let source = Session::connect(&stage.source_url, "atalaya demo").await?;
    let reconciliation_old = writes::until_brought_back(&moved.record, &source).await?;
    steps.begin("prove both equal at rest, and certify it");
    let proof = prove_equal(program, "at rest, before the end", &[]).await?;
    let certificate = verbs::certify(program, steps).await?;
    Ok(Settled { reconciliation, reconciliation_old, pauses, proof, certificate })
}

/// Ends the move while clients go on where they were led.
async fn finish(
    program: &Program,
    stage: &Stage,
    front: &Front,
    following: Following,
    steps: &mut Steps,
    options: &Options,
) -> Result<(Finish, Afterwards), Error> {
    steps.begin("let the clients go on, and finish the move");
    let target = Session::connect(&stage.target_url, "atalaya demo").await?;
    let finishing = async {
        let began = Instant::now();
        // It ends the run that follows, too.
        verbs::finish(program).await?;
        following.wait().await?;
        Ok::<_, Error>(began.elapsed().as_secs_f64())
    };
    let (seconds, afterwards) = writes::go_on(options, &front.url, &target, finishing).await?;
    let leftovers = stage::leftovers(stage).await?;
    steps.came_to(format!(
        "finished in {seconds:.1} s; {} transactions committed meanwhile and after it",
        grouped(afterwards.committed)
    ));
    Ok((Finish { seconds, leftovers }, afterwards))
}
