//! A report as of a demo in which everything went well; for tests.

use std::collections::BTreeMap;

use atalaya_load::ledger::Reconciliation;

use crate::report::REPORT_VERSION;
use crate::{
    Afterwards, Certificate, Copied, Corruption, Finish, Lag, Leading, Pause, PauseOutcome, Report, Series, Shop,
    StageTook, Step, Writes,
};

/// 100 transactions a second for 60 s, held at 10, 20, 30 and 40 s for 83 ms each.
pub(crate) fn report() -> Report {
    let asked = [
        (Leading::Rehearsal, PauseOutcome::Rehearsed),
        (Leading::Cutover, PauseOutcome::Flipped),
        (Leading::Rollback, PauseOutcome::Flipped),
        (Leading::Cutover, PauseOutcome::Flipped),
    ];
    let books = Reconciliation { committed: 6_000, balance_sum_ok: true, ..Reconciliation::default() };
    Report {
        version: REPORT_VERSION,
        from: "13.23".into(),
        to: "18.6".into(),
        durable: true,
        shop: Shop { tables: 30, rows: 1_000, bytes: 1_000_000 },
        steps: vec![Step { title: "a step".into(), seconds: 1.5 }],
        copied: Copied::default(),
        lag: Lag::default(),
        writes: Writes { committed: 6_000, per_second_mean: 100.0, ..Writes::default() },
        series: Series { from_ms: 0, bucket_ms: 100, committed: vec![10; 600] },
        pauses: (1..).zip(asked).map(|(epoch, (what, outcome))| pause(epoch, what, outcome)).collect(),
        proofs: Vec::new(),
        corruption: Corruption {
            table: "shop.supplier".into(),
            key: "id = 1".into(),
            column: "contact".into(),
            found: true,
            rows_repaired: 1,
            restored: true,
        },
        reconciliation: books.clone(),
        reconciliation_old: books,
        certificate: Certificate { equal: true, seconds: 2.0 },
        finish: Finish { seconds: 1.0, leftovers: 0 },
        afterwards: Afterwards { committed: 1_000, errors: BTreeMap::new(), reconciled: true },
        complaints: Vec::new(),
    }
}

pub(crate) fn pause(epoch: u64, what: Leading, outcome: PauseOutcome) -> Pause {
    let at_ms = epoch * 10_000;
    let mut committed = vec![1; 209];
    committed[100..108].fill(0);
    Pause {
        what,
        outcome,
        epoch,
        at_ms,
        pause_us: 83_400,
        no_commit_ms: 80,
        longest_wait_us: 91_200,
        clients_held: 16,
        stages: vec![StageTook { stage: "drain".into(), began_us: 20, took_us: 4_500 }],
        rows_proven: 1_234,
        sequences: 7,
        around: Series { from_ms: at_ms - 1_000, bucket_ms: 10, committed },
    }
}
