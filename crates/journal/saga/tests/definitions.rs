//! Sagas in flight while the program changes, and streams that nobody can read.

use atalaya_eventstore::{Append, EventType, Expected, NewEvent};
use atalaya_saga::{Coordinator, Definition, End, Error, Outcome, Phase, Sagas, Step, StepContext};
use serde_json::json;
use tokio::sync::watch;

use crate::ground::{Ground, at_work, id, over, quick, start};
use crate::target::Target;

fn revision(target: &Target, revision: u32, steps: &[&str]) -> Definition {
    Definition::new("order", revision, steps.iter().map(|name| target.step(name)).collect()).unwrap()
}

async fn a_saga_of_a_definition_that_is_gone_is_listed_and_left_alone(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let old = ground.sagas(revision(&target, 1, &["a", "b"])).await;
    let bound = start(&old, "order", "old").await;
    let new = ground.sagas(revision(&target, 2, &["a", "c"])).await;
    let coordinator = Coordinator::open(&new).await.unwrap();
    let mut refused = coordinator.refused();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(coordinator.run(stopped));
    refused.changed().await.unwrap();
    assert_eq!(refused.borrow()[0].id, bound);
    // Others go on, and nothing was written to it.
    let fresh = start(&new, "order", "new").await;
    assert_eq!(over(&new, &fresh).await, Phase::Ended { end: End::Completed });
    assert_eq!(ground.history(&bound).await, ["SagaStarted"]);
    assert!(!new.show(&bound).await.unwrap().known);
    assert!(matches!(new.drive_to_end(&bound).await, Err(Error::Changed { revision: 1, .. })));
    stop.send(true).unwrap();
    running.await.unwrap().unwrap();
    // With both revisions in the program, each saga ends by its own.
    let both = vec![revision(&target, 1, &["a", "b"]), revision(&target, 2, &["a", "c"])];
    let both = Sagas::new(ground.open().await, both, quick()).unwrap();
    assert_eq!(both.drive_to_end(&bound).await.unwrap(), Phase::Ended { end: End::Completed });
    assert!(target.has("old/b") && !target.has("old/c"));
}

async fn a_stream_that_cannot_be_read_keeps_no_other_from_its_end(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(revision(&target, 1, &["a"])).await;
    let broken = start(&sagas, "order", "broken").await;
    let garbage = NewEvent::new(EventType::new("SagaReleased").unwrap(), "{\"kind\":\"from the future\"}");
    let append = Append::to_stream(broken.stream().clone(), Expected::Any, vec![garbage]);
    ground.open().await.append(append).await.unwrap();
    let good = start(&sagas, "order", "good").await;
    let working = at_work(&sagas).await;
    assert_eq!(over(&sagas, &good).await, Phase::Ended { end: End::Completed });
    assert!(matches!(sagas.show(&broken).await, Err(Error::Unreadable { version: 2, .. })));
    working.stop().await;
}

async fn what_a_step_says_is_bounded_and_the_step_done_all_the_same(ground: &Ground) {
    let large = Step::new("talk", |_: StepContext| std::future::ready(Ok(Outcome::Done(json!("x".repeat(100_000))))))
        .without_effect();
    let sagas = ground.sagas(Definition::new("order", 1, vec![large]).unwrap()).await;
    let saga = start(&sagas, "order", "o1").await;
    assert_eq!(sagas.drive_to_end(&saga).await.unwrap(), Phase::Ended { end: End::Completed });
    let input = sagas.start("order", &id("o2"), json!("x".repeat(100_000))).await;
    assert!(input.is_err());
}

atalaya_sandbox::on_every_backend! {
    a_saga_of_a_definition_that_is_gone_is_listed_and_left_alone
    a_stream_that_cannot_be_read_keeps_no_other_from_its_end
    what_a_step_says_is_bounded_and_the_step_done_all_the_same
}
