//! From the beginning to either end, over runs that come and go.

use atalaya_migration::{Done, Error, Reached};
use atalaya_saga::{End, Phase, StepPhase, StepView};

use crate::ground::{Ground, Hand, known, subject};

fn states(steps: &[StepView]) -> Vec<StepPhase> {
    steps.iter().map(|step| step.state).collect()
}

async fn runs_come_and_go_and_the_last_step_ends_it(ground: &Ground) {
    let hand = Hand::new();
    let migrations = ground.migrations(&hand).await;
    let first = migrations.begin(&subject(), None).await.unwrap();
    use StepPhase::{Awaiting, Done as Complete, Open};
    assert_eq!(states(&first.show().await.unwrap().steps), [Awaiting, Open, Open, Open]);
    // A run that was killed before the target knew of it: the next one is of the same migration.
    let second = migrations.begin(&subject(), None).await.unwrap();
    assert_eq!(second.id(), first.id());
    second.reached(Reached::Copy).await.unwrap();
    assert_eq!(states(&second.show().await.unwrap().steps), [Complete, Awaiting, Open, Open]);
    // What a run did and could not write down, the next one hears of from the target.
    let third = migrations.begin(&subject(), Some(known(&first, Reached::Stream))).await.unwrap();
    third.reached(Reached::Stream).await.unwrap();
    assert_eq!(states(&third.show().await.unwrap().steps), [Complete, Complete, Awaiting, Open]);
    assert!(hand.asked().is_empty() && !third.is_at_its_end().await.unwrap());
    assert_eq!(third.finish("ann", serde_json::json!({ "tables": 2 })).await.unwrap(), Done::Now);
    assert_eq!(third.finish("ann", serde_json::json!(null)).await.unwrap(), Done::Now);
    assert_eq!(hand.asked(), ["clean up"]);
    assert_eq!(third.show().await.unwrap().phase, Phase::Ended { end: End::Completed });
    let ended = migrations.begin(&subject(), Some(known(&first, Reached::Stream))).await;
    assert!(matches!(ended, Err(Error::Over { end: End::Completed, .. })), "{:?}", ended.err());
    assert_ne!(migrations.begin(&subject(), None).await.unwrap().id(), first.id());
}

async fn what_fails_at_the_end_goes_on_at_the_next_call_by_whatever_process(ground: &Ground) {
    let hand = Hand::new();
    let migrations = ground.migrations(&hand).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    operation.reached(Reached::Stream).await.unwrap();
    hand.break_off(true);
    let failed = operation.finish("ann", serde_json::Value::Null).await;
    assert!(matches!(&failed, Err(Error::NotDone { reason }) if reason == "the source is gone"), "{failed:?}");
    assert!(operation.is_at_its_end().await.unwrap());
    hand.break_off(false);
    let again = ground.migrations(&hand).await;
    let found = again.find(&subject(), None).await.unwrap().unwrap();
    assert_eq!(found.id(), operation.id());
    assert_eq!(found.finish("ann", serde_json::Value::Null).await.unwrap(), Done::Now);
    assert_eq!(hand.asked(), ["clean up", "clean up"]);
    assert!(again.find(&subject(), None).await.unwrap().is_none());
}

async fn one_that_is_aborted_goes_back_and_no_run_goes_on_with_it(ground: &Ground) {
    for reached in [Reached::Begun, Reached::Copy, Reached::Stream] {
        let hand = Hand::new();
        let migrations = ground.migrations(&hand).await;
        let operation = migrations.begin(&subject(), None).await.unwrap();
        operation.reached(reached).await.unwrap();
        hand.break_off(true);
        assert!(matches!(operation.abort("ann", "no need any more").await, Err(Error::NotDone { .. })));
        let run = migrations.begin(&subject(), Some(known(&operation, reached))).await;
        assert!(matches!(run, Err(Error::GoesBack { .. })), "{:?}", run.err());
        hand.break_off(false);
        let found = migrations.find(&subject(), Some(known(&operation, reached))).await.unwrap().unwrap();
        assert_eq!(found.abort("ann", "no need any more").await.unwrap(), Done::Now);
        assert_eq!(hand.asked(), ["withdraw", "withdraw"]);
        assert_eq!(found.show().await.unwrap().phase, Phase::Ended { end: End::Compensated });
        assert_eq!(found.abort("ann", "again").await.unwrap(), Done::Now);
        assert_eq!(hand.asked().len(), 2);
    }
}

async fn one_at_its_last_step_is_given_up_where_it_is_aborted(ground: &Ground) {
    let hand = Hand::new();
    let migrations = ground.migrations(&hand).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    operation.reached(Reached::Stream).await.unwrap();
    hand.break_off(true);
    assert!(operation.finish("ann", serde_json::Value::Null).await.is_err());
    // Nothing of the last step can be undone; whoever aborts removes what is left by himself.
    assert_eq!(operation.abort("ann", "the source is gone for good").await.unwrap(), Done::Before);
    assert_eq!(operation.show().await.unwrap().phase, Phase::Ended { end: End::Abandoned });
    assert_eq!(hand.asked(), ["clean up"]);
}

async fn a_move_whose_journal_was_lost_is_taken_up_where_the_target_stands(ground: &Ground) {
    let lost = Ground::sqlite();
    let elsewhere = lost.migrations(&Hand::new()).await.begin(&subject(), None).await.unwrap();
    let hand = Hand::new();
    let migrations = ground.migrations(&hand).await;
    let taken = migrations.begin(&subject(), Some(known(&elsewhere, Reached::Stream))).await.unwrap();
    assert_eq!(taken.id(), elsewhere.id());
    assert_eq!(states(&taken.show().await.unwrap().steps)[2], StepPhase::Awaiting);
    assert_eq!(taken.finish("ann", serde_json::Value::Null).await.unwrap(), Done::Now);
    assert_eq!(hand.asked(), ["clean up"]);
}

async fn one_that_the_target_has_forgotten_is_given_up_for_a_new_one(ground: &Ground) {
    let migrations = ground.migrations(&Hand::new()).await;
    let first = migrations.begin(&subject(), None).await.unwrap();
    first.reached(Reached::Copy).await.unwrap();
    let second = migrations.begin(&subject(), None).await.unwrap();
    assert_ne!(first.id(), second.id());
    assert_eq!(first.show().await.unwrap().phase, Phase::Ended { end: End::Abandoned });
}

/// The target has said that following has ended, and the process that was to remove what is ours was killed.
async fn nobody_does_the_last_step_but_who_finishes(ground: &Ground) {
    let hand = Hand::new();
    let migrations = ground.migrations(&hand).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    operation.reached(Reached::Finished).await.unwrap();
    // Whoever looks, notes, or would run.
    let known = || Some(known(&operation, Reached::Finished));
    let found = migrations.find(&subject(), known()).await.unwrap().unwrap();
    found.note(&[]).await.unwrap();
    migrations.begin(&subject(), known()).await.unwrap();
    assert_eq!(hand.asked(), [""; 0]);
    assert_eq!(found.finish("ann", serde_json::Value::Null).await.unwrap(), Done::Now);
    assert_eq!(hand.asked(), ["clean up"]);
}

async fn one_whose_last_word_is_missing_is_not_begun_again(ground: &Ground) {
    let hand = Hand::new();
    let migrations = ground.migrations(&hand).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    operation.reached(Reached::Stream).await.unwrap();
    hand.break_off(true);
    assert!(operation.finish("ann", serde_json::Value::Null).await.is_err());
    let again = migrations.begin(&subject(), None).await;
    assert!(matches!(&again, Err(Error::LastWord { id }) if id == operation.id()), "{:?}", again.err());
}

atalaya_sandbox::on_every_backend! {
    nobody_does_the_last_step_but_who_finishes
    one_whose_last_word_is_missing_is_not_begun_again
    runs_come_and_go_and_the_last_step_ends_it
    what_fails_at_the_end_goes_on_at_the_next_call_by_whatever_process
    one_that_is_aborted_goes_back_and_no_run_goes_on_with_it
    one_at_its_last_step_is_given_up_where_it_is_aborted
    a_move_whose_journal_was_lost_is_taken_up_where_the_target_stands
    one_that_the_target_has_forgotten_is_given_up_for_a_new_one
}
