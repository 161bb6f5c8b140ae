//! Epochs that are opened, and those that are not.

use std::time::Duration;

use atalaya_route::{Error, Led, Opening, Standing};

use crate::ground::{Ground, open_epoch, opening};

on_every_backend! {
    a_database_without_a_route_stands_where_the_estate_says
    an_epoch_is_read_as_it_was_opened
    one_epoch_is_open_at_a_time
    clients_can_only_be_led_away_from_where_they_are
    routes_of_databases_are_apart
}

async fn a_database_without_a_route_stands_where_the_estate_says(ground: &Ground) {
    let routes = ground.routes().await;
    assert_eq!(routes.standing("blue").await.unwrap(), Standing::default());
    assert_eq!(routes.epoch("blue", 1).await.unwrap(), None);
    assert_eq!(routes.epoch("blue", 0).await.unwrap(), None);
    assert_eq!(routes.epoch("blue", u64::MAX).await.unwrap(), None);
}

async fn an_epoch_is_read_as_it_was_opened(ground: &Ground) {
    let routes = ground.routes().await;
    let epoch = open_epoch(&routes).await;
    assert_eq!((epoch.epoch, &epoch.opening, &epoch.led), (1, &opening("blue", "green"), &None));
    // Another handle of another process reads the same.
    let other = ground.routes().await;
    let standing = other.standing("blue").await.unwrap();
    assert_eq!(standing, Standing { leads_to: None, open: Some(epoch.clone()), last_epoch: 1 });
    assert_eq!(other.epoch("blue", 1).await.unwrap(), Some((epoch.clone(), None)));
    assert_eq!(other.decision(&epoch).await.unwrap(), None);
    assert!(other.lease_left(&epoch).await.unwrap() <= Duration::from_secs(2));
}

async fn one_epoch_is_open_at_a_time(ground: &Ground) {
    let routes = ground.routes().await;
    open_epoch(&routes).await;
    let refused = routes.open("blue", opening("blue", "red")).await.unwrap_err();
    assert!(matches!(refused, Error::Open { epoch: 1, .. }) && refused.is_refusal(), "{refused}");
}

async fn clients_can_only_be_led_away_from_where_they_are(ground: &Ground) {
    let routes = ground.routes().await;
    let elsewhere = routes.open("blue", opening("green", "blue")).await.unwrap_err();
    assert!(matches!(&elsewhere, Error::Elsewhere { leads_to, .. } if leads_to == "blue"), "{elsewhere}");
    let epoch = open_epoch(&routes).await;
    routes.flip(&epoch, "coordinator").await.unwrap();
    let elsewhere = routes.open("blue", opening("blue", "green")).await.unwrap_err();
    assert!(matches!(&elsewhere, Error::Elsewhere { leads_to, .. } if leads_to == "green"), "{elsewhere}");
    let back = routes.open("blue", opening("green", "blue")).await.unwrap();
    assert_eq!((back.epoch, back.led.clone()), (2, Some(Led { to: "green".to_owned(), epoch: 1 })));
    assert_eq!(routes.standing("blue").await.unwrap().leads_to, back.led);
}

async fn routes_of_databases_are_apart(ground: &Ground) {
    let routes = ground.routes().await;
    open_epoch(&routes).await;
    let other = routes.open("blue-2", opening("blue-2", "green-2")).await.unwrap();
    assert_eq!(other.epoch, 1);
}

#[tokio::test]
async fn what_would_hold_clients_for_ever_or_does_not_fit_is_refused() {
    let ground = Ground::sqlite();
    let routes = ground.routes().await;
    let good = opening("blue", "green");
    let unsuitable = [
        Opening { lease: Duration::ZERO, ..good.clone() },
        Opening { lease: Duration::from_secs(601), ..good.clone() },
        Opening { migration: String::new(), ..good.clone() },
        Opening { gates: vec!["x".repeat(256)], ..good.clone() },
        Opening { gates: vec!["x".to_owned(); 1025], ..good.clone() },
        Opening { lift: vec!["x".repeat(200 << 10)], ..good.clone() },
        Opening { to: "blue".to_owned(), ..good },
    ];
    for opening in unsuitable {
        let refused = routes.open("blue", opening).await.unwrap_err();
        assert!(matches!(refused, Error::Unsuitable { .. }), "{refused}");
    }
    let name = routes.standing("a\nb").await.unwrap_err();
    assert!(matches!(name, Error::Name { .. }), "{name}");
    assert_eq!(routes.standing("blue").await.unwrap().last_epoch, 0);
}
