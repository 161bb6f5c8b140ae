//! A generated shop moves while the ledger works in it; afterwards the clients' own records decide.

use crate::busy::{Busy, Load, reconcile};
use crate::managed::act_as_managed_role;
use crate::support::Move;

const SHOP_BYTES: u64 = 60 << 20;
const LOAD: Load = Load { clients: 4, rate: Some(120), shop: true };

fn move_under_load(shop: Move, shop_bytes: u64) {
    Busy::prepare(&shop.source_url, Some(shop_bytes));
    let busy = Busy::start(&shop.source_url, LOAD);
    busy.commit_more(200);

    // The ledger commits in the copy, however quick that is.
    let mut running = shop.spawn_with("start", &[], &[("ATALAYA_FAILPOINT", "copy-begun:1:stop")]);
    running.wait_for_halt();
    assert_eq!(shop.status()["phase"], "copy");
    busy.commit_more(10);
    running.go_on();
    shop.wait_until_following(&mut running);
    busy.commit_more(300);
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    // What is committed while nobody follows waits in the slot.
    busy.commit_more(200);
    let running = shop.follow(&[]);
    busy.commit_more(300);
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    assert!(proof.stdout.contains("proven equal"), "{}", proof.stdout);

    let record = busy.stop();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", &[]);
    assert!(record.committed() > 1_000, "{:?}", record.counts);
    assert!(record.counts.rolled_back > 0, "{:?}", record.counts);
    let found = reconcile(&record, &shop.target_url);
    assert!(found.is_clean(), "{found:?}");
    assert_eq!(found.committed, record.committed());
    shop.assert_equal();
    assert!(Move::digests(&shop.target).len() > 15);
}

#[test]
fn from_13_to_18_a_shop_moves_under_load_and_the_ledger_reconciles_on_the_target() {
    move_under_load(Move::between(13, 18), SHOP_BYTES);
}

#[test]
fn from_18_to_18_a_shop_moves_under_load_and_the_ledger_reconciles_on_the_target() {
    move_under_load(Move::between(18, 18), SHOP_BYTES);
}

#[test]
fn as_a_role_of_a_managed_service_a_shop_moves_under_load_and_the_ledger_reconciles_on_the_target() {
    let mut shop = Move::between(13, 18);
    act_as_managed_role(&mut shop);
    move_under_load(shop, 20 << 20);
}
