//! What the drill finds fault with, and the fault that a test of the drill itself plants.

use atalaya_verbs::Proof;

use super::steps::Steps;
use crate::fill::Filled;
use crate::report::{Complaint, Report};
use crate::{Error, Stage};

/// Removes one row of the target, as somebody would who should not be there.
pub(super) async fn tamper(stage: &Stage, filled: &Filled, steps: &Steps) -> Result<(), Error> {
    for plan in &filled.plans {
        let name = plan.table.name.to_sql();
        let sql = format!(
            "SET session_replication_role = replica; WITH gone AS (DELETE FROM {name} WHERE (tableoid, ctid) IN \
             (SELECT tableoid, ctid FROM {name} LIMIT 1) RETURNING 1) SELECT count(*) FROM gone"
        );
        // Not every table has moved, or has a row.
        if stage.target.psql(sql).await.is_ok_and(|answer| answer.trim().ends_with('1')) {
            steps.came_to(format!("TAMPERED: one row of {} removed from the target", plan.table.name));
            return Ok(());
        }
    }
    Err(Error::NothingToMove)
}

/// Counts what the program has left behind.
pub(super) async fn leftovers(stage: &Stage) -> Result<u64, Error> {
    let sql = "SELECT (SELECT count(*) FROM pg_catalog.pg_replication_slots) + (SELECT count(*) FROM pg_catalog.pg_publication)
                    + (SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'atalaya')";
    let mut left = 0;
    for side in [&stage.source, &stage.target] {
        left += side.psql(sql).await?.trim().parse::<u64>().unwrap_or(u64::from(u32::MAX));
    }
    Ok(left)
}

/// What is wrong with what came of it.
pub(super) fn complaints(report: &Report, is_out_of_time: bool) -> Vec<Complaint> {
    let mut found = Vec::new();
    let mut complain = |is_difference, text: String| found.push(Complaint { is_difference, text });
    let unequal = |proof: &&Proof| !proof.is_equal();
    for proof in report.proofs.iter().filter(unequal) {
        complain(proof.differences > 0, format!("`{}` found {}", proof.name, proof.summary()));
    }
    let comparison = &report.comparison;
    if !comparison.different.is_empty() {
        complain(true, format!("psql sees other rows in {}", comparison.different.join(", ")));
    }
    if comparison.tables == 0 {
        complain(false, "psql found no table to compare".to_owned());
    }
    if report.ledger.as_ref().is_some_and(|books| !books.is_clean()) {
        complain(true, "the target does not hold exactly what the ledger's clients were told committed".to_owned());
    }
    if report.leftovers > 0 {
        complain(false, format!("{} slots, publications or schemas are left behind", report.leftovers));
    }
    if is_out_of_time {
        complain(false, "the time for faults was over before all had come: give more with --minutes".to_owned());
    }
    found
}
