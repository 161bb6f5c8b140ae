//! What is asked of the streams before anything is touched.

use std::time::Duration;

use atalaya_cutover::{
    Direction, Following, Harm, LastProof, Outlook, PartError, SchemaDifference, Unprovable, WayBack,
};
use atalaya_replicate::{Status, WayBackState};
use atalaya_validate::{Beyond, BeyondRest, Problem, Severity};

use super::near::FULL_ROWS_MAX;
use super::{Streams, of_replicate, of_validate};

/// Why a stream could not bring what is written from here on.
fn why_it_brings_nothing(status: &Status) -> Option<String> {
    if status.given_up.is_some() {
        Some("its slot was given up: the move has to begin anew".to_owned())
    } else if !status.slot.exists {
        Some("its slot is gone".to_owned())
    } else if status.slot.wal_status.as_deref() == Some("lost") {
        Some("its server has removed what its slot had to keep".to_owned())
    } else if !status.running || !status.slot.active {
        Some("nothing runs: `atalaya migrate start` goes on".to_owned())
    } else {
        None
    }
}

impl Streams {
    pub(super) async fn following(&self, direction: Direction) -> Result<Following, PartError> {
        let status = self.status(direction).await?;
        let back = self.way_back().await?;
        let way_back = match direction {
            Direction::Forward => {
                let unready = atalaya_replicate::unready(&self.plan).await.map_err(of_replicate)?;
                match back.state {
                    _ if unready.is_some() => WayBack::Impossible { why: unready.unwrap_or_default() },
                    WayBackState::Made if back.possible => WayBack::Stands,
                    WayBackState::Missing if !back.why_not.is_empty() => {
                        WayBack::Impossible { why: back.why_not.join("; ") }
                    }
                    WayBackState::Missing | WayBackState::Partly => WayBack::Missing,
                    WayBackState::Made => WayBack::Impossible { why: back.why_not.join("; ") },
                }
            }
            // Clients that are led back are followed by the stream that was there first.
            Direction::Back => match why_it_brings_nothing(&self.status(Direction::Forward).await?) {
                Some(why) => WayBack::Impossible { why },
                None => WayBack::Stands,
            },
        };
        let is_streaming = status.phase == "stream";
        let runs = match (status.running, is_streaming) {
            // It may run all the same, without tables that came since.
            _ if direction == Direction::Back && !back.possible && !back.why_not.is_empty() => {
                Err(back.why_not.join("; "))
            }
            (true, true) => Ok(()),
            (true, false) => Err(format!("the migration is in its phase `{}`", status.phase)),
            (false, _) => Err("nothing runs".to_owned()),
        };
        let age = status.proof.passed_seconds.or(status.proof.proven_seconds).or(status.proof.full_seconds);
        let proof = age.filter(|_| status.proof.full_tables > 0).map(|seconds| LastProof {
            age: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            is_clean: status.proof.unproven_tables == 0,
            what: format!(
                "{} of {} tables compared row by row, {} left unproven",
                status.proof.full_tables, status.proof.tables, status.proof.unproven_tables
            ),
        });
        let unprovable = self.unprovable(direction).await?;
        Ok(Following { runs, lag_bytes: status.lag_bytes.unwrap_or(u64::MAX), way_back, proof, unprovable })
    }

    /// Tables of which the proof in the pause could not tell.
    async fn unprovable(&self, direction: Direction) -> Result<Vec<Unprovable>, PartError> {
        let plan = self.proof(direction, |name| atalaya_validate::Scope::Migration { name });
        let beyond = atalaya_validate::beyond_rest(&plan, FULL_ROWS_MAX).await.map_err(of_validate)?;
        let keyless = format!("it has no key, and more than about {FULL_ROWS_MAX} rows");
        let key = "give it a primary key on both sides, stop writing to it, or say --allow-unproven";
        let told = beyond.into_iter().map(|BeyondRest { table, why }| {
            let (why, remedy, outlook) = match why {
                Beyond::NotCompared => {
                    let remedy = "wait until it is copied, or say --allow-unproven";
                    ("it is not compared yet".to_owned(), remedy, Outlook::Unproven)
                }
                Beyond::NoKeyWritten => (keyless.clone(), key, Outlook::Unproven),
                Beyond::NoKey => (keyless.clone(), key, Outlook::IfWritten),
            };
            Unprovable { table: table.to_string(), why, remedy: remedy.to_owned(), outlook }
        });
        Ok(told.collect())
    }

    /// Of what only people see nothing is told, nor of what more there is where clients are led, unless it may refuse what they do.
    pub(super) async fn schema(&self) -> Result<Vec<SchemaDifference>, PartError> {
        let report = atalaya_validate::check_schema(&self.endpoints.schema_plan(false)).await.map_err(of_validate)?;
        let told = report.differences.into_iter().filter_map(|difference| {
            let harm = match (difference.severity, difference.problem) {
                (Severity::Cosmetic, _) | (Severity::Performance, Problem::Extra) => return None,
                (Severity::Data, Problem::Missing | Problem::Different) => Harm::Stored,
                _ => Harm::Done,
            };
            let what = match (difference.problem, &difference.attribute) {
                (Problem::Extra, _) => "is there and not where clients are".to_owned(),
                (Problem::Missing, _) => "is missing".to_owned(),
                (Problem::Different, Some(attribute)) => format!("has another {attribute}"),
                (Problem::Different, None) => "is another one".to_owned(),
            };
            Some(SchemaDifference { what: format!("{} {} {what}", difference.kind, difference.identity), harm })
        });
        Ok(told.collect())
    }
}
