//! How clients of a migration were led to the other server and back, as its certificate says it.

use std::collections::BTreeMap;
use std::sync::Arc;

use atalaya_cutover::{CommandReport, GateReport, RecordedReport, Report, Stage};
use atalaya_migration::{Idle, Migrations};
use atalaya_validate::{CertifiedCommand, CertifiedCutover, CertifiedGateway, CertifiedStage};

use super::{Journal, stamp, subject_of};
use crate::endpoints::Endpoints;
use crate::exit::Failure;
use crate::global::Context;

/// Every cutover and rollback of a migration that the command's journal knows; none where there is no journal, or the estate
/// file does not name the databases.
pub(crate) async fn cutovers(endpoints: &Endpoints, context: &Context) -> Result<Vec<CertifiedCutover>, Failure> {
    if endpoints.places.is_none() {
        return Ok(Vec::new());
    }
    let Some(journal) = Journal::existing(context).await? else { return Ok(Vec::new()) };
    let read = cutovers_in(endpoints, &journal).await;
    journal.close().await;
    read
}

/// The same of a journal that is open.
pub(crate) async fn cutovers_in(endpoints: &Endpoints, journal: &Journal) -> Result<Vec<CertifiedCutover>, Failure> {
    let Some(places) = &endpoints.places else { return Ok(Vec::new()) };
    let migrations = Migrations::open(journal.store.clone(), journal.tables.clone(), Arc::new(Idle))?;
    // One of the same name may have come and gone before.
    let began = migrations.standings().await?.newest(&subject_of(endpoints)).await?;
    let began_at_us = began.map_or(i64::MIN, |standing| standing.started_at_us);
    let mut found: BTreeMap<u64, RecordedReport> = BTreeMap::new();
    for recorded in Report::flips(&journal.store, &places.source).await? {
        let report = &recorded.report;
        let is_ours = report.course.migration == endpoints.name.as_str();
        if !is_ours || recorded.recorded_at_us < began_at_us {
            continue;
        }
        match found.get_mut(&report.epoch) {
            // Told once more by whoever has run its command again: the first one has measured it.
            Some(first) => run_again(&mut first.report.commands, recorded.report.commands),
            None => {
                found.insert(report.epoch, recorded);
            }
        }
    }
    Ok(found.into_values().map(certified).collect())
}

/// Of a command that was run again the last time counts; the others are what they were.
fn run_again(first: &mut Vec<CommandReport>, later: Vec<CommandReport>) {
    first.retain(|ran| later.iter().all(|again| again.command != ran.command));
    first.extend(later);
}

fn certified(recorded: RecordedReport) -> CertifiedCutover {
    let report = recorded.report;
    CertifiedCutover {
        at: stamp(recorded.recorded_at_us),
        direction: report.course.direction.as_str().to_owned(),
        epoch: report.epoch,
        from: report.course.from,
        to: report.course.to,
        from_major: report.from_major,
        to_major: report.to_major,
        program: report.program,
        resumed: report.resumed,
        pause_us: report.pause_us,
        stages: report.stages.into_iter().map(stage).collect(),
        gateways: report.gateways.iter().map(gateway).collect(),
        commands: report.commands.iter().map(command).collect(),
        sessions_ended: report.sessions_ended,
        rows_proven: report.rows_proven,
        unproven: report.unproven,
        sequences: report.sequences,
        fenced_at: report.fenced_at.map(|at| at.to_string()),
        marker: report.marker.map(|at| at.to_string()),
    }
}

fn stage(Stage { stage, began_us, took_us }: Stage) -> CertifiedStage {
    CertifiedStage { stage, began_us, took_us }
}

/// Without its address: a certificate names no host. Why clients were ended is the report's business.
fn gateway(gate: &GateReport) -> CertifiedGateway {
    CertifiedGateway {
        clients_held: gate.clients_held,
        clients_ended: gate.clients_ended.saturating_add(gate.clients_misled),
        failed: gate.failed,
        longest_wait_us: gate.longest_wait_us,
        paused_us: gate.paused_us,
    }
}

fn command(ran: &CommandReport) -> CertifiedCommand {
    CertifiedCommand { step: ran.command.as_str().to_owned(), took_us: ran.took_us, exit_code: ran.exit_code }
}

#[cfg(test)]
mod tests {
    use atalaya_cutover::CommandKind::{Hold, Switch};

    use super::*;

    fn ran(command: atalaya_cutover::CommandKind, exit_code: i32) -> CommandReport {
        CommandReport { command, took_us: 1, exit_code: Some(exit_code), failure: None, output: String::new() }
    }

    #[test]
    fn a_command_that_is_run_again_takes_the_place_of_its_own_kind_only() {
        let mut commands = vec![ran(Hold, 0), ran(Switch, 7)];
        run_again(&mut commands, vec![ran(Switch, 0)]);
        assert_eq!(commands, [ran(Hold, 0), ran(Switch, 0)]);
        run_again(&mut commands, Vec::new());
        assert_eq!(commands, [ran(Hold, 0), ran(Switch, 0)]);
    }
}
