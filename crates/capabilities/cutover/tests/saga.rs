//! The whole as an operation in the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use atalaya_control::Failpoints;
use atalaya_cutover::{Course, Courses, Cutovers, Direction, Error, Means, Outcome, Purpose, Report};

use crate::ground::{Ground, NEW, OLD, back, course};
use crate::hand::Streams;

async fn run(cutovers: &Cutovers, course: Course) -> Report {
    let [report] = <[Report; 1]>::try_from(cutovers.run(course).await.unwrap()).unwrap();
    report
}

async fn it_goes_there_and_back_and_what_forbids_it_touches_nothing(ground: &Ground) {
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    means.ends[0].replication = Arc::new(Streams { proof: Some(None), ..Streams::default() });
    let refused = Cutovers::open(means.clone()).unwrap().run(course(Purpose::Flip)).await.unwrap_err();
    assert!(matches!(&refused, Error::Forbidden { ids, .. } if ids == &["proof"]), "{refused:?}");
    assert_eq!(ground.routes().await.standing(OLD).await.unwrap().last_epoch, 0);

    let taken_over = Arc::default();
    means.ends[0].replication = Arc::new(Streams { taken_over: Arc::clone(&taken_over), ..Streams::default() });
    let cutovers = Cutovers::open(means).unwrap();
    let rehearsed = run(&cutovers, course(Purpose::Rehearse)).await;
    assert_eq!(rehearsed.outcome, Outcome::Rehearsed);
    assert!(taken_over.lock().unwrap().is_empty(), "a rehearsal changes which side serves");
    ground.expect_served_by(OLD, &gates).await;
    assert_eq!(run(&cutovers, course(Purpose::Flip)).await.outcome, Outcome::Flipped);
    ground.expect_served_by(NEW, &gates).await;
    let again = cutovers.run(course(Purpose::Flip)).await.unwrap_err();
    assert!(matches!(&again, Error::Forbidden { ids, .. } if ids.contains(&"route".to_owned())), "{again:?}");
    assert_eq!(run(&cutovers, back()).await.outcome, Outcome::Flipped);
    assert!(ground.old.is_writable().await && !ground.new.is_writable().await);
}

/// As a process that is killed: nothing of it is heard of any more, and its lease has to run out.
pub(crate) async fn killed_at(place: &'static str, courses: impl Into<Courses>, mut means: Means) {
    let courses = courses.into();
    let gone = Arc::new(AtomicBool::new(false));
    let (told, mut reached) = tokio::sync::mpsc::unbounded_channel();
    means.failpoints = Failpoints::new({
        let gone = Arc::clone(&gone);
        move |name| {
            if name == place {
                let _gone = told.send(());
                tokio::task::block_in_place(|| {
                    while !gone.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                });
                std::panic::resume_unwind(Box::new("gone"));
            }
        }
    });
    let cutovers = Cutovers::open(means).unwrap();
    let running = tokio::spawn(async move { cutovers.run(courses).await });
    reached.recv().await.unwrap();
    running.abort();
    gone.store(true, Ordering::SeqCst);
    let _aborted = running.await;
}

async fn another_process_brings_to_its_end_what_a_killed_one_left(ground: &Ground) {
    let gates = ground.gates().await;
    for (place, at) in [("cutover-fenced", OLD), ("cutover-flipped", NEW)] {
        killed_at(place, course(Purpose::Flip), ground.means("one", &gates).await).await;
        let other = Cutovers::open(ground.means("other", &gates).await).unwrap();
        let came = other.run(course(Purpose::Flip)).await;
        match at {
            OLD => assert!(matches!(came, Err(Error::Interrupted { .. })), "{came:?}"),
            _ => {
                let came = came.unwrap();
                let flipped = |report: &Report| report.resumed && report.outcome == Outcome::Flipped;
                assert!(came.len() == 1 && came.iter().all(flipped), "{came:?}");
            }
        }
        ground.expect_served_by(at, &gates).await;
    }
}

/// What is done is what was asked for, whatever was begun before.
async fn what_was_left_of_another_course_is_ended_and_never_leads_clients_away(ground: &Ground) {
    let gates = ground.gates().await;
    for place in ["cutover-opening", "cutover-fenced"] {
        killed_at(place, course(Purpose::Flip), ground.means("one", &gates).await).await;
        let other = Cutovers::open(ground.means("other", &gates).await).unwrap();
        let rehearsed = run(&other, course(Purpose::Rehearse)).await;
        assert_eq!((rehearsed.outcome, rehearsed.resumed), (Outcome::Rehearsed, false), "{place}");
        ground.expect_served_by(OLD, &gates).await;
    }
    // Led away already: the rest of it is done, and then clients are led back as was asked for.
    killed_at("cutover-flipped", course(Purpose::Flip), ground.means("one", &gates).await).await;
    let mut means = ground.means("other", &gates).await;
    let taken_over = Arc::default();
    means.ends[0].replication = Arc::new(Streams { taken_over: Arc::clone(&taken_over), ..Streams::default() });
    let led = run(&Cutovers::open(means).unwrap(), back()).await;
    assert_eq!((led.outcome, led.course), (Outcome::Flipped, back()));
    assert_eq!(*taken_over.lock().unwrap(), [Direction::Forward, Direction::Back]);
    assert!(ground.old.is_writable().await && !ground.new.is_writable().await);
}

async fn what_another_migration_left_is_refused_by_its_name(ground: &Ground) {
    let gates = ground.gates().await;
    killed_at("cutover-fenced", course(Purpose::Flip), ground.means("one", &gates).await).await;
    let other = Cutovers::open(ground.means("other", &gates).await).unwrap();
    let refused = other.run(Course { migration: "another".to_owned(), ..course(Purpose::Flip) }).await.unwrap_err();
    assert!(matches!(&refused, Error::OtherMigration { migration, .. } if migration == "shop-to-18"), "{refused:?}");
    assert!(refused.is_refusal());
    let came = other.run(course(Purpose::Flip)).await;
    assert!(matches!(came, Err(Error::Interrupted { .. })), "{came:?}");
    ground.expect_served_by(OLD, &gates).await;
}

atalaya_sandbox::on_every_backend! {
    it_goes_there_and_back_and_what_forbids_it_touches_nothing
    another_process_brings_to_its_end_what_a_killed_one_left
    what_was_left_of_another_course_is_ended_and_never_leads_clients_away
    what_another_migration_left_is_refused_by_its_name
}
