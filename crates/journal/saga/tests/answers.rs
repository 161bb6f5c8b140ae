//! Steps whose answers come by themselves: early, twice, late, or never.

use std::time::Duration;

use atalaya_saga::{Answer, Definition, End, Error, Outcome, Phase, SagaId, Sagas, Step, StepContext, StepPhase};
use serde_json::json;

use crate::ground::{Ground, at_work, over, quick, start};
use crate::target::Target;

fn awaiting(target: &Target, deadline: Option<Duration>) -> Step {
    let (doing, undo) = (target.clone(), target.clone());
    let step = Step::new("reserve", move |context: StepContext| {
        doing.ask(&context.key);
        std::future::ready(Ok(Outcome::Awaiting))
    });
    let step = step.undone_by(move |context: StepContext| {
        undo.ask(&context.key);
        std::future::ready(Ok(atalaya_saga::Undone::Undone))
    });
    match deadline {
        Some(deadline) => step.within(deadline),
        None => step,
    }
}

fn granted() -> Answer {
    Answer::Done { output: json!({ "shelf": 3 }) }
}

async fn begun(sagas: &Sagas, id: &SagaId) {
    while sagas.show(id).await.unwrap().steps[0].state != StepPhase::Awaiting {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn an_answer_completes_its_step_once_however_often_it_comes(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let last = Step::new("tell", |context: StepContext| {
        std::future::ready(Ok(Outcome::Done(context.output("reserve").cloned().unwrap_or_default())))
    })
    .without_effect();
    let sagas = ground.sagas(Definition::new("order", 1, vec![awaiting(&target, None), last]).unwrap()).await;
    let working = at_work(&sagas).await;
    let id = start(&sagas, "order", "o1").await;
    begun(&sagas, &id).await;
    assert!(sagas.signal(&id, "reserve", "message 1", granted()).await.unwrap());
    assert_eq!(over(&sagas, &id).await, Phase::Ended { end: End::Completed });
    let late = sagas.signal(&id, "reserve", "message 2", granted()).await;
    assert!(matches!(late, Err(Error::Ended { .. })), "{late:?}");
    let nowhere = sagas.signal(&crate::ground::id("none"), "reserve", "message 3", granted()).await;
    assert!(matches!(nowhere, Err(Error::UnknownSaga { .. })), "{nowhere:?}");
    assert_eq!(target.requests(), ["o1/reserve"]);
    working.stop().await;
}

async fn an_answer_that_is_there_before_its_request_counts(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let sagas = ground.sagas(Definition::new("order", 1, vec![awaiting(&target, None)]).unwrap()).await;
    let id = start(&sagas, "order", "o1").await;
    assert!(sagas.signal(&id, "reserve", "message 1", granted()).await.unwrap());
    assert!(!sagas.signal(&id, "reserve", "message 1", granted()).await.unwrap());
    assert_eq!(sagas.drive_to_end(&id).await.unwrap(), Phase::Ended { end: End::Completed });
    let unknown = sagas.signal(&id, "nothing", "message 2", granted()).await;
    assert!(matches!(unknown, Err(Error::Ended { .. } | Error::UnknownStep { .. })), "{unknown:?}");
}

async fn a_refusing_answer_and_one_that_never_comes_take_it_back(ground: &Ground) {
    let target = Target::at(&ground.target_folder());
    let within = |name: &str, deadline: Duration| {
        Definition::new(name, 1, vec![target.step("a"), awaiting(&target, Some(deadline))]).unwrap()
    };
    // An answer that comes is in time, however long it takes on a busy machine.
    let kinds = vec![within("patient", Duration::from_secs(3600)), within("hasty", Duration::from_millis(700))];
    let sagas = Sagas::new(ground.open().await, kinds, quick()).unwrap();
    let working = at_work(&sagas).await;
    let refused = start(&sagas, "patient", "refused").await;
    let silent = start(&sagas, "hasty", "silent").await;
    let answer = Answer::Refused { reason: "out of stock".to_owned() };
    assert!(sagas.signal(&refused, "reserve", "message 1", answer).await.unwrap());
    for id in [&refused, &silent] {
        assert_eq!(over(&sagas, id).await, Phase::Ended { end: End::Compensated });
    }
    // What was refused for certain need not be undone, what nobody answered has to be.
    assert!(!target.has("refused/reserve/undo") && target.has("refused/a/undo"));
    assert!(target.has("silent/reserve/undo") && target.has("silent/a/undo"));
    working.stop().await;
}

atalaya_sandbox::on_every_backend! {
    an_answer_completes_its_step_once_however_often_it_comes
    an_answer_that_is_there_before_its_request_counts
    a_refusing_answer_and_one_that_never_comes_take_it_back
}
