//! A ledger that was tampered with is found, each kind of tampering as what it is.

use atalaya_load::ledger::{Ledger, LedgerOptions, LedgerRecord, Reconciliation};
use atalaya_load::shop::{ShopSize, create};
use atalaya_sandbox::ServerOptions;

use crate::lab::{Lab, until};

/// A finished run of two clients, on tables without the constraints that keep a server from being wrong.
async fn finished_run() -> (Lab, LedgerRecord) {
    let lab = Lab::with_ledger(ServerOptions::new(18)).await;
    let run = Ledger::start(LedgerOptions { clients: 2, ..lab.options() }).await.unwrap();
    until(&run, |counts| counts.committed >= 300 && counts.rolled_back >= 2).await;
    let record = run.stop().await;
    lab.session
        .batch(
            "ALTER TABLE ledger.entry DROP CONSTRAINT entry_transfer_id_fkey, DROP CONSTRAINT entry_pkey;
             ALTER TABLE ledger.transfer DROP CONSTRAINT transfer_pkey",
        )
        .await
        .unwrap();
    (lab, record)
}

/// What is found after each tampering, which is undone again.
async fn found_after(lab: &Lab, record: &LedgerRecord, tampering: &str) -> Reconciliation {
    lab.session
        .batch(
            "CREATE TABLE ledger.kept_transfer AS TABLE ledger.transfer;
             CREATE TABLE ledger.kept_entry AS TABLE ledger.entry;
             CREATE TABLE ledger.kept_account AS TABLE ledger.account",
        )
        .await
        .unwrap();
    lab.session.batch(tampering).await.unwrap();
    let found = record.reconcile(&lab.session).await.unwrap();
    assert!(!found.is_clean(), "{tampering}");
    lab.session
        .batch(
            "DELETE FROM ledger.entry; DELETE FROM ledger.transfer; DELETE FROM ledger.account;
             INSERT INTO ledger.account TABLE ledger.kept_account;
             INSERT INTO ledger.transfer TABLE ledger.kept_transfer;
             INSERT INTO ledger.entry TABLE ledger.kept_entry;
             DROP TABLE ledger.kept_transfer, ledger.kept_entry, ledger.kept_account",
        )
        .await
        .unwrap();
    let undone = record.reconcile(&lab.session).await.unwrap();
    assert!(undone.is_clean(), "{undone:?}");
    found
}

/// Only what is given is wrong.
fn wrong(found: &Reconciliation) -> [u64; 6] {
    [
        found.missing,
        found.duplicate,
        found.ghosts,
        found.transfers_unbalanced,
        found.entries_orphaned,
        found.accounts_wrong,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_tampering_is_found_as_what_it_is() {
    let (lab, record) = finished_run().await;
    let clean = record.reconcile(&lab.session).await.unwrap();
    assert!(clean.is_clean(), "{clean:?}");
    let some = "(SELECT id FROM ledger.transfer ORDER BY id LIMIT 1 OFFSET 7)";

    let lost = format!("DELETE FROM ledger.transfer WHERE id = {some}");
    let found = found_after(&lab, &record, &lost).await;
    assert_eq!(wrong(&found), [1, 0, 0, 0, 2, 0]);
    assert_eq!(found.samples.missing.len(), 1);

    let twice = format!("INSERT INTO ledger.transfer SELECT * FROM ledger.transfer WHERE id = {some}");
    let found = found_after(&lab, &record, &twice).await;
    assert_eq!(wrong(&found), [0, 1, 0, 0, 0, 0]);

    let failed = record.clients[0].failed.iter().next().unwrap();
    let ghost = format!(
        "INSERT INTO ledger.transfer SELECT {failed} + min(id) - {}, 'transfer', 5, now() FROM ledger.transfer",
        record.clients[0].committed.iter().next().unwrap()
    );
    let found = found_after(&lab, &record, &ghost).await;
    assert_eq!(wrong(&found), [0, 0, 1, 1, 0, 0]);

    let never = "INSERT INTO ledger.transfer SELECT max(id) + 1000, 'transfer', 5, now() FROM ledger.transfer";
    assert_eq!(wrong(&found_after(&lab, &record, never).await), [0, 0, 1, 1, 0, 0]);

    let taken = "UPDATE ledger.account SET balance = balance - 1 WHERE id = 3";
    let found = found_after(&lab, &record, taken).await;
    assert_eq!(wrong(&found), [0, 0, 0, 0, 0, 1]);
    assert!(!found.balance_sum_ok);

    let shifted = "UPDATE ledger.account SET balance = balance + CASE id WHEN 3 THEN 1 ELSE -1 END WHERE id IN (3, 4)";
    let found = found_after(&lab, &record, shifted).await;
    assert_eq!(wrong(&found), [0, 0, 0, 0, 0, 2]);
    assert!(found.balance_sum_ok);

    let half = format!("DELETE FROM ledger.entry WHERE side = 1 AND transfer_id = {some}");
    assert_eq!(wrong(&found_after(&lab, &record, &half).await), [0, 0, 0, 1, 0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_with_equal_options_do_not_collide_and_are_told_apart() {
    let lab = Lab::with_ledger(ServerOptions::new(13)).await;
    create(&lab.session, ShopSize::of_bytes(1 << 20)).await.unwrap();
    let mut records = Vec::new();
    for _ in 0..2 {
        let run = Ledger::start(LedgerOptions { shop: true, ..lab.options() }).await.unwrap();
        until(&run, |counts| counts.committed >= 500).await;
        let record = run.stop().await;
        assert!(!record.errors().contains_key("23505"));
        records.push(record);
    }
    assert_eq!([records[0].run, records[1].run], [1, 2]);
    for record in records {
        let found = record.reconcile(&lab.session).await.unwrap();
        assert!(found.is_clean(), "{found:?}");
    }
}
