//! Sagas whose steps go well in the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use atalaya_saga::{Definition, End, Error, Outcome, Phase, Step, StepContext, StepError};
use serde_json::json;

use crate::ground::{Ground, at_work, id, over, retry, start};
use crate::target::Target;

const COMPLETED: Phase = Phase::Ended { end: End::Completed };

async fn steps_come_in_their_order_and_hear_what_earlier_ones_said(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let last = Step::new("tell", |context: StepContext| {
        let input = context.read_input::<BTreeMap<String, u64>>();
        let heard = context.output("reserve") == Some(&json!({ "by": "reserve" })) && input.unwrap()["order"] == 7;
        assert!(matches!(context.read_input::<u64>(), Err(StepError::Refused(_))));
        std::future::ready(if heard { Ok(Outcome::Done(json!(null))) } else { Err(StepError::Refused("deaf".into())) })
    })
    .without_effect();
    let definition = Definition::new("order", 1, vec![target.step("reserve"), target.step("pay"), last]).unwrap();
    let sagas = ground.sagas(definition).await;
    let working = at_work(&sagas).await;
    let id = id("o1");
    assert!(sagas.start("order", &id, json!({ "order": 7 })).await.unwrap());
    assert_eq!(over(&sagas, &id).await, COMPLETED);
    assert_eq!(target.requests(), ["o1/reserve", "o1/pay"]);
    // Started again with the same input it is the same saga; with another one it is refused.
    assert!(!sagas.start("order", &id, json!({ "order": 7 })).await.unwrap());
    let other = sagas.start("order", &id, json!({ "order": 8 })).await;
    assert!(matches!(other, Err(Error::OtherSaga { .. })), "{other:?}");
    working.stop().await;
}

async fn an_attempt_that_may_have_happened_is_made_again_with_the_same_key(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let asked = target.clone();
    let unsure = Step::new("pay", move |context: StepContext| {
        asked.ask(&context.key);
        let unsure = context.attempt < 3;
        std::future::ready(if unsure {
            Err(StepError::Unknown("no answer".into()))
        } else {
            Ok(Outcome::Done(json!(1)))
        })
    })
    .pivot()
    .retried(retry(3));
    let sagas = ground.sagas(Definition::new("order", 1, vec![unsure]).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), COMPLETED);
    assert_eq!(target.requests(), ["o1/pay"; 3]);
    assert_eq!(target.effects(), 1);
}

async fn many_at_once_do_each_step_once(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let steps = ["a", "b", "c"].map(|name| target.step(name)).into();
    let sagas = ground.sagas(Definition::new("order", 1, steps).unwrap()).await;
    // Two coordinators share them.
    let others =
        ground.sagas(Definition::new("order", 1, ["a", "b", "c"].map(|name| target.step(name)).into()).unwrap()).await;
    let working = [at_work(&sagas).await, at_work(&others).await];
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(start(&sagas, "order", &format!("o{number}")).await);
    }
    for id in &ids {
        assert_eq!(over(&sagas, id).await, COMPLETED);
    }
    assert_eq!(target.effects(), 300);
    for coordinator in working {
        coordinator.stop().await;
    }
}

async fn two_that_drive_by_one_handle_leave_each_other_alone(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let slow = |name: &'static str| {
        let doing = target.clone();
        Step::new(name, move |context: StepContext| {
            let target = doing.clone();
            async move {
                target.ask(&context.key);
                tokio::time::sleep(Duration::from_millis(400)).await;
                Ok(Outcome::Done(json!(null)))
            }
        })
        .without_effect()
    };
    let sagas = ground.sagas(Definition::new("order", 1, vec![slow("a"), slow("b")]).unwrap()).await;
    let working = at_work(&sagas).await;
    let id = start(&sagas, "order", "o1").await;
    let here = [sagas.drive_to_end(&id), sagas.drive_to_end(&id)];
    for phase in futures_util::future::join_all(here).await {
        assert_eq!(phase.unwrap(), COMPLETED);
    }
    assert_eq!(target.requests(), ["o1/a", "o1/b"]);
    working.stop().await;
}

async fn a_wait_outlives_its_coordinator_and_ends_once(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let wait = Duration::from_millis(1500);
    let steps = || vec![target.step("before"), Step::wait("rest", wait), target.step("after")];
    let sagas = ground.sagas(Definition::new("order", 1, steps()).unwrap()).await;
    let working = at_work(&sagas).await;
    let begun = std::time::Instant::now();
    let id = start(&sagas, "order", "o1").await;
    while !target.has("o1/before") || sagas.show(&id).await.unwrap().owner.is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    working.stop().await;
    let sagas = ground.sagas(Definition::new("order", 1, steps()).unwrap()).await;
    let working = at_work(&sagas).await;
    assert_eq!(over(&sagas, &id).await, COMPLETED);
    assert!(begun.elapsed() >= wait);
    assert_eq!(target.requests(), ["o1/before", "o1/after"]);
    working.stop().await;
}

async fn a_step_that_panics_keeps_no_other_saga_from_its_end(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let panics = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&panics);
    let broken = Step::new("break", move |context: StepContext| {
        let counted = Arc::clone(&counted);
        assert_ne!(context.saga.as_str(), "worse", "as it is meant to, before there is a future");
        async move {
            if context.saga.as_str() == "bad" {
                counted.fetch_add(1, Ordering::Relaxed);
                panic!("as it is meant to");
            }
            Ok(Outcome::Done(json!(null)))
        }
    })
    .without_effect()
    .retried(retry(2));
    let sagas = ground.sagas(Definition::new("order", 1, vec![target.step("a"), broken]).unwrap()).await;
    let working = at_work(&sagas).await;
    let [bad, worse] = [start(&sagas, "order", "bad").await, start(&sagas, "order", "worse").await];
    let good = start(&sagas, "order", "good").await;
    assert_eq!(over(&sagas, &good).await, COMPLETED);
    for broken in [&bad, &worse] {
        assert_eq!(over(&sagas, broken).await, Phase::Ended { end: End::Compensated });
    }
    assert_eq!(panics.load(Ordering::Relaxed), 2);
    working.stop().await;
}

atalaya_sandbox::on_every_backend! {
    steps_come_in_their_order_and_hear_what_earlier_ones_said
    an_attempt_that_may_have_happened_is_made_again_with_the_same_key
    many_at_once_do_each_step_once
    two_that_drive_by_one_handle_leave_each_other_alone
    a_wait_outlives_its_coordinator_and_ends_once
    a_step_that_panics_keeps_no_other_saga_from_its_end
}
