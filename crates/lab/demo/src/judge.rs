//! What is wrong although every step was done.

use crate::report::{PauseOutcome, Report};
use crate::{Leading, Options};

pub(crate) fn complaints(options: &Options, report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let (wanted, writes) = (options.commits_per_second_min(), &report.writes);
    if writes.per_second_mean < wanted {
        found.push(format!(
            "clients committed {:.0} transactions/s over the whole move, and {wanted:.0} were wanted",
            writes.per_second_mean
        ));
    }
    if writes.failed > 0 || writes.unknown > 0 || !writes.errors.is_empty() {
        let errors: Vec<String> = writes.errors.iter().map(|(error, times)| format!("{error} {times} times")).collect();
        found.push(format!(
            "{} transactions failed, {} had no answer: {}",
            writes.failed,
            writes.unknown,
            errors.join(", ")
        ));
    }
    let led: Vec<(Leading, bool)> = report
        .pauses
        .iter()
        .filter(|pause| !matches!(pause.outcome, PauseOutcome::Closed { .. }))
        .map(|pause| (pause.what, pause.outcome == PauseOutcome::Flipped))
        .collect();
    let wanted =
        [(Leading::Rehearsal, false), (Leading::Cutover, true), (Leading::Rollback, true), (Leading::Cutover, true)];
    if led != wanted {
        found.push("the journal tells of other pauses than those that were asked for".to_owned());
    }
    for (server, books) in [("new", &report.reconciliation), ("old", &report.reconciliation_old)] {
        if !books.is_clean() || books.committed != writes.committed {
            found.push(format!("the {server} server does not hold exactly what clients were told committed"));
        }
    }
    if !report.certificate.equal {
        found.push("the certificate says that both sides are not equal".to_owned());
    }
    if !report.afterwards.errors.is_empty() || !report.afterwards.reconciled {
        found.push(
            "clients met errors while the move was finished, or the new server does not hold what they were told"
                .to_owned(),
        );
    }
    if report.finish.leftovers > 0 {
        found.push(format!("{} slots, publications or tables are left behind", report.finish.leftovers));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{pause, report};

    fn options() -> Options {
        Options {
            program: "atalaya".into(),
            folder: ".".into(),
            from: 13,
            to: 18,
            bytes: 0,
            rate: 100,
            clients: 16,
            max_pause: std::time::Duration::from_secs(2),
        }
    }

    fn told(change: impl FnOnce(&mut Report)) -> Vec<String> {
        let mut report = report();
        change(&mut report);
        complaints(&options(), &report)
    }

    #[test]
    fn nothing_is_said_of_a_demo_that_went_well_nor_of_what_was_tried_again_nor_of_deadlocks() {
        assert_eq!(told(|_| ()), Vec::<String>::new());
        let closed = PauseOutcome::Closed { reason: "out of time".into() };
        assert_eq!(told(|report| report.pauses.insert(1, pause(9, Leading::Cutover, closed))), Vec::<String>::new());
        assert_eq!(told(|report| report.writes.deadlocks = 2), Vec::<String>::new());
    }

    #[test]
    fn whatever_clients_met_or_a_server_lacks_is_told() {
        let changes: [fn(&mut Report); 9] = [
            |report| report.writes.failed = 1,
            |report| report.writes.unknown = 1,
            |report| _ = report.writes.errors.insert("57P01".into(), 1),
            |report| _ = report.pauses.pop(),
            |report| report.reconciliation.missing = 1,
            |report| report.reconciliation_old.committed -= 1,
            |report| report.certificate.equal = false,
            |report| report.afterwards.reconciled = false,
            |report| report.finish.leftovers = 1,
        ];
        for (at, change) in changes.into_iter().enumerate() {
            assert_eq!(told(change).len(), 1, "change {at}");
        }
    }
}
