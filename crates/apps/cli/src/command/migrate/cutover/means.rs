//! With what a cutover is done.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use atalaya_cutover::prewarm::Prewarm;
use atalaya_cutover::{
    CommandGate, Course, Direction, Ends, Limits, Means, OtherSchema, PlanCheck, Plans, TrafficGate, Unproven,
};
use atalaya_estate::{Estate, ListenAddress};
use atalaya_gateway::admin::AdminIdentity;
use atalaya_route::Routes;

use super::super::way_back;
use super::{CourseArguments, PlanCheckArgument};
use crate::cutover::{AdminGate, Streams};
use crate::endpoints::Endpoints;
use crate::exit::Failure;
use crate::global::Context;
use crate::journal::Who;
use crate::progress::PrewarmProgress;

/// Of what is asked for; `commands` lead clients beside the gateways, or in place of them.
pub(super) fn means(
    arguments: &CourseArguments,
    moves: Vec<(Course, Endpoints)>,
    estate: &Estate,
    routes: Routes,
    commands: &[Arc<CommandGate>],
    context: &Context,
) -> Result<Means, Failure> {
    let direction = moves.first().map_or(Direction::Forward, |(course, _)| course.direction);
    let ends = moves.into_iter().map(|(course, endpoints)| ends(arguments, &course, endpoints, context));
    let who = Who::runs();
    let limits = Limits { max_pause: arguments.max_pause, ..Limits::default() };
    let grace = if arguments.commands.drain { limits.drain() } else { Duration::ZERO };
    Ok(Means {
        routes,
        gates: gates(arguments, commands, estate, context)?,
        ends: ends.collect::<Result<_, Failure>>()?,
        client_roles: client_roles(estate),
        plans: plans(arguments, direction),
        prewarm: arguments.prewarm.then(|| Prewarm {
            limit: arguments.prewarm_timeout,
            progress: Arc::new(PrewarmProgress::new(context.output)),
        }),
        unproven: if arguments.allow_unproven { Unproven::Allow } else { Unproven::Refuse },
        other_schema: if arguments.allow_schema_differences { OtherSchema::Allow } else { OtherSchema::Refuse },
        limits: Limits { grace, ..limits },
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
        replication: Arc::new(Streams::new(endpoints, plan, context.output)),
    })
}

/// Going back, nobody waits for a comparison with plans that have been there before.
fn plans(arguments: &CourseArguments, direction: Direction) -> Plans {
    let check = match (arguments.plan_check, direction) {
        (Some(PlanCheckArgument::Off), _) | (None, Direction::Back) => PlanCheck::Off,
        (None, Direction::Forward) => PlanCheck::WarnUnlessAlmighty,
        (Some(PlanCheckArgument::Warn), _) => PlanCheck::Warn,
        (Some(PlanCheckArgument::Fail), _) => PlanCheck::Fail,
    };
    Plans { check, statements: usize::from(arguments.plan_statements), cost_factor: arguments.plan_cost_factor }
}

/// The roles that gateways log clients in as: the client's own name, unless the estate file says another one.
fn client_roles(estate: &Estate) -> Vec<String> {
    let users = estate.gateway.iter().flat_map(|gateway| &gateway.users);
    let logins = users.flat_map(|(name, user)| user.secrets.values().map(move |login| (name, login)));
    logins.map(|(name, login)| login.user.as_ref().unwrap_or(name).clone()).collect()
}

/// Every gateway that is named, or the ones that are known; beside commands only those that are named.
fn gates(
    arguments: &CourseArguments,
    commands: &[Arc<CommandGate>],
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
    if !arguments.gateways.is_empty() || !commands.is_empty() {
        let named = arguments.gateways.iter().map(|address| match address.parse::<ListenAddress>() {
            Ok(ListenAddress::Tcp { host, port }) => remote(&host, port),
            _ => Ok(Arc::new(AdminGate::local(PathBuf::from(address))) as Arc<dyn TrafficGate>),
        });
        return named.chain(commands.iter().map(|gate| Ok(Arc::clone(gate) as Arc<dyn TrafficGate>))).collect();
    }
    let admin = estate.gateway.as_ref().and_then(|gateway| gateway.admin.as_ref());
    match admin.map(|admin| &admin.listen) {
        Some(ListenAddress::Tcp { host, port }) if identity.is_some() => Ok(vec![remote(host, *port)?]),
        _ => Ok(vec![Arc::new(AdminGate::local(context.state.join("gateway.sock")))]),
    }
}
