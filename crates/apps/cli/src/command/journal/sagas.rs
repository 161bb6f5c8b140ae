//! `atalaya journal sagas`.

use std::collections::BTreeMap;
use std::fmt::Write;

use atalaya_eventstore::{Position, Read, Store};
use atalaya_migration::open_sagas;
use atalaya_saga::{Answer, Decided, Decision, End, Listed, Phase, SagaEvent, SagaId, Sagas, StepPhase, View, Way};
use serde_json::{Value, json};

use super::shown::plain;
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
    /// Show one with its steps, when they were done, and who decided what.
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
    Skip(Reasoned),
    /// Have it go back.
    TurnBack(Reasoned),
    /// Give it up as it is: nothing more is done or undone.
    Abandon(Reasoned),
}

/// A decision with its reason.
#[derive(Debug, clap::Args)]
struct Reasoned {
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
            Some(verb) => decide(&sagas, &journal.store, verb, context).await,
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

async fn decide(sagas: &Sagas, store: &Store, verb: &Verb, context: &Context) -> Result<u8, Failure> {
    let (Verb::Show { id }
    | Verb::Retry { id }
    | Verb::Skip(Reasoned { id, .. })
    | Verb::TurnBack(Reasoned { id, .. })
    | Verb::Abandon(Reasoned { id, .. })) = verb;
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
    let answered_by = answered_by(store, &id).await?;
    let mut json = json!(view);
    if let Some(members) = json.as_object_mut() {
        members.insert("version".to_owned(), 1.into());
        members.insert("answered_by".to_owned(), json!(answered_by));
    }
    context.print(&in_full(&view, &answered_by), &json);
    Ok(exit::DONE)
}

/// Who brought the answers that steps had awaited, by the steps' names, where the answers say so: of a migration, who has
/// finished it.
async fn answered_by(store: &Store, id: &SagaId) -> Result<BTreeMap<String, String>, Failure> {
    let mut answered_by = BTreeMap::new();
    let mut pages = store.pages(Read::stream_from(id.stream().clone(), 1, PAGE));
    while let Some(events) = pages.next().await? {
        for (_, said) in events.iter().filter_map(SagaEvent::read) {
            if let SagaEvent::Signalled { step, answer: Answer::Done { output } } = said
                && let Some(by) = output.get("by").and_then(Value::as_str)
            {
                answered_by.entry(step).or_insert_with(|| by.to_owned());
            }
        }
    }
    Ok(answered_by)
}

/// One with its steps, and who decided what.
fn in_full(view: &View, answered_by: &BTreeMap<String, String>) -> String {
    let mut text = line(view);
    let width = view.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or_default();
    for step in &view.steps {
        let _infallible = write!(text, "\n  {:<width$}  {:<9}", step.name, word(step.state));
        match (step.begun_at_us.map(when), step.settled_at_us.map(when)) {
            (Some(begun), Some(settled)) => text.push_str(&format!("  {begun} to {settled}")),
            (Some(begun), None) => text.push_str(&format!("  since {begun}")),
            (None, Some(settled)) => text.push_str(&format!("  {settled}")),
            (None, None) => {}
        }
        if let Some(by) = answered_by.get(&step.name) {
            text.push_str(&format!(", by {}", plain(by)));
        }
        if step.attempts > 1 {
            let _infallible = write!(text, ", {} attempts", step.attempts);
        }
    }
    for Decision { at_us, by, decided, step, reason } in &view.decisions {
        let step = step.as_deref().unwrap_or_default();
        let said = match decided {
            Decided::Retry => format!("had {step} tried again"),
            Decided::Skip => format!("took {step} for done"),
            Decided::TurnBack => format!("had it go back at {step}"),
            Decided::Abandon => "gave it up".to_owned(),
        };
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {}", plain(reason)));
        text.push_str(&format!("\n  {}  {} {said}{reason}", when(*at_us), plain(by)));
    }
    text.trim_end().to_owned()
}

fn line(view: &View) -> String {
    let at = view.steps.iter().rfind(|step| step.state != StepPhase::Open);
    let step = at.map_or_else(String::new, |step| format!(" at {}", step.name));
    let phase = match &view.phase {
        Phase::Going { way: Way::Forward } => format!("goes on{step}"),
        Phase::Going { way: Way::Back } => "goes back".to_owned(),
        Phase::Stuck { step, reason, .. } => format!("STUCK at {step}: {}", plain(reason)),
        Phase::Ended { end } => {
            let how = match end {
                End::Completed => "completed",
                End::Compensated => "compensated",
                End::Abandoned => "abandoned",
            };
            view.ended_at_us.map_or_else(|| how.to_owned(), |at_us| format!("{how} at {}", when(at_us)))
        }
    };
    let failure = view.failure.as_ref().map_or_else(String::new, |failure| format!(" ({})", plain(failure)));
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
