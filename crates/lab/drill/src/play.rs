//! The drill itself: its steps in order, and what each must come to.

use std::sync::Arc;
use std::time::Duration;

use atalaya_data::size::bytes;
use atalaya_estate::TablePattern;
use atalaya_load::ledger::{Ledger, LedgerOptions, LedgerRecord, LedgerRun, LedgerSize};
use atalaya_postgres::Session;
use atalaya_sandbox::{available, client_tools};
use atalaya_verbs::{Event, Narrator, Program, Proof, grouped, prove, prove_equal};
use serde::Deserialize;
use tokio::time::Instant;

use crate::clone::{Script, make_role, restore};
use crate::compare::compare;
use crate::faults::{During, Planned, plan};
use crate::fill::{Filled, fill, read_tables};
use crate::moving::{Extra, Supervisor};
use crate::report::{Complaint, REPORT_VERSION, Report, Schema, Writes};
use crate::writers::{Writers, statements};
use crate::{Error, Identities, Options, Origin, Stage, Tampering};

const STEPS: u32 = 8;
/// Clients on the user's tables, and the ledger's beside them.
const CLIENTS: u32 = 4;
const LEDGER_ACCOUNTS: u32 = 500;
/// The oldest version whose package has a pg_dump; it reads older servers.
const OLDEST_DUMP: u16 = 14;
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Tells the steps.
struct Steps {
    narrator: Arc<dyn Narrator>,
    done: u32,
}

impl Steps {
    fn begin(&mut self, title: impl Into<String>) {
        self.done += 1;
        self.narrator.tell(&Event::Step { number: self.done, all: STEPS, title: title.into() });
    }

    fn came_to(&self, text: impl Into<String>) {
        self.narrator.tell(&Event::Result { text: text.into() });
    }
}

/// Plays the drill, and hands out the servers with what it came to: they end when the stage is dropped.
pub async fn play(options: &Options, narrator: Arc<dyn Narrator>) -> (Result<Report, Error>, Option<Stage>) {
    let mut steps = Steps { narrator: Arc::clone(&narrator), done: 0 };
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

/// The script, and servers of the right versions.
async fn prepare(options: &Options, steps: &mut Steps) -> Result<(Script, Stage), Error> {
    let origin = origin_of(options);
    steps.begin(format!("read the schema of {origin}"));
    let (script, from) = match &options.origin {
        Origin::Database(url) => {
            steps.came_to("pg_dump --schema-only: reads the catalog, and not one row");
            let session = Session::connect_for_control(url, "atalaya drill").await?;
            let major = u16::try_from(session.major()).unwrap_or_default();
            let tools = client_tools(major.max(OLDEST_DUMP))?;
            let sql = atalaya_replicate::schema_as_sql(url, &tools, options.ownership).await?;
            (Script::parse(&sql), options.from.unwrap_or(major))
        }
        Origin::File(path) => {
            let script = Script::read_file(path)?;
            let from = options.from.or(script.major).ok_or_else(|| Error::NoVersion { path: path.clone() })?;
            (script, from)
        }
    };
    let newest = available().into_iter().map(|server| server.major).max().unwrap_or(from);
    let to = options.to.unwrap_or(newest.max(from));
    if to < from {
        return Err(Error::Downgrade { from, to });
    }
    steps.came_to(format!("{} entries", grouped(size(script.entries.len()))));
    steps.begin(format!("start PostgreSQL {from} and {to}, fsync on, and restore it there without a row"));
    let setting = options.clone();
    let stage = tokio::task::spawn_blocking(move || Stage::set(&setting, from, to)).await;
    Ok((script, stage.map_err(|_| Error::Ended)??))
}

fn origin_of(options: &Options) -> String {
    match &options.origin {
        Origin::Database(url) => url.to_string(),
        Origin::File(path) => path.display().to_string(),
    }
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The clone, filled, with its writers' statements still to be made.
struct Clone {
    schema: Schema,
    filled: Filled,
    ledger: bool,
}

/// Restores and fills the clone.
async fn make_clone(options: &Options, stage: &Stage, script: &Script, steps: &mut Steps) -> Result<Clone, Error> {
    let session = Session::connect(&stage.source.url, "atalaya drill").await?;
    let restored = restore(&session, script).await?;
    let target = Session::connect(&stage.target.url, "atalaya drill").await?;
    for role in &restored.roles {
        make_role(&target, role).await?;
    }
    for left in &restored.left_out {
        steps.came_to(format!("LEFT OUT: {} {}: {}", left.kind, left.name, left.why));
    }
    steps.began_filling(options);
    let tables = read_tables(&session).await?;
    let narrator = Arc::clone(&steps.narrator);
    let filled = fill(&session, tables, options, |done, all| {
        narrator.tell(&Event::Progress {
            what: "tables filled".to_owned(),
            done: size(done),
            all: size(all),
            bytes: false,
        });
    })
    .await?;
    for empty in &filled.empty {
        steps.came_to(format!("EMPTY: {}: {}", empty.table, empty.why));
    }
    let size_bytes: i64 =
        session.query_one("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", &[]).await?.get(0);
    steps.came_to(format!(
        "{} tables, {} made-up rows, {} with the catalog",
        filled.plans.len(),
        grouped(filled.rows),
        bytes(u64::try_from(size_bytes).unwrap_or_default())
    ));
    let moving = filled.plans.iter().filter(|plan| options.tables.matches(&plan.table.name)).count();
    if moving == 0 {
        return Err(Error::NothingToMove);
    }
    let is_free: bool = session.query_one("SELECT pg_catalog.to_regnamespace('ledger') IS NULL", &[]).await?.get(0);
    if is_free {
        Ledger::prepare(&session, LedgerSize { accounts: LEDGER_ACCOUNTS }).await?;
    } else {
        steps.came_to(
            "the schema has a `ledger` of its own, so the drill's is left out: the source alone tells what is right",
        );
    }
    let schema = Schema {
        entries: restored.entries,
        roles: size(restored.roles.len()),
        left_out: restored.left_out,
        tables: size(filled.plans.len()),
        rows: filled.rows,
        empty: filled.empty.clone(),
    };
    Ok(Clone { schema, filled, ledger: is_free })
}

impl Steps {
    fn began_filling(&mut self, options: &Options) {
        self.begin(format!("make up {} rows for each table, seed {}", grouped(options.rows.into()), options.seed));
    }
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

fn told(writes: &Writes) -> String {
    format!(
        "{} transactions committed: {} rows inserted, {} changed, {} given another key, {} deleted, {} tables emptied; \
         {} statements refused by the schema's own rules",
        grouped(writes.committed),
        grouped(writes.inserted),
        grouped(writes.updated),
        grouped(writes.rekeyed),
        grouped(writes.deleted),
        grouped(writes.truncated),
        grouped(writes.refused)
    )
}

/// The clients on the user's tables, and the ledger's.
struct Clients {
    writers: Writers,
    ledger: Option<LedgerRun>,
}

impl Clients {
    async fn start(options: &Options, stage: &Stage, clone: &Clone) -> Result<Self, Error> {
        let patterns: Vec<TablePattern> = options.append_only.iter().filter_map(|text| text.parse().ok()).collect();
        let has_rows = |name: &str| !clone.schema.empty.iter().any(|empty| empty.table == name);
        let plans = clone.filled.plans.iter().filter(|plan| has_rows(&plan.table.name.to_string()));
        let tables = plans.map(|plan| {
            let is_append_only = patterns.iter().any(|pattern| pattern.matches(&plan.table.name));
            statements(plan, options.seed, is_append_only)
        });
        let writers = Writers::start(&stage.source.url, tables.collect(), CLIENTS, options.rate, options.seed);
        let ledger = if clone.ledger {
            let terms = LedgerOptions {
                clients: CLIENTS,
                rate: Some(options.rate),
                seed: options.seed,
                ..LedgerOptions::new(stage.source.url.clone())
            };
            Some(Ledger::start(terms).await?)
        } else {
            None
        };
        Ok(Self { writers, ledger })
    }

    /// Does something while they write, and tells every second how fast they do.
    async fn telling<T>(&self, narrator: &dyn Narrator, work: impl Future<Output = T>) -> T {
        let ticking = async {
            let mut last = 0;
            loop {
                let ledger = self.ledger.as_ref().map_or(0, |run| run.counts().committed);
                let committed = self.writers.committed() + ledger;
                narrator.tell(&Event::Writes { committed, per_second: committed.saturating_sub(last) });
                last = committed;
                tokio::time::sleep(TELL_EVERY).await;
            }
        };
        tokio::select! {
            done = work => done,
            never = ticking => never,
        }
    }

    async fn stop(self) -> (Writes, Option<LedgerRecord>) {
        let mut writes = self.writers.stop().await;
        let record = match self.ledger {
            Some(run) => Some(run.stop().await),
            None => None,
        };
        if let Some(record) = &record {
            writes.committed += record.committed();
            writes.unknown += record.counts.unknown;
        }
        (writes, record)
    }
}

/// Removes one row of the target, as somebody would who should not be there.
async fn tamper(stage: &Stage, filled: &Filled, steps: &Steps) -> Result<(), Error> {
    for plan in &filled.plans {
        let name = plan.table.name.to_sql();
        let sql = format!(
            "SET session_replication_role = replica; WITH gone AS (DELETE FROM {name} WHERE (tableoid, ctid) IN \
             (SELECT tableoid, ctid FROM {name} LIMIT 1) RETURNING 1) SELECT count(*) FROM gone"
        );
        // Not every table has moved, or has a row.
        if stage.target.psql(sql).await.is_ok_and(|answer| answer.trim().ends_with('1')) {
            steps.came_to(format!("TAMPERED: one row of {} removed from the target", plan.table.name));
            return Ok(());
        }
    }
    Err(Error::NothingToMove)
}

/// The number of warnings; an error when a check forbids the move.
async fn assess(program: &Program, options: &Options, extra: &Extra, steps: &Steps) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Assessment {
        summary: Summary,
        checks: Vec<Check>,
    }
    #[derive(Deserialize)]
    struct Summary {
        pass: u64,
        warn: u64,
    }
    #[derive(Deserialize)]
    struct Check {
        id: String,
        status: String,
        findings: Vec<Finding>,
    }
    #[derive(Deserialize)]
    struct Finding {
        object: Option<String>,
        seen: String,
    }
    if options.identities == Identities::Set {
        let more = [extra.of_assess(), vec!["--set-replica-identity"]].concat();
        program.run(&program.arguments(&["assess"], &more), &[0], |_| ()).await?;
    }
    let answer = program.run(&program.arguments(&["assess"], &extra.of_assess()), &[0, 4], |_| ()).await?;
    let found: Assessment = answer.read()?;
    let shown = |check: &Check| {
        let seen = check.findings.iter().take(3).map(|finding| match &finding.object {
            Some(object) => format!("{object}: {}", finding.seen),
            None => finding.seen.clone(),
        });
        format!("\n  {}: {}", check.id, seen.collect::<Vec<_>>().join("; "))
    };
    let failed: String = found.checks.iter().filter(|check| check.status == "fail").map(shown).collect();
    if !failed.is_empty() {
        return Err(Error::Forbidden { checks: failed });
    }
    steps.came_to(format!("{} checks pass, {} warn; nothing forbids the move", found.summary.pass, found.summary.warn));
    Ok(found.summary.warn)
}

/// Counts what the program has left behind.
async fn leftovers(stage: &Stage) -> Result<u64, Error> {
    let sql = "SELECT (SELECT count(*) FROM pg_catalog.pg_replication_slots) + (SELECT count(*) FROM pg_catalog.pg_publication)
                    + (SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'atalaya')";
    let mut left = 0;
    for side in [&stage.source, &stage.target] {
        left += side.psql(sql).await?.trim().parse::<u64>().unwrap_or(u64::from(u32::MAX));
    }
    Ok(left)
}

fn complaints(report: &Report, is_out_of_time: bool) -> Vec<Complaint> {
    let mut found = Vec::new();
    let mut complain = |is_difference, text: String| found.push(Complaint { is_difference, text });
    let unequal = |proof: &&Proof| !proof.is_equal();
    for proof in report.proofs.iter().filter(unequal) {
        complain(proof.differences > 0, format!("`{}` found {}", proof.name, proof.summary()));
    }
    let comparison = &report.comparison;
    if !comparison.different.is_empty() {
        complain(true, format!("psql sees other rows in {}", comparison.different.join(", ")));
    }
    if comparison.tables == 0 {
        complain(false, "psql found no table to compare".to_owned());
    }
    if report.ledger.as_ref().is_some_and(|books| !books.is_clean()) {
        complain(true, "the target does not hold exactly what the ledger's clients were told committed".to_owned());
    }
    if report.leftovers > 0 {
        complain(false, format!("{} slots, publications or schemas are left behind", report.leftovers));
    }
    if is_out_of_time {
        complain(false, "the time for faults was over before all had come: give more with --minutes".to_owned());
    }
    found
}
