//! Two looks: what makes a comparison of two databases that are written to sound without a replicator.
//!
//! Two snapshots taken at the same time do not stand at the same position, so a row that differs may only be
//! on its way. It is looked at again after a pause: equal now, it has arrived; different in exactly the same
//! way, it stays so and is a difference; anything else is unstable, and not proven.

use std::collections::HashMap;
use std::time::Duration;

use crate::compare::{compare, merge};
use crate::judge::{self, Judged, list, set_tally};
use crate::merge::Group;
use crate::moment::{Opened, Pair};
use crate::outcome::Outcome;
use crate::survey::Survey;
use crate::unit::Unit;
use crate::{Error, Event, Method, Plan, Progress, TableStatus};

/// Looks again at all that differed, until nothing is unstable or `looks_max` looks were taken.
pub(crate) async fn look_again(
    plan: &Plan,
    survey: &Survey,
    progress: &dyn Progress,
    judged: &mut [Judged],
    pause: Duration,
    looks_max: u32,
) -> Result<(), Error> {
    for look in 2..=looks_max.max(2) {
        let mut open: Vec<&mut Judged> = judged.iter_mut().filter(|one| one.open).collect();
        if open.is_empty() {
            return Ok(());
        }
        progress.tell(&Event::LookingAgain { tables: open.len(), look });
        tokio::time::sleep(pause).await;
        let opened = Opened::plain(plan).await?;
        let Some(pair) = opened.pairs.first() else {
            return Ok(());
        };
        for one in &mut open {
            let Some(unit) = survey.units.get(one.unit) else {
                continue;
            };
            pair.set_savepoint().await?;
            match look_at(plan, survey, pair, unit, one).await {
                Ok(()) => {}
                Err(Error::Postgres(error)) if error.sqlstate().is_some() => {
                    judge::fail(plan, one, &error);
                    one.open = false;
                }
                Err(error) => return Err(error),
            }
            pair.roll_back().await?;
            progress.tell(&Event::Finished { report: &one.report });
        }
    }
    Ok(())
}

async fn look_at(plan: &Plan, survey: &Survey, pair: &Pair, unit: &Unit, judged: &mut Judged) -> Result<(), Error> {
    pair.limit_statements().await?;
    (judged.report.note, judged.report.hint) = (None, None);
    if plan.method == Method::Counts {
        return count_again(pair, unit, judged).await;
    }
    let keys: Vec<i64> = judged.groups.iter().map(|group| group.key).collect();
    let mut now: HashMap<i64, Group> = HashMap::new();
    let (source_sql, target_sql) = (unit.source.entries_of(&keys), unit.target.entries_of(&keys));
    merge(pair, (&source_sql, &target_sql), &[], |group| {
        now.insert(group.key, group);
    })
    .await?;
    let mut stable = Outcome::default();
    let mut unstable = Vec::new();
    for old in judged.groups.drain(..) {
        // Gone from both sides: equal.
        let Some(new) = now.remove(&old.key) else {
            continue;
        };
        if new.tally().is_zero() {
            continue;
        }
        if new.signature() == old.signature() {
            stable.add(new, usize::MAX);
        } else {
            unstable.push(new);
        }
    }
    // Places are those of this snapshot: what is stable now is described now, and added to earlier looks'.
    let listed = list(plan, survey, pair, unit, &stable).await?;
    judged.settled.add(listed.tally);
    judged.open = !unstable.is_empty();
    judged.groups = unstable;
    let report = &mut judged.report;
    report.findings.extend(listed.findings);
    report.findings.truncate(plan.listed_max);
    set_tally(report, judged.settled);
    report.unstable = u64::try_from(judged.groups.len()).unwrap_or(u64::MAX);
    say_what_is_open(judged);
    Ok(())
}

/// Nothing found is no proof while rows are open.
fn say_what_is_open(judged: &mut Judged) {
    let note = if judged.cut {
        "too many rows differed to look at all of them again"
    } else if judged.open {
        "rows changed between the looks"
    } else {
        return;
    };
    let report = &mut judged.report;
    if report.status == TableStatus::Equal {
        report.status = TableStatus::NotProven;
    }
    report.note = Some(note.to_owned());
    report.hint =
        Some("compare again when less is written, with a longer pause, or through a migration's fence".to_owned());
}

async fn count_again(pair: &Pair, unit: &Unit, judged: &mut Judged) -> Result<(), Error> {
    let before = (judged.report.source_rows, judged.report.target_rows);
    let outcome = compare(pair, unit, Method::Counts, 0).await?;
    let report = &mut judged.report;
    (report.source_rows, report.target_rows) = (outcome.source_rows, outcome.target_rows);
    set_tally(report, outcome.tally);
    judged.open = false;
    if report.status == TableStatus::Different && before != (outcome.source_rows, outcome.target_rows) {
        report.status = TableStatus::NotProven;
        (report.missing, report.extra) = (0, 0);
        judged.open = true;
        say_what_is_open(judged);
    }
    Ok(())
}
