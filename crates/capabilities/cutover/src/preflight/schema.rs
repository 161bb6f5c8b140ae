//! What differs between both schemas.

use super::check::{Seen, Severity};
use crate::Error;
use crate::course::{Course, Means, OtherSchema};
use crate::replication::{Direction, Harm, SchemaDifference};

const ID: &str = "schema";
/// The most differences that one finding names.
const NAMES: usize = 20;

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) -> Result<(), Error> {
    let differences = match means.replication(course)?.schema(course.direction).await {
        Ok(differences) => differences,
        Err(error) => {
            let hint =
                error.hint.clone().unwrap_or_else(|| format!("run `atalaya validate {} --schema`", course.migration));
            seen.fail(ID, format!("it cannot be seen: {error}"), hint);
            return Ok(());
        }
    };
    let remedy = format!("`atalaya validate {} --schema` has the SQL that mends it", course.migration);
    if let Some(names) = named(&differences, Harm::Stored) {
        let text = format!("other values are stored or accepted: {names}");
        match (course.direction, means.other_schema) {
            (Direction::Forward, OtherSchema::Refuse) => {
                let allowed = "; where it is meant: --allow-schema-differences";
                seen.fail(ID, text, format!("{remedy}{allowed}"));
            }
            // Whoever has to go back finds what he has left.
            _ => seen.warn(ID, text, remedy.clone()),
        }
    }
    if let Some(names) = named(&differences, Harm::Done) {
        seen.add(ID, Severity::Warn, format!("statements do something else, or are slower: {names}"), Some(remedy));
    }
    Ok(())
}

fn named(differences: &[SchemaDifference], harm: Harm) -> Option<String> {
    let names: Vec<&str> = differences.iter().filter(|each| each.harm == harm).map(|each| each.what.as_str()).collect();
    let more = names.len().saturating_sub(NAMES);
    let shown = names.iter().take(NAMES).copied().collect::<Vec<_>>().join("; ");
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{shown}{more}"))
}
