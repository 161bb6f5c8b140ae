//! What is written down of runs and proofs, and the table that is made of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use atalaya_migration::{Extent, MigrationEvent, Reached, Recorder, Subject, Verdict};
use atalaya_saga::Way;

use crate::ground::{Ground, Hand, subject};

fn began() -> MigrationEvent {
    let (version, host, by) = ("0.1.0".to_owned(), "here".to_owned(), "ann".to_owned());
    MigrationEvent::RunBegan { version, host, process: 7, by }
}

fn ended(outcome: &str, reason: Option<&str>) -> MigrationEvent {
    MigrationEvent::RunEnded { outcome: outcome.to_owned(), reason: reason.map(str::to_owned) }
}

async fn the_table_says_how_each_one_stands(ground: &Ground) {
    let hand = Hand::new();
    let migrations = ground.migrations(&hand).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    operation.note(&[began(), MigrationEvent::PhaseBegan { phase: "copy".to_owned() }]).await.unwrap();
    operation.note(&[ended("failed", Some("the target is away"))]).await.unwrap();
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    let run = standing.last_run.as_ref().unwrap();
    assert_eq!((standing.runs, run.by.as_str(), run.host.as_str(), run.process), (1, "ann", "here", 7));
    assert_eq!((run.outcome.as_deref(), run.reason.as_deref()), (Some("failed"), Some("the target is away")));
    assert_eq!((standing.step.as_deref(), standing.phase.as_deref()), (Some("begin"), Some("copy")));
    assert_eq!((standing.source.as_str(), standing.target.as_str()), ("old:5433/shop", "new:5433/shop"));
    let proven = MigrationEvent::Proven {
        extent: Extent::Full,
        verdict: Verdict::Equal,
        tables: 2,
        rows: 7,
        different: Vec::new(),
    };
    operation.note(&[began(), proven]).await.unwrap();
    operation.reached(Reached::Stream).await.unwrap();
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    assert_eq!((standing.runs, standing.step.as_deref()), (2, Some("follow")));
    assert_eq!(standing.last_run.unwrap().outcome, None);
    let (_, extent, verdict, tables) = standing.proof.unwrap();
    assert_eq!((extent.as_str(), verdict.as_str(), tables), ("full", "equal", 2));
    operation.abort("ann", "no need any more").await.unwrap();
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    assert_eq!((standing.way, standing.ended.as_deref()), (Way::Back, Some("compensated")));
    assert_eq!(standing.reason.as_deref(), Some("no need any more"));
    let other = Subject { target: "other:5433/shop".to_owned(), ..subject() };
    assert!(migrations.standings().await.unwrap().newest(&other).await.unwrap().is_none());
}

async fn what_a_run_says_is_written_beside_it_and_how_far_it_came(ground: &Ground) {
    let migrations = ground.migrations(&Hand::new()).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    let stream = format!("migration-{}", operation.id());
    let recorder = Recorder::start(operation.clone(), |error| panic!("{error}"));
    recorder.happened(began());
    recorder.reached(Reached::Copy);
    recorder.happened(MigrationEvent::TableCopied { table: "public.a".to_owned(), rows: 3 });
    recorder.reached(Reached::Stream);
    recorder.happened(MigrationEvent::CaughtUp);
    recorder.happened(ended("stopped", None));
    recorder.close().await;
    let expected = ["MigrationRunBegan", "MigrationTableCopied", "MigrationCaughtUp", "MigrationRunEnded"];
    assert_eq!(ground.history(&stream).await, expected);
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    assert_eq!((standing.step.as_deref(), standing.tables_copied), (Some("follow"), 1));
}

async fn a_journal_that_cannot_be_written_is_told_once_and_what_is_lost_is_counted(ground: &Ground) {
    let migrations = ground.migrations(&Hand::new()).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&told);
    let recorder = Recorder::start(operation, move |_| {
        counting.fetch_add(1, Ordering::SeqCst);
    });
    // Another clone of the handle is closed: this journal takes nothing any more.
    migrations.close().await;
    recorder.happened(began());
    recorder.happened(MigrationEvent::CaughtUp);
    recorder.close().await;
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

on_every_backend! {
    the_table_says_how_each_one_stands
    what_a_run_says_is_written_beside_it_and_how_far_it_came
    a_journal_that_cannot_be_written_is_told_once_and_what_is_lost_is_counted
}
