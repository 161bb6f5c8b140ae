//! `atalaya migrate cutover` and `atalaya migrate rollback`.

mod shown;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use atalaya_cutover::preflight::{PreflightOfSeveral, preflight_of_all};
use atalaya_cutover::{
    Course, Courses, Cutovers, Direction, Ends, Error, Limits, Means, Purpose, ReportOfSeveral, TrafficGate, Unproven,
};
use atalaya_estate::{Estate, ListenAddress};
use atalaya_gateway::admin::AdminIdentity;
use atalaya_route::Routes;

use super::way_back;
use crate::cutover::{AdminGate, Streams};
use crate::endpoints::{EndpointArguments, Endpoints, read_estate};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{Journal, Who};
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
}

/// Arguments of `atalaya migrate cutover`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya migrate cutover orders-to-18 --dry-run
  atalaya migrate cutover orders-to-18 --rehearse
  atalaya migrate cutover orders-to-18 --max-pause 500ms
  atalaya migrate cutover orders-to-18 users-to-18 carts-to-18
  atalaya migrate cutover orders-to-18 --gateway gw1.example:6433 --gateway gw2.example:6433 \\
      --certificate me.crt --key me.key --authority gateways.pem

`atalaya migrate start` has to run, and gateways have to use the same journal. Whatever fails before clients are led away
ends with all of them served where they were, within --max-pause; the same command goes on with what a killed one left.
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
    runtime::block_on(run(&arguments.course, Direction::Forward, context))?
}

pub(super) fn rollback(arguments: &RollbackArguments, context: &Context) -> Result<u8, Failure> {
    runtime::block_on(run(&arguments.course, Direction::Back, context))?
}

async fn run(arguments: &CourseArguments, direction: Direction, context: &Context) -> Result<u8, Failure> {
    let estate = read_estate(context)?;
    let mut moves = Vec::with_capacity(arguments.migrations.len());
    for (place, name) in arguments.migrations.iter().enumerate() {
        if arguments.migrations.iter().take(place).any(|before| before == name) {
            return Err(Failure::usage(format!("the migration `{name}` is named twice")));
        }
        let endpoints = EndpointArguments::of_migration(name).resolve(context)?;
        Journal::refuse_moved(&endpoints, context).await?;
        moves.push((course(name, arguments, direction, &estate)?, endpoints));
    }
    let courses = Courses::new(moves.iter().map(|(course, _)| course.clone()).collect())?;
    let journal = Journal::open(context).await?;
    let means = means(arguments, moves, &estate, Routes::new(journal.store.clone()), context)?;
    let done = match arguments.dry_run {
        true => dry_run(&courses, &means, context).await,
        false => go(courses, means, context).await,
    };
    journal.close().await;
    done
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
            if let Error::Forbidden { .. } = &error
                && let Ok(reports) = preflight_of_all(&courses, &looked).await
            {
                context.note(&shown::failed(&reports));
            }
            // What was met is said by the failure; where it leaves clients, by the journal alone.
            for course in courses.iter() {
                if let Ok(standing) = looked.routes.standing(&course.database).await {
                    context.note(&shown::where_clients_are(course, &courses, &standing));
                }
            }
            return Err(error.into());
        }
    };
    let json = match reports.as_slice() {
        [report] => serde_json::to_value(report),
        reports => serde_json::to_value(ReportOfSeveral::of(reports)),
    };
    let json = json.map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&shown::reports(&reports), &json);
    Ok(exit::DONE)
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

fn means(
    arguments: &CourseArguments,
    moves: Vec<(Course, Endpoints)>,
    estate: &Estate,
    routes: Routes,
    context: &Context,
) -> Result<Means, Failure> {
    let ends = moves.into_iter().map(|(course, endpoints)| ends(arguments, &course, endpoints, context));
    let who = Who::runs();
    Ok(Means {
        routes,
        gates: gates(arguments, estate, context)?,
        ends: ends.collect::<Result<_, Failure>>()?,
        client_roles: client_roles(estate),
        unproven: if arguments.allow_unproven { Unproven::Allow } else { Unproven::Refuse },
        limits: Limits { max_pause: arguments.max_pause, ..Limits::default() },
        by: format!("{}@{} ({})", who.by, who.host, std::process::id()),
        failpoints: crate::failpoints::from_environment(),
    })
}

fn ends(
    arguments: &CourseArguments,
    course: &Course,
    endpoints: Endpoints,
    context: &Context,
) -> Result<Ends, Failure> {
    let mut plan = way_back::plan(&endpoints, Duration::from_secs(arguments.slot_timeout), context)?;
    plan.options.client_tools.clone_from(&arguments.client_tools);
    let (source, target) = match course.direction {
        Direction::Forward => (course.from.clone(), course.to.clone()),
        Direction::Back => (course.to.clone(), course.from.clone()),
    };
    Ok(Ends {
        database: course.database.clone(),
        places: [(source, endpoints.source.clone()), (target, endpoints.target.clone())],
        replication: Arc::new(Streams::new(endpoints, plan)),
    })
}

/// The roles that gateways log clients in as: the client's own name, unless the estate file says another one.
fn client_roles(estate: &Estate) -> Vec<String> {
    let users = estate.gateway.iter().flat_map(|gateway| &gateway.users);
    let logins = users.flat_map(|(name, user)| user.secrets.values().map(move |login| (name, login)));
    logins.map(|(name, login)| login.user.as_ref().unwrap_or(name).clone()).collect()
}

/// Every gateway that is named, or the ones that are known.
fn gates(
    arguments: &CourseArguments,
    estate: &Estate,
    context: &Context,
) -> Result<Vec<Arc<dyn TrafficGate>>, Failure> {
    let identity = match (&arguments.certificate, &arguments.key, &arguments.authority) {
        (Some(certificate), Some(key), Some(authority)) => {
            Some(AdminIdentity { certificate: certificate.clone(), key: key.clone(), authority: authority.clone() })
        }
        _ => None,
    };
    let remote = |host: &str, port: u16| -> Result<Arc<dyn TrafficGate>, Failure> {
        let identity = identity.as_ref().ok_or_else(|| {
            Failure::usage(format!("`{host}:{port}` is asked by mutual TLS: give --certificate, --key and --authority"))
        })?;
        Ok(Arc::new(AdminGate::remote(host, port, identity)?))
    };
    if !arguments.gateways.is_empty() {
        return arguments
            .gateways
            .iter()
            .map(|address| match address.parse::<ListenAddress>() {
                Ok(ListenAddress::Tcp { host, port }) => remote(&host, port),
                _ => Ok(Arc::new(AdminGate::local(PathBuf::from(address))) as Arc<dyn TrafficGate>),
            })
            .collect();
    }
    let admin = estate.gateway.as_ref().and_then(|gateway| gateway.admin.as_ref());
    match admin.map(|admin| &admin.listen) {
        Some(ListenAddress::Tcp { host, port }) if identity.is_some() => Ok(vec![remote(host, *port)?]),
        _ => Ok(vec![Arc::new(AdminGate::local(context.state.join("gateway.sock")))]),
    }
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
