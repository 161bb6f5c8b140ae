//! The assessment of the clone's move, as the program makes it.

use atalaya_verbs::Program;
use serde::Deserialize;

use super::steps::Steps;
use crate::moving::Extra;
use crate::{Error, Identities, Options};

/// The number of warnings; an error when a check forbids the move.
pub(super) async fn assess(program: &Program, options: &Options, extra: &Extra, steps: &Steps) -> Result<u64, Error> {
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
