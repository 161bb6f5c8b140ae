//! What a person says of a stuck saga, and that others go on meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use atalaya_eventstore::{Append, EventType, Expected, NewEvent, Position};
use atalaya_saga::{
    Answer, Decided, Definition, End, Error, Listed, Outcome, Phase, Progress, Sagas, Step, StepContext, StepError,
    StepPhase, Undone,
};
use serde_json::json;

use crate::ground::{Ground, at_work, failing, id, over, retry, start};
use crate::target::Target;

/// A saga whose first step's compensation does not work until it is mended.
async fn broken_undo(ground: &Ground, target: &Target, mended: &Arc<AtomicBool>) -> Sagas {
    let mended = Arc::clone(mended);
    let first = Step::new("a", |_: StepContext| std::future::ready(Ok(Outcome::Done(json!(1)))))
        .retried(retry(2))
        .undone_by(move |_: StepContext| {
            let mended = mended.load(Ordering::SeqCst);
            std::future::ready(if mended { Ok(Undone::Undone) } else { Err(StepError::Unknown("still down".into())) })
        });
    let refusing = Step::new("pay", |context: StepContext| {
        let good = context.saga.as_str().starts_with("good");
        std::future::ready(if good { Ok(Outcome::Done(json!(1))) } else { Err(StepError::Refused("no money".into())) })
    })
    .pivot();
    ground.sagas(Definition::new("order", 1, vec![target.step("z"), first, refusing]).unwrap()).await
}

async fn one_that_is_stuck_leaves_others_alone_and_goes_on_when_it_is_told_to(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let mended = Arc::new(AtomicBool::new(false));
    let sagas = broken_undo(ground, &target, &mended).await;
    let working = at_work(&sagas).await;
    let bad = start(&sagas, "order", "bad").await;
    assert!(matches!(over(&sagas, &bad).await, Phase::Stuck { .. }));
    let good = start(&sagas, "order", "good").await;
    assert_eq!(over(&sagas, &good).await, Phase::Ended { end: End::Completed });
    assert!(matches!(sagas.retry(&good, "ann").await, Err(Error::NotStuck { .. })));
    mended.store(true, Ordering::SeqCst);
    sagas.retry(&bad, "ann").await.unwrap();
    assert_eq!(over(&sagas, &bad).await, Phase::Ended { end: End::Compensated });
    assert!(target.has("bad/z/undo"));
    assert!(ground.history(&bad).await.contains(&"SagaRetried".to_owned()));
    working.stop().await;
}

async fn a_step_that_is_skipped_with_a_reason_counts_as_undone(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = broken_undo(ground, &target, &Arc::new(AtomicBool::new(false))).await;
    let id = start(&sagas, "order", "bad").await;
    assert!(matches!(sagas.drive_to_end(&id).await.unwrap(), Phase::Stuck { .. }));
    sagas.skip(&id, "ann", "undone by hand").await.unwrap();
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), Phase::Ended { end: End::Compensated });
    assert!(target.has("bad/z/undo"));
}

async fn who_decided_what_and_when_is_shown_with_the_times_of_the_steps(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = broken_undo(ground, &target, &Arc::new(AtomicBool::new(false))).await;
    let id = start(&sagas, "order", "bad").await;
    assert!(matches!(sagas.drive_to_end(&id).await.unwrap(), Phase::Stuck { .. }));
    let stuck = sagas.show(&id).await.unwrap();
    assert!(stuck.decisions.is_empty() && stuck.ended_at_us.is_none());
    sagas.retry(&id, "ann").await.unwrap();
    assert!(matches!(sagas.drive_to_end(&id).await.unwrap(), Phase::Stuck { .. }));
    sagas.skip(&id, "ben", "undone by hand").await.unwrap();
    sagas.drive_to_end(&id).await.unwrap();
    let view = sagas.show(&id).await.unwrap();
    let said: Vec<_> = view
        .decisions
        .iter()
        .map(|said| (said.decided, said.by.as_str(), said.step.as_deref(), said.reason.as_deref()))
        .collect();
    let expected =
        [(Decided::Retry, "ann", Some("a"), None), (Decided::Skip, "ben", Some("a"), Some("undone by hand"))];
    assert_eq!(said, expected);
    let ended = view.ended_at_us.unwrap();
    let mut times = vec![view.started_at_us];
    times.extend(view.steps.iter().map(|step| step.begun_at_us.unwrap()));
    times.extend(view.decisions.iter().map(|said| said.at_us));
    times.push(ended);
    assert!(times.is_sorted(), "{times:?}");
    for (step, state) in view.steps.iter().zip([StepPhase::Undone, StepPhase::Undone, StepPhase::Refused]) {
        assert_eq!(step.state, state);
        assert!(step.begun_at_us <= step.settled_at_us && step.settled_at_us <= Some(ended), "{step:?}");
    }
}

async fn one_that_is_given_up_stays_as_it_is(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let steps = vec![target.step("pay").pivot(), failing("ship", StepError::Refused("no".into())).retried(retry(1))];
    let sagas = ground.sagas(Definition::new("order", 1, steps).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    assert!(matches!(sagas.drive_to_end(&id).await.unwrap(), Phase::Stuck { .. }));
    sagas.abandon(&id, "ann", "the shop is closed").await.unwrap();
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), Phase::Ended { end: End::Abandoned });
    assert!(matches!(sagas.abandon(&id, "ann", "again").await, Err(Error::Ended { .. })));
    assert_eq!(target.requests(), ["o1/pay"]);
}

async fn one_that_waits_for_an_answer_is_turned_back_and_all_before_it_undone(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let asked = Step::new("ask", |_: StepContext| std::future::ready(Ok(Outcome::Awaiting)))
        .undone_by(|_: StepContext| std::future::ready(Ok(Undone::Undone)));
    let definition = Definition::new("order", 1, vec![target.step("z"), asked, target.step("pay").pivot()]).unwrap();
    let sagas = ground.sagas(definition).await;
    let id = start(&sagas, "order", "o1").await;
    assert!(matches!(sagas.turn_back(&id, "ann", "too soon").await, Err(Error::NotStuck { .. })));
    assert_eq!(sagas.advance(&id).await.unwrap(), Progress::Signal);
    sagas.turn_back(&id, "ann", "changed my mind").await.unwrap();
    assert!(matches!(sagas.turn_back(&id, "ann", "again").await, Err(Error::NoWayBack { .. })));
    assert_eq!(sagas.advance(&id).await.unwrap(), Progress::Over(Phase::Ended { end: End::Compensated }));
    assert_eq!(target.requests(), ["o1/z", "o1/z/undo"]);
    // An answer that was on its way comes too late.
    let late = sagas.signal(&id, "ask", "m1", Answer::Done { output: json!(1) }).await;
    assert!(matches!(late, Err(Error::Ended { .. })));
}

async fn an_answer_that_has_come_is_not_turned_back(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let asked = Step::new("ask", |_: StepContext| std::future::ready(Ok(Outcome::Awaiting))).without_effect();
    let definition = Definition::new("order", 1, vec![asked, target.step("pay").pivot()]).unwrap();
    let sagas = ground.sagas(definition).await;
    let id = start(&sagas, "order", "o1").await;
    assert_eq!(sagas.advance(&id).await.unwrap(), Progress::Signal);
    assert!(sagas.signal(&id, "ask", "m1", Answer::Done { output: json!(1) }).await.unwrap());
    assert!(matches!(sagas.turn_back(&id, "ann", "late").await, Err(Error::NotStuck { .. })));
    assert_eq!(sagas.advance(&id).await.unwrap(), Progress::Over(Phase::Ended { end: End::Completed }));
}

async fn they_are_listed_in_the_order_in_which_they_were_started(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(Definition::new("order", 1, vec![target.step("pay").pivot()]).unwrap()).await;
    for name in ["o1", "o2", "o3"] {
        let id = start(&sagas, "order", name).await;
        sagas.drive_to_end(&id).await.unwrap();
    }
    let (first, next) = sagas.list(Position::START, 2).await.unwrap();
    let (rest, end) = sagas.list(next.unwrap(), 2).await.unwrap();
    let name = |listed: &Listed| match listed {
        Listed::Seen(view) => view.id.as_str().to_owned(),
        Listed::Unreadable { id, .. } => format!("{} cannot be read", id.as_str()),
    };
    let names: Vec<String> = first.iter().chain(&rest).map(name).collect();
    assert_eq!((names, end), (["o1", "o2", "o3"].map(str::to_owned).to_vec(), None));
}

async fn one_that_cannot_be_read_hides_no_other(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(Definition::new("order", 1, vec![target.step("pay").pivot()]).unwrap()).await;
    for name in ["o1", "o2"] {
        start(&sagas, "order", name).await;
    }
    let later = NewEvent::new(EventType::new("SagaLater").unwrap(), r#"{"kind":"of a later version"}"#);
    let stream = id("o1").stream().clone();
    ground.open().await.append(Append::to_stream(stream, Expected::Any, vec![later])).await.unwrap();
    let (listed, _) = sagas.list(Position::START, 10).await.unwrap();
    assert_eq!(listed[0], Listed::Unreadable { id: id("o1"), version: 2 });
    assert!(matches!(&listed[1], Listed::Seen(view) if view.id == id("o2")));
}

atalaya_sandbox::on_every_backend! {
    one_that_is_stuck_leaves_others_alone_and_goes_on_when_it_is_told_to
    a_step_that_is_skipped_with_a_reason_counts_as_undone
    one_that_is_given_up_stays_as_it_is
    who_decided_what_and_when_is_shown_with_the_times_of_the_steps
    one_that_waits_for_an_answer_is_turned_back_and_all_before_it_undone
    an_answer_that_has_come_is_not_turned_back
    they_are_listed_in_the_order_in_which_they_were_started
    one_that_cannot_be_read_hides_no_other
}
