//! Clients led away and back by `migrate cutover` and `migrate rollback`, as an operator does it.

use atalaya_verbs::{Program, number};
use serde::Deserialize;

use crate::report::{Leading, StageTook};
use crate::steps::Steps;
use crate::{Error, Options};

/// A pause that is over before everything is done is broken off, with clients served where they were: on a busy machine
/// that happens, and the remedy is the same command.
const TRIES_MAX: u32 = 3;
/// The exit code of a command that failed, and was not refused.
const FAILED: i32 = 1;

/// What is read of the report.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Led {
    pub(crate) epoch: u64,
    pub(crate) outcome: String,
    pub(crate) pause_us: u64,
    pub(crate) stages: Vec<StageTook>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) rows_proven: u64,
    pub(crate) sequences: u64,
}

/// One gateway's part.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Gateway {
    pub(crate) clients_held: u64,
}

impl Led {
    pub(crate) fn clients_held(&self) -> u64 {
        self.gateways.iter().map(|gateway| gateway.clients_held).sum()
    }
}

/// Leads clients; what the command reports.
pub(crate) async fn lead(program: &Program, steps: &Steps, options: &Options, leading: Leading) -> Result<Led, Error> {
    let max_pause = format!("{}ms", options.max_pause.as_millis());
    let (verb, more, outcome): (_, &[&str], _) = match leading {
        Leading::Rehearsal => ("cutover", &["--rehearse"], "rehearsed"),
        Leading::Cutover => ("cutover", &[], "flipped"),
        Leading::Rollback => ("rollback", &[], "flipped"),
    };
    let more = [more, &["--max-pause", &max_pause]].concat();
    let arguments = program.arguments(&["migrate", verb], &more);
    let mut tries = 1;
    let led: Led = loop {
        match program.run(&arguments, &[0], |_| ()).await {
            Ok(answer) => break answer.read()?,
            Err(error) if error.exit_code() == Some(FAILED) && tries < TRIES_MAX => {
                steps.came_to(format!("{error}; it is tried again"));
                tries += 1;
            }
            Err(error) => return Err(error.into()),
        }
    };
    if led.outcome != outcome {
        return Err(Error::OtherOutcome { verb, outcome: led.outcome });
    }
    steps.came_to(format!(
        "{outcome}: {} clients held for {:.1} ms, {} rows proven meanwhile",
        led.clients_held(),
        number(led.pause_us) / 1e3,
        led.rows_proven
    ));
    Ok(led)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_report_is_read() {
        let led: Led = serde_json::from_str(
            r#"{"format":1,"migration":"m","database":"shop","from":"shop","to":"shop-new","direction":"forward",
                "purpose":"flip","epoch":3,"outcome":"flipped","resumed":false,"pause_us":83000,
                "stages":[{"stage":"drain","began_us":10,"took_us":2000}],
                "gateways":[{"gateway":"a","clients_held":9},{"gateway":"b","clients_held":3}],
                "rows_proven":40,"sequences":2,"remarks":[]}"#,
        )
        .unwrap();
        assert_eq!((led.epoch, led.pause_us, led.clients_held()), (3, 83_000, 12));
        assert_eq!(led.stages, [StageTook { stage: "drain".into(), began_us: 10, took_us: 2000 }]);
    }
}
