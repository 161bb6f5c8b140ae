//! `atalaya journal sagas`.

use std::fmt::Write;

use atalaya_eventstore::Position;
use atalaya_migration::open_sagas;
use atalaya_saga::{End, Listed, Phase, SagaId, Sagas, StepPhase, View, Way};
use serde_json::{Value, json};

use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{Journal, Who, when};
use crate::runtime;

/// Sagas of one page.
const PAGE: u32 = 200;

/// Arguments of `atalaya journal sagas`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  atalaya journal sagas
  atalaya journal sagas --all --output json
  atalaya journal sagas show orders-to-18-1a2b3c4d
  atalaya journal sagas retry orders-to-18-1a2b3c4d

Decisions are for sagas that are stuck: a migration waits for nobody and is ended by `atalaya migrate finish` or `abort`. A decision is written down with who made it. What it has done is done by the command that drives the saga: for a migration
`atalaya migrate finish` or `abort`."
)]
pub(crate) struct SagasArguments {
    /// Those that have ended, too.
    #[arg(long)]
    all: bool,
    /// Only those that wait for a person.
    #[arg(long)]
    stuck: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// What is to be done about one.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show one with its steps.
    Show {
        /// Its identity.
        id: String,
    },
    /// Have the step that it is stuck at tried again.
    Retry {
        /// Its identity.
        id: String,
    },
    /// Take the step that it is stuck at for done, or for undone on the way back.
    Skip(Decided),
    /// Have it go back.
    TurnBack(Decided),
    /// Give it up as it is: nothing more is done or undone.
    Abandon(Decided),
}

/// A decision with its reason.
#[derive(Debug, clap::Args)]
struct Decided {
    /// Its identity.
    id: String,
    /// Why, for those who read the journal.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
}

pub(crate) fn run(arguments: &SagasArguments, context: &Context) -> Result<u8, Failure> {
    runtime::block_on(async {
        let journal = Journal::needed(context).await?;
        let sagas = open_sagas(journal.store.clone())?;
        let done = match &arguments.verb {
            None => list(&sagas, arguments, context).await,
            Some(verb) => decide(&sagas, verb, context).await,
        };
        journal.close().await;
        done
    })?
}

async fn list(sagas: &Sagas, arguments: &SagasArguments, context: &Context) -> Result<u8, Failure> {
    let is_wanted = |listed: &Listed| match listed {
        // Somebody has to look.
        Listed::Unreadable { .. } => true,
        Listed::Seen(view) => match view.phase {
            Phase::Stuck { .. } => true,
            Phase::Ended { .. } => arguments.all && !arguments.stuck,
            Phase::Going { .. } => !arguments.stuck,
        },
    };
    let mut found = Vec::new();
    let mut from = Some(Position::START);
    while let Some(position) = from {
        let (listed, next) = sagas.list(position, PAGE).await?;
        found.extend(listed.into_iter().filter(is_wanted));
        from = next;
    }
    let shown = |listed: &Listed| match listed {
        Listed::Seen(view) => (line(view), json!(view)),
        Listed::Unreadable { id, version } => (
            format!("{}  CANNOT BE READ by this version, from version {version} of its stream on", id.as_str()),
            json!({ "id": id, "unreadable_from": version }),
        ),
    };
    let (lines, documents): (Vec<String>, Vec<Value>) = found.iter().map(shown).unzip();
    let text = if lines.is_empty() { "none".to_owned() } else { lines.join("\n") };
    context.print(&text, &json!({ "version": 1, "sagas": documents }));
    Ok(exit::DONE)
}

async fn decide(sagas: &Sagas, verb: &Verb, context: &Context) -> Result<u8, Failure> {
    let (Verb::Show { id }
    | Verb::Retry { id }
    | Verb::Skip(Decided { id, .. })
    | Verb::TurnBack(Decided { id, .. })
    | Verb::Abandon(Decided { id, .. })) = verb;
    let id = SagaId::new(id).map_err(|error| Failure::new(exit::USAGE, &error, None))?;
    let by = Who::runs().by;
    let view = sagas.show(&id).await?;
    if view.definition == atalaya_migration::KIND
        && !matches!(view.phase, Phase::Stuck { .. })
        && !matches!(verb, Verb::Show { .. })
    {
        return Err(Failure {
            code: exit::REFUSED,
            message: format!("the migration `{}` waits for nobody's decision", id.as_str()),
            hint: Some("it is ended by `atalaya migrate finish` or `abort`".to_owned()),
        });
    }
    match verb {
        Verb::Show { .. } => {}
        Verb::Retry { .. } => sagas.retry(&id, &by).await?,
        Verb::Skip(decided) => sagas.skip(&id, &by, &decided.reason).await?,
        Verb::TurnBack(decided) => sagas.turn_back(&id, &by, &decided.reason).await?,
        Verb::Abandon(decided) => sagas.abandon(&id, &by, &decided.reason).await?,
    }
    let view = sagas.show(&id).await?;
    let mut text = line(&view);
    for step in &view.steps {
        let _infallible = write!(text, "\n  {:<10}{}", step.name, word(step.state));
        if step.attempts > 1 {
            let _infallible = write!(text, ", {} attempts", step.attempts);
        }
    }
    let mut json = json!(view);
    if let Some(members) = json.as_object_mut() {
        members.insert("version".to_owned(), 1.into());
    }
    context.print(&text, &json);
    Ok(exit::DONE)
}

fn line(view: &View) -> String {
    let at = view.steps.iter().rfind(|step| step.state != StepPhase::Open);
    let step = at.map_or_else(String::new, |step| format!(" at {}", step.name));
    let phase = match &view.phase {
        Phase::Going { way: Way::Forward } => format!("goes on{step}"),
        Phase::Going { way: Way::Back } => "goes back".to_owned(),
        Phase::Stuck { step, reason, .. } => format!("STUCK at {step}: {reason}"),
        Phase::Ended { end: End::Completed } => "completed".to_owned(),
        Phase::Ended { end: End::Compensated } => "compensated".to_owned(),
        Phase::Ended { end: End::Abandoned } => "abandoned".to_owned(),
    };
    let failure = view.failure.as_ref().map_or_else(String::new, |failure| format!(" ({failure})"));
    let known = if view.known { "" } else { ", of a revision that this version does not have" };
    let (kind, started) = (&view.definition, when(view.started_at_us));
    format!("{}  {kind} since {started}: {phase}{failure}{known}", view.id.as_str())
}

fn word(phase: StepPhase) -> &'static str {
    match phase {
        StepPhase::Open => "open",
        StepPhase::Begun => "begun",
        StepPhase::Awaiting => "under way",
        StepPhase::Done => "done",
        StepPhase::Refused => "refused",
        StepPhase::Undone => "undone",
    }
}

impl From<atalaya_saga::Error> for Failure {
    fn from(error: atalaya_saga::Error) -> Self {
        Self::new(exit::FAILED, &error, None)
    }
}
