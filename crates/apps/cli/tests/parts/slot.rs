//! The slot of the way back, which waits for every transaction that is open on its server.

use super::ground::{NEW, OLD, Parts, THERE};

#[test]
fn a_slot_that_waits_for_an_open_transaction_is_given_up_and_clients_notice_nothing() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    let open = parts.open_transaction();
    let words = parts.course(THERE, "20s");
    let refused = parts.ask(&[&words, &["--slot-timeout", "2"][..]].concat());
    let said = format!("{:?}: {}\n{}", refused.code, refused.stdout, refused.stderr);
    assert_eq!(refused.code, Some(1), "{said}");
    for told in ["transaction", "--slot-timeout", "backend ", "clients of `shop` are served by `shop`"] {
        assert!(refused.stderr.contains(told), "{told}: {said}");
    }
    assert_eq!(parts.standing().last_epoch, 0, "nobody was held");
    parts.until_committed(10);
    parts.assert_served_by(OLD, "given up");
    parts.runtime.block_on(open.batch("COMMIT")).unwrap();
    drop(open);
    parts.lead(THERE);
    parts.assert_served_by(NEW, "after it");
    parts.reconcile(&[]);
}
