//! What the streams say.

use super::check::{Seen, Severity};
use crate::Error;
use crate::course::{Course, Means, Unproven};
use crate::replication::{Direction, Outlook, Unprovable, WayBack};

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) -> Result<(), Error> {
    let following = match means.replication(course)?.following(course.direction).await {
        Ok(following) => following,
        Err(error) => {
            let hint = error.hint.clone().unwrap_or_else(|| "`atalaya migrate status` shows it".to_owned());
            for id in ["replication", "way-back", "proof"] {
                seen.fail(id, format!("it cannot be seen: {error}"), hint.clone());
            }
            return Ok(());
        }
    };
    match following.runs {
        Err(why) => {
            let remedy = match course.direction {
                Direction::Forward => "`atalaya migrate start` goes on".to_owned(),
                Direction::Back => format!("see `atalaya migrate way-back status {}`", course.migration),
            };
            seen.fail("replication", format!("changes are not applied: {why}"), remedy);
        }
        Ok(()) if following.lag_bytes > means.limits.lag_bytes_max => seen.fail(
            "replication",
            format!("{} of the log are not applied", atalaya_data::size::bytes(following.lag_bytes)),
            "wait until less is left: `atalaya migrate status` shows it",
        ),
        Ok(()) => {
            seen.info("replication", format!("{} are not applied", atalaya_data::size::bytes(following.lag_bytes)));
        }
    }
    match following.way_back {
        WayBack::Stands => seen.info("way-back", "it stands"),
        WayBack::Missing => seen.info("way-back", "it is made before clients are held"),
        WayBack::Impossible { why } => {
            let remedy =
                format!("change what is named, and see `atalaya migrate way-back status {}`", course.migration);
            seen.fail("way-back", format!("it cannot be made: {why}"), remedy);
        }
    }
    let stale = match following.proof {
        None => Some(("nothing was proven in this direction yet".to_owned(), "")),
        Some(proof) if !proof.is_clean => {
            Some((format!("the last proof found differences: {}", proof.what), " --repair"))
        }
        Some(proof) if proof.age > means.limits.proof_age_max => {
            Some((format!("the last proof is {} h old", proof.age.as_secs() / 3600), ""))
        }
        Some(proof) => {
            seen.info("proof", format!("{}, {} s ago", proof.what, proof.age.as_secs()));
            None
        }
    };
    if let Some((why, how)) = stale {
        match course.direction {
            Direction::Forward => seen.fail("proof", why, format!("run `atalaya validate {}{how}`", course.migration)),
            // Whoever has to go back is not kept waiting for a proof that only this command makes.
            Direction::Back => {
                seen.warn("proof", why, "nothing to do: it is compared before clients are held, which takes its time");
            }
        }
    }
    for Unprovable { table, why, remedy, outlook } in following.unprovable {
        let (severity, text) = match (outlook, means.unproven) {
            (Outlook::Unproven, Unproven::Refuse) => (Severity::Fail, format!("{table} is not proven: {why}")),
            (Outlook::Unproven, Unproven::Allow) => {
                (Severity::Warn, format!("{table} is not proven, as --allow-unproven allows: {why}"))
            }
            (Outlook::IfWritten, _) => (
                Severity::Warn,
                format!("{table} is not proven if it is written to just before clients are held: {why}"),
            ),
        };
        seen.add("proof", severity, text, Some(remedy));
    }
    Ok(())
}
