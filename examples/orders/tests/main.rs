//! The example as a whole, as its own process, over both databases and a real broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod shop;

use shop::Shop;

async fn three_orders_end_as_they_should_and_again_change_nothing(shop: Shop) {
    for _ in 0..2 {
        shop.assert_right(&shop.run(&[])).await;
        for (order, attempts) in [("1", 1), ("2", 1), ("3", 0)] {
            assert_eq!(shop.attempts_to_pay(order).await, attempts);
        }
    }
}

async fn kills_wherever_it_stands_leave_every_order_right(shop: Shop) {
    for (stream, event) in [
        ("order-1", "Placed"),
        ("stock-book", "Reserved"),
        ("order-1", "Confirmed"),
        ("saga-2", "SagaSignalled"),
        ("order-2", "Rejected"),
        ("stock-book", "Released"),
        ("stock-lamp", "OutOfStock"),
    ] {
        shop.killed_once(&[], async || shop.history(stream).await.iter().any(|seen| seen == event)).await;
    }
    shop.assert_right(&shop.run(&[])).await;
}

async fn kills_between_a_payment_and_its_record_charge_once_and_a_refusal_stays_one(shop: Shop) {
    for (order, entry) in [("1", "1-pay paid"), ("2", "2-pay refused")] {
        shop.killed_once(&["--lose-answers"], async || shop.payments().iter().any(|seen| seen == entry)).await;
        let history = shop.history(&format!("order-{order}")).await;
        assert_eq!((history, shop.attempts_to_pay(order).await), (vec!["Placed".to_owned()], 1), "it was held there");
    }
    shop.assert_right(&shop.run(&[])).await;
    for order in ["1", "2"] {
        assert_eq!(shop.attempts_to_pay(order).await, 2);
    }
}

async fn messages_that_come_twice_count_once(shop: Shop) {
    shop.killed_once(&["--lose-answers"], async || shop.payments().len() == 1).await;
    // They stand before the messages of the other orders, so that these cannot end before the repetitions are handled.
    assert_eq!(shop.relay_all_again().await, 2);
    shop.assert_right(&shop.run(&[])).await;
}

/// Runs each test on both databases.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::Shop::sqlite().await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::Shop::postgres().await).await;
            })*
        }
    };
}

on_both! {
    three_orders_end_as_they_should_and_again_change_nothing
    kills_wherever_it_stands_leave_every_order_right
    kills_between_a_payment_and_its_record_charge_once_and_a_refusal_stays_one
    messages_that_come_twice_count_once
}

#[tokio::test]
async fn it_brings_its_own_servers_and_keeps_either_all_or_nothing() {
    for options in [&[][..], &["--postgres"]] {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_orders")).args(options).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
    for options in [&["--folder", "x"][..], &["--nats", "x"], &["--postgres", "x"], &["--postgres", "x", "y"]] {
        let wrong = std::process::Command::new(env!("CARGO_BIN_EXE_orders")).args(options).output().unwrap();
        assert!(!wrong.status.success() && !wrong.stderr.is_empty(), "{options:?}");
    }
}

#[test]
fn it_stays_short_enough_to_be_read_at_once() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let lines = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().lines().count());
    assert!(lines.sum::<usize>() < 400);
}
