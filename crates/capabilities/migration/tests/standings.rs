//! What is written down of runs and proofs, and the table that is made of it.

use atalaya_migration::{Extent, MigrationEvent, Reached, Recorder, Subject, Verdict};
use atalaya_saga::{End, Way};

use crate::ground::{Ground, Hand, subject};

fn began(run: &str) -> MigrationEvent {
    let (run, version, host, by) = (run.to_owned(), "0.1.0".to_owned(), "here".to_owned(), "ann".to_owned());
    MigrationEvent::RunBegan { run, version, host, process: 7, by }
}

fn ended(run: &str, outcome: &str, reason: Option<&str>) -> MigrationEvent {
    MigrationEvent::RunEnded { run: run.to_owned(), outcome: outcome.to_owned(), reason: reason.map(str::to_owned) }
}

async fn the_table_says_how_each_one_stands(ground: &Ground) {
    let hand = Hand::new();
    let migrations = ground.migrations(&hand).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    operation.note(&[began("r1"), MigrationEvent::PhaseBegan { phase: "copy".to_owned() }]).await.unwrap();
    operation.note(&[ended("r1", "failed", Some("the target is away"))]).await.unwrap();
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    let run = standing.last_run.as_ref().unwrap();
    assert_eq!((standing.runs, run.by.as_str(), run.host.as_str(), run.process), (1, "ann", "here", 7));
    assert_eq!((run.outcome.as_deref(), run.reason.as_deref()), (Some("failed"), Some("the target is away")));
    assert_eq!((standing.step.as_deref(), standing.phase.as_deref()), (Some("begin"), Some("copy")));
    assert_eq!((standing.source.as_str(), standing.target.as_str()), ("old:5433/shop", "new:5433/shop"));
    let proven = MigrationEvent::Proven {
        by: "ann".to_owned(),
        extent: Extent::Full,
        verdict: Verdict::Equal,
        tables: 2,
        rows: 7,
        different: Vec::new(),
    };
    operation.note(&[began("r2"), proven]).await.unwrap();
    operation.reached(Reached::Stream).await.unwrap();
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    assert_eq!((standing.runs, standing.step.as_deref()), (2, Some("follow")));
    assert_eq!(standing.last_run.unwrap().outcome, None);
    let proof = standing.proof.unwrap();
    assert_eq!((proof.extent, proof.verdict, proof.tables), (Extent::Full, Verdict::Equal, 2));
    // The end of an earlier run that comes late is not the end of this one.
    operation.note(&[ended("r1", "refused", None)]).await.unwrap();
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    assert_eq!(standing.last_run.unwrap().outcome, None);
    operation.abort("ann", "no need any more").await.unwrap();
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    assert_eq!((standing.way, standing.ended), (Way::Back, Some(End::Compensated)));
    assert_eq!(standing.reason.as_deref(), Some("no need any more"));
    let other = Subject { target: "other:5433/shop".to_owned(), ..subject() };
    assert!(migrations.standings().await.unwrap().newest(&other).await.unwrap().is_none());
}

async fn what_a_run_says_is_written_beside_it_and_how_far_it_came(ground: &Ground) {
    let migrations = ground.migrations(&Hand::new()).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    let stream = format!("migration-{}", operation.id());
    let recorder = Recorder::start(operation.clone(), |error| panic!("{error}"));
    recorder.happened(began("r1"));
    recorder.reached(Reached::Copy);
    recorder.happened(MigrationEvent::TableCopied { table: "public.a".to_owned(), rows: 3 });
    recorder.reached(Reached::Stream);
    recorder.happened(MigrationEvent::CaughtUp);
    recorder.close(ended("r1", "stopped", None)).await;
    let expected = ["MigrationRunBegan", "MigrationTableCopied", "MigrationCaughtUp", "MigrationRunEnded"];
    assert_eq!(ground.history(&stream).await, expected);
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    assert_eq!((standing.step.as_deref(), standing.tables_copied), (Some("follow"), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_cannot_be_written_is_told_once_and_what_is_lost_is_counted() {
    let ground = Ground::postgres();
    let migrations = ground.migrations(&Hand::new()).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    let stream = format!("migration-{}", operation.id());
    let (telling, mut told) = tokio::sync::mpsc::unbounded_channel();
    let recorder = Recorder::start(operation.clone(), move |error| telling.send(error.to_string()).unwrap());
    ground.run_sql("ALTER TABLE atalaya_journal.events RENAME TO away");
    recorder.happened(began("r1"));
    told.recv().await.unwrap();
    // In a batch of its own: nothing is told a second time.
    recorder.happened(MigrationEvent::CaughtUp);
    recorder.until_taken().await;
    ground.run_sql("ALTER TABLE atalaya_journal.away RENAME TO events");
    recorder.close(ended("r1", "stopped", None)).await;
    assert!(told.try_recv().is_err(), "told twice");
    assert_eq!(ground.history(&stream).await, ["MigrationRunEnded", "MigrationUnrecorded"]);
    let last = ground.last(&stream).await;
    assert_eq!(last, MigrationEvent::Unrecorded { events: 2 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_the_journal_could_not_take_is_told_by_the_next_run() {
    let ground = Ground::postgres();
    let migrations = ground.migrations(&Hand::new()).await;
    let operation = migrations.begin(&subject(), None).await.unwrap();
    let stream = format!("migration-{}", operation.id());
    migrations.run_begins(&operation, &subject(), began("r1")).await.unwrap();
    let recorder = Recorder::start(operation.clone(), |_| {});
    ground.run_sql("ALTER TABLE atalaya_journal.events RENAME TO away");
    recorder.close(ended("r1", "stopped", None)).await;
    ground.run_sql("ALTER TABLE atalaya_journal.away RENAME TO events");
    assert_eq!(ground.history(&stream).await, ["MigrationRunBegan"]);
    migrations.run_begins(&operation, &subject(), began("r2")).await.unwrap();
    operation.note(&[ended("r2", "stopped", None)]).await.unwrap();
    // This one has an end.
    migrations.run_begins(&operation, &subject(), began("r3")).await.unwrap();
    let expected =
        ["MigrationRunBegan", "MigrationRunEndUnknown", "MigrationRunBegan", "MigrationRunEnded", "MigrationRunBegan"];
    assert_eq!(ground.history(&stream).await, expected);
    let standing = migrations.standings().await.unwrap().newest(&subject()).await.unwrap().unwrap();
    assert_eq!((standing.runs, standing.last_run.unwrap().id.as_str()), (3, "r3"));
}

atalaya_sandbox::on_every_backend! {
    the_table_says_how_each_one_stands
    what_a_run_says_is_written_beside_it_and_how_far_it_came
}
