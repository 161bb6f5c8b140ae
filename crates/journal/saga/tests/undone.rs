//! Sagas that go back, or cannot any more.

use atalaya_saga::{Definition, End, Error, Outcome, Phase, Step, StepContext, StepError, StepPhase, Undone, Way};
use serde_json::json;

use crate::ground::{Ground, failing, retry, start};
use crate::target::Target;

const COMPENSATED: Phase = Phase::Ended { end: End::Compensated };

fn refused() -> StepError {
    StepError::Refused("no money".to_owned())
}

fn unknown() -> StepError {
    StepError::Unknown("no answer".to_owned())
}

async fn a_refusal_undoes_what_was_done_in_reverse_and_nothing_else(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let undo = target.clone();
    let pay = failing("pay", refused()).undone_by(move |context: StepContext| {
        undo.ask(&context.key);
        std::future::ready(Ok(Undone::NeverHappened))
    });
    let steps = vec![target.step("a"), target.step("b"), pay, target.step("never")];
    let sagas = ground.sagas(Definition::new("order", 1, steps).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), COMPENSATED);
    // What the target has refused for certain is not undone.
    assert_eq!(target.requests(), ["o1/a", "o1/b", "o1/b/undo", "o1/a/undo"]);
    let view = sagas.show(&id).await.unwrap();
    let states: Vec<StepPhase> = view.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepPhase::Undone, StepPhase::Undone, StepPhase::Refused, StepPhase::Open]);
    assert_eq!(view.failure.as_deref(), Some("pay: no money"));
}

async fn a_step_that_may_have_happened_is_undone_too_and_never_taken_for_undone(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let undo = target.clone();
    let pay = failing("pay", unknown()).retried(retry(2)).undone_by(move |context: StepContext| {
        undo.ask(&context.key);
        std::future::ready(Ok(Undone::NeverHappened))
    });
    let sagas = ground.sagas(Definition::new("order", 1, vec![target.step("a"), pay]).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), COMPENSATED);
    assert_eq!(target.requests(), ["o1/a", "o1/pay/undo", "o1/a/undo"]);
}

async fn a_refusal_after_a_doubtful_attempt_is_undone_all_the_same(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let undo = target.clone();
    let pay = Step::new("pay", |context: StepContext| {
        std::future::ready(Err(if context.attempt == 1 { unknown() } else { refused() }))
    })
    .retried(retry(3))
    .undone_by(move |context: StepContext| {
        undo.ask(&context.key);
        std::future::ready(Ok(Undone::Undone))
    });
    let sagas = ground.sagas(Definition::new("order", 1, vec![pay]).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), COMPENSATED);
    assert_eq!(target.requests(), ["o1/pay/undo"]);
}

async fn after_the_pivot_nothing_is_undone_and_a_person_is_waited_for(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let ship = failing("ship", refused()).retried(retry(2));
    let steps = vec![target.step("a"), target.step("pay").pivot(), ship];
    let sagas = ground.sagas(Definition::new("order", 1, steps).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    let stuck = Phase::Stuck { way: Way::Forward, step: "ship".to_owned(), reason: "no money".to_owned() };
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), stuck);
    assert_eq!(target.requests(), ["o1/a", "o1/pay"]);
    assert!(sagas.show(&id).await.unwrap().past_pivot);
    assert!(matches!(sagas.turn_back(&id, "ann", "please").await, Err(Error::NoWayBack { .. })));
}

async fn a_pivot_of_which_nobody_knows_goes_neither_way(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let pay = failing("pay", unknown()).retried(retry(2)).pivot();
    let sagas = ground.sagas(Definition::new("order", 1, vec![target.step("a"), pay]).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    let phase = sagas.drive_to_end(&id).await.unwrap();
    assert!(matches!(phase, Phase::Stuck { way: Way::Forward, .. }), "{phase:?}");
    assert_eq!(target.requests(), ["o1/a"]);
    // A person has found out that it did not happen.
    sagas.turn_back(&id, "ann", "the bank knows of nothing").await.unwrap();
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), COMPENSATED);
    assert_eq!(target.requests(), ["o1/a", "o1/a/undo"]);
}

async fn a_refusal_by_a_target_that_answers_by_the_key_settles_what_was_lost_before_it(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    for (name, is_pivot) in [("o1", true), ("o2", false)] {
        let undo = target.clone();
        let pay = Step::new("pay", |context: StepContext| {
            std::future::ready(Err(if context.attempt == 1 { unknown() } else { refused() }))
        })
        .retried(retry(3))
        .undone_by(move |context: StepContext| {
            undo.ask(&context.key);
            std::future::ready(Ok(Undone::Undone))
        })
        .settled_by_refusal();
        let pay = if is_pivot { pay.pivot() } else { pay };
        let sagas = ground.sagas(Definition::new("order", 1, vec![target.step("a"), pay]).unwrap()).await;
        let id = start(&sagas, "order", name).await;
        assert_eq!(sagas.drive_to_end(&id).await.unwrap(), COMPENSATED);
        assert_eq!(sagas.show(&id).await.unwrap().steps[1].state, StepPhase::Refused);
    }
    assert_eq!(target.requests(), ["o1/a", "o1/a/undo", "o2/a", "o2/a/undo"]);
}

async fn a_compensation_is_tried_again_and_again_with_the_same_key(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let undo = target.clone();
    let first = Step::new("a", |_: StepContext| std::future::ready(Ok(Outcome::Done(json!(1)))))
        .retried(retry(3))
        .undone_by(move |context: StepContext| {
            undo.ask(&context.key);
            std::future::ready(if context.attempt < 3 { Err(refused()) } else { Ok(Undone::Undone) })
        });
    let sagas =
        ground.sagas(Definition::new("order", 1, vec![first, failing("pay", refused()).pivot()]).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), COMPENSATED);
    assert_eq!(target.requests(), ["o1/a/undo"; 3]);
}

atalaya_sandbox::on_every_backend! {
    a_refusal_undoes_what_was_done_in_reverse_and_nothing_else
    a_step_that_may_have_happened_is_undone_too_and_never_taken_for_undone
    a_refusal_after_a_doubtful_attempt_is_undone_all_the_same
    after_the_pivot_nothing_is_undone_and_a_person_is_waited_for
    a_pivot_of_which_nobody_knows_goes_neither_way
    a_refusal_by_a_target_that_answers_by_the_key_settles_what_was_lost_before_it
    a_compensation_is_tried_again_and_again_with_the_same_key
}
