//! Commands in place of a gateway: their options, and how the cutover ends where one has failed.

use std::sync::Arc;
use std::time::Duration;

use atalaya_cutover::{CommandGate, CommandKind, CommandReport, Commands, Course, Courses, Report};
use atalaya_route::Routes;

use super::duration;
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::runtime::Signals;

/// Options for those who switch by DNS or a pooler's configuration.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Without a gateway")]
pub(super) struct CommandArguments {
    /// Leads clients to where the journal says, in place of a gateway: run by `sh -c` behind the decision, with ATALAYA_TO,
    /// ATALAYA_FROM, ATALAYA_DIRECTION, ATALAYA_EPOCH, ATALAYA_MIGRATION and ATALAYA_STEP. It may be run more than once.
    #[arg(long, value_name = "CMD")]
    switch_command: Option<String>,
    /// Holds clients before anybody is kept out, such as PAUSE of PgBouncer; has half of --max-pause.
    #[arg(long, value_name = "CMD", requires_all = ["switch_command", "release_command"])]
    hold_command: Option<String>,
    /// Lets clients go on where they are when they are not led away, such as RESUME. It may be run more than once.
    #[arg(long, value_name = "CMD", requires = "switch_command")]
    release_command: Option<String>,
    /// How long the command that leads clients, or lets them go on, may take: a number with ms or s.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    switch_timeout: Duration,
    /// Wait for transactions of sessions that no gateway holds, for half of --max-pause, and give up then; without it they
    /// are rolled back.
    #[arg(long)]
    pub(super) drain: bool,
}

impl CommandArguments {
    /// The gates that these make up, one for each database; none where nothing is led by a command.
    pub(super) fn gates(&self, routes: &Routes, courses: &Courses) -> Vec<Arc<CommandGate>> {
        let Some(switch) = &self.switch_command else { return Vec::new() };
        let gate = |course: &Course| {
            let commands = Commands {
                switch: switch.clone(),
                hold: self.hold_command.clone(),
                release: self.release_command.clone(),
                limit: self.switch_timeout,
            };
            Arc::new(CommandGate::new(routes.clone(), course.clone(), commands))
        };
        courses.iter().map(gate).collect()
    }
}

/// Runs to the end, or to a signal that comes before anybody is kept out. No gateway lets clients in again when this process
/// is gone. A signal may be heard of only when they are let in: then what is left is short, and is to be told.
pub(super) async fn guarded<F: Future>(
    work: F,
    gates: &[Arc<CommandGate>],
    context: &Context,
) -> Result<F::Output, Failure> {
    let mut signals = Signals::listen()?;
    tokio::pin!(work);
    loop {
        match signals.end(&mut work).await {
            Ok(output) => return Ok(output),
            Err(_) if gates.iter().any(|gate| gate.is_armed()) => {
                context.note("clients are held or kept out: it goes on until they are let in, and ends by itself");
            }
            Err(_) if gates.iter().any(|gate| gate.was_armed()) => {
                context.note("clients are let in: it ends by itself");
            }
            Err(_) => return Err(Failure::of_signal()),
        }
    }
}

/// What the commands have said, beside what the journal keeps of them.
pub(super) fn add_outputs(reports: &[Report], json: &mut serde_json::Value) {
    match reports {
        [report] => add_outputs_of(report, json),
        reports => {
            let listed = json.get_mut("databases").and_then(serde_json::Value::as_array_mut);
            let pairs = reports.iter().zip(listed.into_iter().flatten());
            pairs.for_each(|(report, member)| add_outputs_of(report, member));
        }
    }
}

fn add_outputs_of(report: &Report, json: &mut serde_json::Value) {
    let listed = json.get_mut("commands").and_then(serde_json::Value::as_array_mut);
    for (ran, member) in report.commands.iter().zip(listed.into_iter().flatten()) {
        if let Some(members) = member.as_object_mut() {
            members.insert("output".to_owned(), ran.output.clone().into());
        }
    }
}

/// One command in a line, and the end of what it said.
pub(super) fn line(ran: &CommandReport) -> String {
    let option = ran.command.as_str();
    let took_ms = ran.took_us / 1000;
    let mut out = match &ran.failure {
        None => format!("--{option}-command: done in {took_ms} ms"),
        Some(why) => format!("--{option}-command: FAILED after {took_ms} ms: {why}"),
    };
    for said in ran.output.lines() {
        out.push_str("\n    | ");
        // A terminal does what control characters say.
        out.extend(said.chars().filter(|character| !character.is_control()));
    }
    out
}

/// Tells of a command whose failure left clients held while the epoch was closed.
pub(super) fn tell_unreleased(ran: &[CommandReport], context: &Context) {
    for failed in ran.iter().filter(|ran| ran.command == CommandKind::Release && ran.failure.is_some()) {
        context.note(&format!("warning: {}", line(failed)));
        context.note("warning: clients may be held still: do by hand what that command does");
    }
}

/// The end where clients belong elsewhere and a command did not lead them there.
pub(super) fn refuse_unswitched(report: &Report) -> Result<(), Failure> {
    let Some(why) = report.unswitched() else { return Ok(()) };
    let Course { from, to, .. } = &report.course;
    Err(Failure {
        code: exit::FAILED,
        message: format!(
            "clients belong to `{to}` now (epoch {}), and the command of --switch-command did not lead them there: {why}",
            report.epoch
        ),
        hint: Some(format!(
            "`{to}` serves whoever comes, and `{from}` lets nobody in: put the command right and run the same command \
             again, which runs it again"
        )),
    })
}
