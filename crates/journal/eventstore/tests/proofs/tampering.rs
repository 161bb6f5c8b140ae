//! Somebody with a shell on the machine changes the stored journal; verification names the first bad position.

use atalaya_eventstore::verify::{HeldAgainst, Kind, Report, Verdict, verify};
use atalaya_eventstore::{Append, Expected, Position};

use super::forging::{events, rewrite, with_one_before};
use super::{Outside, twenty};
use crate::ground::Ground;
use crate::making::{event, numbered, stream};

on_every_backend! {
    an_untouched_journal_is_well_and_says_what_cannot_be_seen
    whatever_is_changed_in_the_tables_is_named_with_its_first_position
    a_stored_root_of_the_tree_that_was_changed_is_found
    a_journal_that_was_written_anew_is_caught_by_checkpoints_alone
    a_tail_that_was_cut_with_its_head_is_caught_by_checkpoints_alone
}

fn found(report: &Report) -> (u64, Option<u64>, Kind) {
    assert_eq!(report.verdict, Verdict::Tampered);
    let finding = report.finding.as_ref().unwrap();
    assert_eq!(report.events, finding.position.number().saturating_sub(1));
    (finding.position.number(), finding.up_to.map(Position::number), finding.kind)
}

async fn an_untouched_journal_is_well_and_says_what_cannot_be_seen(ground: &Ground) {
    let (store, outside) = (ground.open().await, Outside::new());
    let empty = verify(&store, None).await.unwrap();
    assert_eq!((empty.verdict, empty.events), (Verdict::Intact, 0));
    twenty(&store).await;
    let report = verify(&store, None).await.unwrap();
    assert_eq!(report.verdict, Verdict::Intact);
    assert_eq!((report.events, report.streams, report.appends, report.data_erased), (20, 5, 10, 0));
    assert!(report.unseen().unwrap().contains("not held against a checkpoint"));

    let folder = outside.exported(&store).await;
    store.export(&folder, &outside.key(), &[]).await.unwrap();
    let covered = verify(&store, Some(&folder)).await.unwrap();
    assert_eq!(covered.unseen(), None);
    assert!(matches!(covered.held_against, HeldAgainst::Checkpoints { count: 1, last_size: 20, .. }));
    twenty(&store).await;
    let report = verify(&store, Some(&folder)).await.unwrap();
    assert_eq!((report.verdict, report.events), (Verdict::Intact, 40));
    assert!(report.unseen().unwrap().contains("after position 20"));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

async fn whatever_is_changed_in_the_tables_is_named_with_its_first_position(ground: &Ground) {
    let store = ground.open().await;
    twenty(&store).await;
    let original = events(&store).await;
    let (other, zero) = (ground.blob(b"\"forged\""), ground.blob(&[0; 32]));
    let id = ground.uuid(&uuid::Uuid::from_u128(7));
    let digest = {
        let part = |bytes: &[u8]| [&(bytes.len() as u64).to_be_bytes()[..], bytes].concat();
        let digest = atalaya_eventstore::Digest::of(&[&part(b"atalaya data 1"), &part(b"\"forged\"")]);
        ground.blob(digest.as_bytes())
    };
    let copy = "position, stream || 'x', version, category, type, schema";
    let cases = [
        (format!("UPDATE events SET data = {other} WHERE position = 7"), 7, Kind::DataChanged),
        (format!("UPDATE events SET data = {other}, data_digest = {digest} WHERE position = 7"), 7, Kind::EventChanged),
        (format!("UPDATE events SET metadata = {other} WHERE position = 8"), 8, Kind::EventChanged),
        ("UPDATE events SET recorded_at_us = recorded_at_us - 1 WHERE position = 9".into(), 9, Kind::EventChanged),
        ("UPDATE events SET category = 'other' WHERE position = 9".into(), 9, Kind::EventChanged),
        ("UPDATE events SET stream = '' WHERE position = 9".into(), 9, Kind::EventChanged),
        (format!("UPDATE events SET correlation = {id} WHERE position = 20"), 20, Kind::EventChanged),
        (format!("UPDATE events SET chain = {zero} WHERE position = 10"), 10, Kind::Unchained),
        (format!("UPDATE events SET leaf = {other} WHERE position = 10"), 10, Kind::EventChanged),
        ("DELETE FROM events WHERE position = 1".into(), 1, Kind::Missing),
        ("DELETE FROM events WHERE position IN (7, 8, 12)".into(), 7, Kind::Missing),
        ("DELETE FROM events WHERE position > 15".into(), 16, Kind::Missing),
        ("DELETE FROM events".into(), 1, Kind::Missing),
        (
            "UPDATE events SET position = 100 WHERE position = 7; UPDATE events SET position = 7 WHERE position = 12;
             UPDATE events SET position = 12 WHERE position = 100"
                .into(),
            7,
            Kind::EventChanged,
        ),
        (
            "DELETE FROM events WHERE position = 7; UPDATE events SET position = position - 100 WHERE position > 7;
             UPDATE events SET position = position + 99 WHERE position < 0"
                .into(),
            7,
            Kind::EventChanged,
        ),
        (
            format!("INSERT INTO events SELECT 21, {} FROM events WHERE position = 20", inserted(copy, &id)),
            21,
            Kind::Inserted,
        ),
        (
            format!("INSERT INTO events SELECT 0, {} FROM events WHERE position = 20", inserted(copy, &id)),
            0,
            Kind::Inserted,
        ),
        ("DELETE FROM appends WHERE first_position = 5".into(), 5, Kind::Append),
        ("UPDATE appends SET last_position = 6 WHERE first_position = 7".into(), 7, Kind::Append),
        ("UPDATE appends SET first_position = 4 WHERE first_position = 5".into(), 5, Kind::Append),
        (format!("INSERT INTO appends VALUES ({id}, {zero}, 11, 12)"), 11, Kind::Append),
        (format!("UPDATE head SET chain = {zero}"), 20, Kind::Head),
        (format!("UPDATE head SET frontier = {other}"), 20, Kind::Head),
        ("DELETE FROM head".into(), 20, Kind::Head),
    ];
    for (sql, position, kind) in cases {
        ground.run_sql(&format!("{RESERVE}{sql}"));
        let report = verify(&store, None).await.unwrap();
        let (at, _, seen) = found(&report);
        assert_eq!((at, seen), (position, kind), "{sql}");
        ground.run_sql(RESTORE);
        assert_eq!(verify(&store, None).await.unwrap().verdict, Verdict::Intact, "{sql}");
    }
    assert_eq!(events(&store).await, original);
}

/// The columns of a copied event, with another identity and stream.
fn inserted(copy: &str, id: &str) -> String {
    let copy = copy.replace("position, ", "");
    format!("{copy}, {id}, append, correlation, causation, recorded_at_us, metadata, data_digest, leaf, chain, data")
}

/// Copies of the tables, from which they are restored after each change.
const RESERVE: &str = "
    DROP TABLE IF EXISTS events_kept; CREATE TABLE events_kept AS SELECT * FROM events;
    DROP TABLE IF EXISTS appends_kept; CREATE TABLE appends_kept AS SELECT * FROM appends;
    DROP TABLE IF EXISTS head_kept; CREATE TABLE head_kept AS SELECT * FROM head; ";
const RESTORE: &str = "
    DELETE FROM events; INSERT INTO events SELECT * FROM events_kept;
    DELETE FROM appends; INSERT INTO appends SELECT * FROM appends_kept;
    DELETE FROM head; INSERT INTO head SELECT * FROM head_kept;";

async fn a_stored_root_of_the_tree_that_was_changed_is_found(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("order-1", 0..600)).await.unwrap();
    assert_eq!(verify(&store, None).await.unwrap().verdict, Verdict::Intact);
    let zero = ground.blob(&[0; 32]);
    ground.run_sql(&format!("UPDATE tiles SET root = {zero} WHERE number = 1"));
    assert_eq!(found(&verify(&store, None).await.unwrap()), (257, Some(512), Kind::Tile));
    ground.run_sql("DELETE FROM tiles");
    assert_eq!(found(&verify(&store, None).await.unwrap()), (1, Some(256), Kind::Tile));
}

async fn a_journal_that_was_written_anew_is_caught_by_checkpoints_alone(ground: &Ground) {
    let (store, outside) = (ground.open().await, Outside::new());
    let folder = outside.exported(&store).await;
    for number in 0..4_u32 {
        let events = (0..5).map(|one| event(&format!("{number}{one}"))).collect();
        store.append(Append::to_stream(stream(&format!("order-{number}")), Expected::None, events)).await.unwrap();
        store.export(&folder, &outside.key(), &[]).await.unwrap();
    }
    let original = events(&store).await;
    store.close().await;
    // Written anew without a change it is what it was: the form is known.
    rewrite(ground, &original);
    let store = ground.open().await;
    assert_eq!(verify(&store, Some(&folder)).await.unwrap().verdict, Verdict::Intact);
    store.close().await;

    let mut changed = original.clone();
    changed[12].data = Some("\"forged\"".into());
    let forgeries = [(with_one_before(&original, 8), 6, 10), (changed, 11, 15)];
    for (forged, first, last) in forgeries {
        rewrite(ground, &forged);
        let store = ground.open().await;
        let alone = verify(&store, None).await.unwrap();
        assert_eq!(alone.verdict, Verdict::Intact, "{:?}", alone.finding);
        assert!(alone.unseen().is_some());
        let held = verify(&store, Some(&folder)).await.unwrap();
        assert_eq!(found(&held), (first, Some(last), Kind::Rewritten));
        store.close().await;
    }
}

async fn a_tail_that_was_cut_with_its_head_is_caught_by_checkpoints_alone(ground: &Ground) {
    let (store, outside) = (ground.open().await, Outside::new());
    let folder = outside.exported(&store).await;
    twenty(&store).await;
    store.export(&folder, &outside.key(), &[]).await.unwrap();
    let original = events(&store).await;
    store.close().await;
    rewrite(ground, &original[..16]);
    let store = ground.open().await;
    assert_eq!(verify(&store, None).await.unwrap().verdict, Verdict::Intact);
    assert_eq!(found(&verify(&store, Some(&folder)).await.unwrap()), (17, None, Kind::Missing));
}
