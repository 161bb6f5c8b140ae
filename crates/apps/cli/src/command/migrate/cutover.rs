//! `atalaya migrate cutover` and `atalaya migrate rollback`.

mod commands;
mod means;
mod shown;

use std::path::PathBuf;
use std::time::Duration;

use atalaya_cutover::preflight::{PreflightOfSeveral, preflight_of_all};
use atalaya_cutover::{Course, Courses, Cutovers, Direction, Error, Means, Purpose, ReportOfSeveral};
use atalaya_estate::Estate;
use atalaya_route::Routes;
use futures_util::future::join_all;

use self::commands::CommandArguments;
use self::means::means;
use crate::endpoints::{EndpointArguments, read_estate};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::Journal;
use crate::runtime;

/// Arguments of both verbs.
#[derive(Debug, clap::Args)]
pub(crate) struct CourseArguments {
    /// A migration of the estate file, or several: the clients of all their databases are held at once and led elsewhere by one
    /// decision, all of them or none.
    #[arg(value_name = "NAME", required = true)]
    migrations: Vec<String>,
    /// Do everything but lead clients away: the real pause, measured, with clients served where they were.
    #[arg(long, conflicts_with = "dry_run")]
    rehearse: bool,
    /// Only look whether clients can be led away; nothing is touched.
    #[arg(long)]
    dry_run: bool,
    /// How long clients are held at most, unless they are led away by then: a number with ms or s.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    max_pause: Duration,
    /// Lead clients away even where tables are not proven equal; the report names them.
    #[arg(long)]
    allow_unproven: bool,
    /// Lead clients away even where the schema of the new server stores or accepts other values: a column's type, a default, a
    /// constraint that is missing. The check `schema` names them.
    #[arg(long)]
    allow_schema_differences: bool,
    /// Compare plans of the statements that take most time, as pg_stat_statements has them: worse ones are told (warn) or forbid
    /// it (fail). `warn` by default for a cutover; `off` where our role, on either server, is a superuser or can become one, since planning may run code of those who
    /// wrote the statements, and for a rollback, whose server has run all of them before.
    #[arg(long, value_name = "WHAT", value_enum)]
    plan_check: Option<PlanCheckArgument>,
    /// Of how many statements plans are compared.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    plan_statements: u16,
    /// How many times as much a plan has to be estimated to cost, to be worse for that alone.
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    plan_cost_factor: u32,
    /// Before clients are held, read into the cache of the server that they are led to what the server that they leave has in
    /// its own. Takes pg_buffercache on the one that they leave, and pg_prewarm on the other.
    #[arg(long)]
    prewarm: bool,
    /// How long that may take: a number with ms or s.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration, requires = "prewarm")]
    prewarm_timeout: Duration,
    /// A gateway: the file of its socket, or HOST:PORT of its `gateway.admin`. May be repeated; all of them have to be named.
    /// Without it: `gateway.sock` in the folder for local state or, with --certificate, `gateway.admin` of the estate file.
    #[arg(long = "gateway", value_name = "ADDRESS")]
    gateways: Vec<String>,
    /// For gateways of other machines: the administrator's certificate and its chain, a PEM file.
    #[arg(long, value_name = "FILE", requires_all = ["key", "authority"])]
    certificate: Option<PathBuf>,
    /// The private key of the certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The authority that gateways' certificates have to come from, a PEM file.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    authority: Option<PathBuf>,
    /// The folder with pg_dump and pg_restore of the target's version.
    #[arg(long, value_name = "DIR", env = "ATALAYA_CLIENT_TOOLS", hide_env_values = true)]
    client_tools: Option<PathBuf>,
    /// Seconds a new slot may wait for transactions that are open on its server.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    slot_timeout: u64,
    #[command(flatten)]
    commands: CommandArguments,
}

/// What is done about plans that got worse.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PlanCheckArgument {
    /// They are not looked for.
    Off,
    /// They are told.
    Warn,
    /// They forbid it.
    Fail,
}

/// Arguments of `atalaya migrate cutover`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate cutover orders-to-18 --dry-run
  atalaya migrate cutover orders-to-18 --rehearse
  atalaya migrate cutover orders-to-18 --max-pause 500ms
  atalaya migrate cutover orders-to-18 users-to-18 carts-to-18
  atalaya migrate cutover orders-to-18 --plan-check fail --prewarm
  atalaya migrate cutover orders-to-18 --gateway gw1.example:6433 --gateway gw2.example:6433 \\
      --certificate me.crt --key me.key --authority gateways.pem
  atalaya migrate cutover orders-to-18 --drain --switch-command ./point-dns.sh

`atalaya migrate start` has to run, and gateways have to use the same journal. Whatever fails before clients are led away
ends with all of them served where they were; gateways see to that by themselves, within --max-pause where journal and
server answer, even if this command is gone. Without a gateway only the same command, run again, lets clients in. It goes
on with what a killed one left.
docs/cutover.md says what each step does, and what can go wrong in it.")]
pub(crate) struct CutoverArguments {
    #[command(flatten)]
    course: CourseArguments,
}

/// Arguments of `atalaya migrate rollback`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate rollback orders-to-18 --dry-run
  atalaya migrate rollback orders-to-18
  atalaya migrate rollback orders-to-18 users-to-18 carts-to-18

Leads clients back to where the migration came from, with everything that they have written since; `cutover` can be tried
again without a copy.")]
pub(crate) struct RollbackArguments {
    #[command(flatten)]
    course: CourseArguments,
}

pub(super) fn cutover(arguments: &CutoverArguments, context: &Context) -> Result<u8, Failure> {
    runtime::run(run(&arguments.course, Direction::Forward, context))?
}

pub(super) fn rollback(arguments: &RollbackArguments, context: &Context) -> Result<u8, Failure> {
    runtime::run(run(&arguments.course, Direction::Back, context))?
}

async fn run(arguments: &CourseArguments, direction: Direction, context: &Context) -> Result<u8, Failure> {
    let estate = read_estate(context)?;
    let mut moves = Vec::with_capacity(arguments.migrations.len());
    for (place, name) in arguments.migrations.iter().enumerate() {
        if arguments.migrations.iter().take(place).any(|before| before == name) {
            return Err(Failure::usage(format!("the migration `{name}` is named twice")));
        }
        let endpoints = EndpointArguments::of_migration(name).resolve(context)?;
        moves.push((course(name, arguments, direction, &estate)?, endpoints));
    }
    let courses = Courses::new(moves.iter().map(|(course, _)| course.clone()).collect())?;
    let opening = async {
        for (_, endpoints) in &moves {
            Journal::refuse_moved(endpoints, context).await?;
        }
        Journal::open(context).await
    };
    let journal = commands::guarded(opening, &[], context).await??;
    let routes = Routes::new(journal.store.clone());
    let commands = arguments.commands.gates(&routes, &courses);
    let means = means(arguments, moves, &estate, routes, &commands, context)?;
    let doing = async {
        match arguments.dry_run {
            true => dry_run(&courses, &means, context).await,
            false => go(courses, means, context).await,
        }
    };
    let done = commands::guarded(doing, &commands, context).await;
    journal.close().await;
    done?
}

async fn dry_run(courses: &Courses, means: &Means, context: &Context) -> Result<u8, Failure> {
    let reports = preflight_of_all(courses, means).await?;
    let json = match reports.as_slice() {
        [report] => serde_json::to_value(report),
        reports => serde_json::to_value(PreflightOfSeveral::of(reports)),
    };
    let json = json.map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&shown::preflight(&reports), &json);
    Ok(if reports.iter().any(|report| report.forbids) { exit::REFUSED } else { exit::DONE })
}

async fn go(courses: Courses, means: Means, context: &Context) -> Result<u8, Failure> {
    let looked = means.clone();
    let reports = match Cutovers::open(means)?.run(courses.clone()).await {
        Ok(reports) => reports,
        Err(error) => {
            for course in courses.iter() {
                let ran: Vec<_> = looked.gates.iter().flat_map(|gate| gate.ran(&course.database)).collect();
                commands::tell_unreleased(&ran, context);
            }
            if let Error::Forbidden { reports, .. } = &error {
                context.note(&shown::failed(reports));
            }
            // What was met is said by the failure; where it leaves clients, by the journal alone.
            for line in where_clients_are(&courses, &looked).await {
                context.note(&line);
            }
            return Err(error.into());
        }
    };
    let mut json = match reports.as_slice() {
        [report] => serde_json::to_value(report),
        reports => serde_json::to_value(ReportOfSeveral::of(reports)),
    }
    .map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    commands::add_outputs(&reports, &mut json);
    context.print(&shown::reports(&reports, looked.command_options()), &json);
    reports.iter().for_each(|report| commands::tell_unreleased(&report.commands, context));
    reports.iter().try_for_each(commands::refuse_unswitched)?;
    Ok(exit::DONE)
}

/// How long the journal is asked where clients are, for whom it is only told.
const LOOK: Duration = Duration::from_secs(5);

/// Where what was not done has left clients of each database, as the journal says it, and which command is next.
async fn where_clients_are(courses: &Courses, means: &Means) -> Vec<String> {
    let looking = courses.iter().map(|course| async move {
        let standing = tokio::time::timeout(LOOK, means.routes.standing(&course.database)).await;
        let standing = standing.ok().and_then(Result::ok);
        shown::where_clients_are(course, courses, standing.as_ref(), means.command_options())
    });
    join_all(looking).await
}

fn course(name: &str, arguments: &CourseArguments, direction: Direction, estate: &Estate) -> Result<Course, Failure> {
    let unknown = || Failure::usage(format!("the estate file has no migration `{name}`"));
    let migration = estate.migrations.get(name).ok_or_else(unknown)?;
    let (source, target) = (migration.source.clone(), migration.target.clone());
    let (from, to) = match direction {
        Direction::Forward => (source.clone(), target),
        Direction::Back => (target, source.clone()),
    };
    let purpose = if arguments.rehearse { Purpose::Rehearse } else { Purpose::Flip };
    Ok(Course { migration: name.to_owned(), database: source, from, to, direction, purpose })
}

/// A number of milliseconds or seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with ms or s, from 50ms to 600s".to_owned();
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 0.001),
        (None, Some(number)) => (number, 1.0),
        (None, None) => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * unit;
    if !(0.05..=600.0).contains(&seconds) {
        return Err(wrong());
    }
    Ok(Duration::from_secs_f64(seconds))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.met() {
            Error::Different { .. } => exit::DIFFERENT,
            Error::NoPlace { .. } | Error::NotTogether { .. } => exit::USAGE,
            error if error.is_refusal() => exit::REFUSED,
            _ => exit::FAILED,
        };
        let hint = error.hint();
        Self::new(code, &error, hint)
    }
}
