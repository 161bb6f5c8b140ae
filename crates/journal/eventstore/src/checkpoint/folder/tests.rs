//! A folder of checkpoints: what it takes, what it refuses, and what is never believed.

use std::fs;

use super::*;
use crate::chain::{Range, consistency};
use crate::checkpoint::body::tests::key;
use crate::{Digest, Frontier};

const ORIGIN: &str = "atalaya/journal/test";

fn leaf(number: u64) -> Digest {
    Digest::of(&[&number.to_be_bytes()])
}

fn checkpoint(size: u64, dropped: &[KeyId]) -> Checkpoint {
    let mut frontier = Frontier::empty();
    (0..size).for_each(|number| frontier.push(leaf(number)));
    let chain = Digest::of(&[&size.to_be_bytes()]);
    Checkpoint { origin: ORIGIN.into(), size, root: frontier.root(), chain, dropped: DroppedDigest::of(dropped) }
}

fn proof(from: u64, to: u64) -> ConsistencyProof {
    let ranges = consistency(from, to);
    let mut read = ranges.iter().flat_map(|range: &Range| range.spans()).map(|span| {
        assert_eq!(span.level, 0);
        (span.first..span.first + span.count).map(leaf).collect()
    });
    ConsistencyProof { from, to, path: ranges.iter().map(|range| range.root(&mut read).unwrap()).collect() }
}

fn keys(count: u128) -> Vec<KeyId> {
    (1..=count).map(|number| KeyId::from_uuid(uuid::Uuid::from_u128(number))).collect()
}

fn opened(folder: &tempfile::TempDir) -> Folder {
    Folder::open(folder.path(), vec![key().verifying(ORIGIN).unwrap()]).unwrap()
}

#[test]
fn exports_that_extend_one_another_lie_in_the_folder_in_their_order() {
    let path = tempfile::tempdir().unwrap();
    let folder = opened(&path);
    assert_eq!(folder.latest().unwrap(), None);
    folder.export(&checkpoint(3, &[]), None, &[], &key()).unwrap();
    folder.export(&checkpoint(10, &keys(2)), Some(&proof(3, 10)), &keys(2), &key()).unwrap();
    // Keys may be dropped without an event.
    folder.export(&checkpoint(10, &keys(3)), None, &keys(3), &key()).unwrap();
    let again = folder.export(&checkpoint(10, &keys(3)), None, &keys(3), &key()).unwrap();
    assert!(matches!(again, Exported::Unchanged(_)));
    let sizes: Vec<u64> = folder.checkpoints().unwrap().iter().map(|one| one.size).collect();
    assert_eq!(sizes, [3, 10, 10]);
    assert_eq!(folder.latest().unwrap(), Some(checkpoint(10, &keys(3))));
    assert_eq!(folder.dropped().unwrap(), keys(3));
    assert_eq!(Folder::published_keys(path.path()).unwrap(), [key().verifying(ORIGIN).unwrap()]);
}

#[test]
fn what_does_not_extend_the_last_export_is_refused_and_leaves_nothing() {
    let path = tempfile::tempdir().unwrap();
    let folder = opened(&path);
    folder.export(&checkpoint(10, &keys(2)), None, &keys(2), &key()).unwrap();
    let before = fs::read_dir(path.path()).unwrap().count();

    let edited = Checkpoint { root: leaf(7), ..checkpoint(12, &keys(2)) };
    let replaced = Checkpoint { root: leaf(7), ..checkpoint(10, &keys(2)) };
    let other = Checkpoint { origin: "other".into(), ..checkpoint(12, &keys(2)) };
    let mut reordered = keys(3);
    reordered.swap(0, 1);
    let attempts = [
        (checkpoint(9, &keys(2)), None, keys(2)),
        (edited, Some(proof(10, 12)), keys(2)),
        (checkpoint(12, &keys(2)), None, keys(2)),
        (checkpoint(12, &keys(2)), Some(proof(9, 12)), keys(2)),
        (replaced, None, keys(2)),
        (other, Some(proof(10, 12)), keys(2)),
        (checkpoint(12, &keys(1)), Some(proof(10, 12)), keys(1)),
        (checkpoint(12, &reordered), Some(proof(10, 12)), reordered),
        (checkpoint(12, &keys(3)), Some(proof(10, 12)), keys(4)),
    ];
    for (number, (checkpoint, proof, dropped)) in attempts.into_iter().enumerate() {
        let refused = folder.export(&checkpoint, proof.as_ref(), &dropped, &key());
        assert!(
            matches!(refused, Err(CheckpointError::NotAnExtension { .. } | CheckpointError::OtherJournal { .. })),
            "attempt {number}: {refused:?}"
        );
    }
    assert_eq!(fs::read_dir(path.path()).unwrap().count(), before);
}

#[test]
fn a_changed_foreign_or_renamed_file_is_never_believed() {
    let path = tempfile::tempdir().unwrap();
    let folder = opened(&path);
    folder.export(&checkpoint(10, &keys(2)), None, &keys(2), &key()).unwrap();
    let file = path.path().join("00000000000000000010-0000000002.checkpoint");
    let list = path.path().join("0000000001-0000000002.dropped-keys");
    let (note, ids) = (fs::read_to_string(&file).unwrap(), fs::read_to_string(&list).unwrap());

    fs::write(&file, note.replace("\n10\n", "\n11\n")).unwrap();
    assert!(matches!(folder.latest(), Err(CheckpointError::Unsigned { .. })));
    fs::write(&file, &note).unwrap();
    fs::rename(&file, path.path().join("00000000000000000011-0000000002.checkpoint")).unwrap();
    assert!(matches!(folder.latest(), Err(CheckpointError::Folder { .. })));
    fs::rename(path.path().join("00000000000000000011-0000000002.checkpoint"), &file).unwrap();

    fs::write(&list, ids.lines().rev().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert!(matches!(folder.dropped(), Err(CheckpointError::Folder { .. })));
    fs::remove_file(&list).unwrap();
    assert!(matches!(folder.dropped(), Err(CheckpointError::Folder { .. })));
    // Nobody's key: whoever replaced the folder's key does not sign for the journal.
    let untrusting = Folder::open(path.path(), Vec::new()).unwrap();
    assert!(matches!(untrusting.latest(), Err(CheckpointError::Unsigned { .. })));
}

#[test]
fn an_export_that_was_interrupted_before_its_checkpoint_is_done_again() {
    let path = tempfile::tempdir().unwrap();
    let folder = opened(&path);
    folder.export(&checkpoint(10, &keys(1)), None, &keys(1), &key()).unwrap();
    list::write(path.path(), 1, &keys(3)).unwrap();
    fs::write(path.path().join(".torn.checkpoint.1.unfinished"), "torn").unwrap();
    assert_eq!(folder.dropped().unwrap(), keys(1));
    folder.export(&checkpoint(12, &keys(4)), Some(&proof(10, 12)), &keys(4), &key()).unwrap();
    assert_eq!(folder.dropped().unwrap(), keys(4));
}
