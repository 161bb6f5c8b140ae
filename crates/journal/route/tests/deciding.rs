//! What becomes of an epoch.

use atalaya_route::{Decision, Error, Led, Opening, Standing};

use crate::ground::{Ground, open_epoch, opening};

on_every_backend! {
    a_closed_epoch_can_never_flip
    a_flipped_epoch_can_never_be_closed
    closing_leaves_clients_where_an_earlier_epoch_led_them
    a_rehearsal_can_only_be_closed
    a_way_there_and_back_and_there_again
}

fn flipped(to: &str, epoch: u64) -> Decision {
    Decision::Flipped { to: to.to_owned(), epoch }
}

fn closed(by: &str, epoch: u64) -> Decision {
    Decision::Closed { by: by.to_owned(), reason: "its lease is over".to_owned(), epoch }
}

async fn a_closed_epoch_can_never_flip(ground: &Ground) {
    let routes = ground.routes().await;
    let epoch = open_epoch(&routes).await;
    assert_eq!(routes.close(&epoch, "gate-1", "its lease is over").await.unwrap(), closed("gate-1", 1));
    assert_eq!(routes.close(&epoch, "gate-2", "late as well").await.unwrap(), closed("gate-1", 1));
    assert_eq!(routes.flip(&epoch, "coordinator").await.unwrap(), closed("gate-1", 1));
    assert_eq!(routes.decision(&epoch).await.unwrap(), Some(closed("gate-1", 1)));
    let standing = Standing { leads_to: None, open: None, last_epoch: 1 };
    assert_eq!(routes.standing("blue").await.unwrap(), standing);
    // Not even when another one was opened and decided since.
    let next = open_epoch(&routes).await;
    assert_eq!(routes.flip(&epoch, "coordinator").await.unwrap(), closed("gate-1", 1));
    assert_eq!(routes.flip(&next, "coordinator").await.unwrap(), flipped("green", 2));
    assert_eq!(routes.flip(&epoch, "coordinator").await.unwrap(), closed("gate-1", 1));
}

async fn a_flipped_epoch_can_never_be_closed(ground: &Ground) {
    let routes = ground.routes().await;
    let epoch = open_epoch(&routes).await;
    assert_eq!(routes.flip(&epoch, "coordinator").await.unwrap(), flipped("green", 1));
    assert_eq!(routes.close(&epoch, "gate-1", "its lease is over").await.unwrap(), flipped("green", 1));
    assert_eq!(routes.flip(&epoch, "another").await.unwrap(), flipped("green", 1));
    assert_eq!(routes.epoch("blue", 1).await.unwrap(), Some((epoch, Some(flipped("green", 1)))));
}

async fn closing_leaves_clients_where_an_earlier_epoch_led_them(ground: &Ground) {
    let routes = ground.routes().await;
    let first = open_epoch(&routes).await;
    routes.flip(&first, "coordinator").await.unwrap();
    for epoch in 2..6 {
        let back = routes.open("blue", opening("green", "blue")).await.unwrap();
        routes.close(&back, "gate-1", "its lease is over").await.unwrap();
        let leads_to = Some(Led { to: "green".to_owned(), epoch: 1 });
        let standing = Standing { leads_to, open: None, last_epoch: epoch };
        assert_eq!(routes.standing("blue").await.unwrap(), standing);
    }
}

async fn a_rehearsal_can_only_be_closed(ground: &Ground) {
    let routes = ground.routes().await;
    let rehearsal = Opening { rehearsal: true, ..opening("blue", "green") };
    let epoch = routes.open("blue", rehearsal).await.unwrap();
    let refused = routes.flip(&epoch, "coordinator").await.unwrap_err();
    assert!(matches!(refused, Error::Rehearsal { epoch: 1, .. }), "{refused}");
    assert_eq!(routes.decision(&epoch).await.unwrap(), None);
    assert_eq!(routes.close(&epoch, "coordinator", "its lease is over").await.unwrap(), closed("coordinator", 1));
}

async fn a_way_there_and_back_and_there_again(ground: &Ground) {
    let routes = ground.routes().await;
    for (epoch, from, to) in [(1, "blue", "green"), (2, "green", "blue"), (3, "blue", "green")] {
        let opened = routes.open("blue", opening(from, to)).await.unwrap();
        assert_eq!(routes.flip(&opened, "coordinator").await.unwrap(), flipped(to, epoch));
        let leads_to = Some(Led { to: to.to_owned(), epoch });
        assert_eq!(routes.standing("blue").await.unwrap(), Standing { leads_to, open: None, last_epoch: epoch });
    }
}

#[tokio::test]
async fn a_long_reason_is_cut_between_characters() {
    let ground = Ground::sqlite();
    let routes = ground.routes().await;
    let epoch = open_epoch(&routes).await;
    match routes.close(&epoch, "gate", &"é".repeat(500)).await.unwrap() {
        Decision::Closed { reason, .. } => assert_eq!(reason, "é".repeat(127)),
        other => panic!("{other:?}"),
    }
}
