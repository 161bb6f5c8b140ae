//! The play itself: its steps in order, and what each must come to.

use std::sync::Arc;
use std::time::Instant;

use atalaya_data::size::bytes;
use atalaya_load::ledger::{LedgerRecord, LedgerRun};
use atalaya_postgres::Session;
use atalaya_sandbox::available;
use atalaya_verbs::{
    Event, Narrator, Program, Proof, Validation, expect_equal, grouped, prove, prove_equal, tables_done,
};
use serde::Deserialize;

use crate::corruption::Cell;
use crate::follow::Following;
use crate::front::Front;
use crate::report::{Copied, Corruption, Finish, Lag, REPORT_VERSION, Report, Step};
use crate::{Error, Options, Stage, stage, writes};

const STEPS: u32 = 11;

/// Counts and times the steps.
struct Steps {
    narrator: Arc<dyn Narrator>,
    done: Vec<Step>,
    began: Instant,
}

impl Steps {
    fn begin(&mut self, title: &str) {
        self.end();
        self.done.push(Step { title: title.to_owned(), seconds: 0.0 });
        let number = u32::try_from(self.done.len()).unwrap_or(u32::MAX);
        self.narrator.tell(&Event::Step { number, all: STEPS, title: title.to_owned() });
    }

    fn end(&mut self) {
        if let Some(step) = self.done.last_mut() {
            step.seconds = self.began.elapsed().as_secs_f64();
        }
        self.began = Instant::now();
    }

    fn came_to(&self, text: String) {
        self.narrator.tell(&Event::Result { text });
    }
}

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
    let mut steps = Steps { narrator: Arc::clone(&narrator), done: Vec::new(), began: Instant::now() };
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
    assess(&program, &steps).await?;
    let moved = act(&program, &stage, run, &mut steps, options).await?;

    steps.begin("compare what the clients were told with the new server");
    let target = Session::connect(&stage.target_url, "atalaya demo").await?;
    let reconciliation = moved.record.reconcile(&target).await?;
    let last = prove_equal(&program, "both databases at rest", &["--quiesced"]).await?;
    steps.begin("lead the gateway to the new server, and let the clients go on");
    front.lead_to_target().await?;
    let afterwards = writes::go_on(options, &front.url, &target).await?;
    steps.came_to(format!("{} transactions committed there", grouped(afterwards.committed)));
    steps.end();

    let version = |major: u16| {
        let found = available().into_iter().find(|server| server.major == major);
        found.map_or_else(|| major.to_string(), |server| server.version)
    };
    let mut proofs = moved.proofs;
    proofs.push(last);
    let mut report = Report {
        version: REPORT_VERSION,
        from: version(options.from),
        to: version(options.to),
        durable: true,
        shop,
        steps: steps.done,
        copied: moved.copied,
        lag: moved.lag,
        writes: writes::summary(options, &moved.record.counts),
        proofs,
        corruption: moved.corruption,
        finish: moved.finish,
        reconciliation,
        afterwards,
        complaints: Vec::new(),
    };
    report.complaints = complaints(options, &report);
    Ok((report, stage))
}

/// What happened while the clients wrote.
struct Moved {
    copied: Copied,
    lag: Lag,
    proofs: Vec<Proof>,
    corruption: Corruption,
    finish: Finish,
    record: LedgerRecord,
}

async fn act(
    program: &Program,
    stage: &Stage,
    run: LedgerRun,
    steps: &mut Steps,
    options: &Options,
) -> Result<Moved, Error> {
    steps.begin("move it: schema, copy, indexes, changes");
    let mut following = Following::start(program.clone())?;
    let under_writes = async {
        let (copied, mut lag) = following.until_caught_up().await?;
        steps.came_to(format!(
            "caught up: {} rows, {} copied at {:.0} MB/s; {} of the log behind",
            grouped(copied.rows),
            bytes(copied.bytes),
            copied.mb_per_second,
            bytes(lag.caught_up_bytes)
        ));
        let (proofs, corruption) = following.watching(&mut lag, prove_and_repair(program, stage, steps)).await?;
        Ok::<_, Error>((copied, lag, proofs, corruption))
    };
    let (copied, lag, proofs, corruption) = writes::telling(&run, &*program.narrator, under_writes).await?;

    steps.begin("stop the clients, finish the move");
    let record = run.stop().await;
    let stopped = Instant::now();
    let mean = writes::summary(options, &record.counts).per_second_mean;
    steps.came_to(format!("{} transactions committed during the move, {mean:.0}/s", grouped(record.committed())));
    // It ends the run that follows, too.
    let last = finish(program).await?;
    following.wait().await?;
    let seconds = stopped.elapsed().as_secs_f64();
    expect_equal(&last)?;
    steps.came_to(format!("finished {seconds:.1} s after the last commit: {}", last.summary()));
    let finish = Finish { seconds, leftovers: leftovers(stage).await? };
    let proofs = proofs.into_iter().chain([last]).collect();
    Ok(Moved { copied, lag, proofs, corruption, finish, record })
}

async fn prove_and_repair(
    program: &Program,
    stage: &Stage,
    steps: &mut Steps,
) -> Result<(Vec<Proof>, Corruption), Error> {
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

#[derive(Deserialize)]
struct Repair {
    rows: u64,
}

async fn assess(program: &Program, steps: &Steps) -> Result<(), Error> {
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

async fn finish(program: &Program) -> Result<Proof, Error> {
    #[derive(Deserialize)]
    struct Finished {
        proof: Validation,
    }
    let answer = program.run(&program.arguments(&["migrate", "finish"], &[]), &[0], tables_done(program)).await?;
    Ok(answer.read::<Finished>()?.proof.proof("by `migrate finish`"))
}

/// Counts what the program has left behind.
async fn leftovers(stage: &Stage) -> Result<u64, Error> {
    let mut left = 0;
    for url in [&stage.source_url, &stage.target_url] {
        let session = Session::connect(url, "atalaya demo").await?;
        let row = session
            .query_one(
                "SELECT (SELECT count(*) FROM pg_catalog.pg_replication_slots)
                      + (SELECT count(*) FROM pg_catalog.pg_publication)
                      + (SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'atalaya')",
                &[],
            )
            .await?;
        left += u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
    }
    Ok(left)
}

/// What is wrong although every step was done.
fn complaints(options: &Options, report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let wanted = options.commits_per_second_min();
    if report.writes.per_second_mean < wanted {
        found.push(format!(
            "clients committed {:.0} transactions/s over the whole move, and {wanted:.0} were wanted",
            report.writes.per_second_mean
        ));
    }
    if !report.reconciliation.is_clean() || report.reconciliation.committed != report.writes.committed {
        found.push("the new server does not hold exactly what clients were told committed".to_owned());
    }
    if !report.afterwards.errors.is_empty() || !report.afterwards.reconciled {
        found.push("clients met errors on the new server, or it does not hold what they were told".to_owned());
    }
    if report.finish.leftovers > 0 {
        found.push(format!("{} slots, publications or schemas are left behind", report.finish.leftovers));
    }
    found
}
