//! Checkpoints exported from a journal, and proofs against them.

use atalaya_eventstore::checkpoint::{CheckpointError, Exported, TlogProof};
use atalaya_eventstore::{Error, Position};

use super::forging::{events, rewrite, with_one_before};
use super::{Outside, twenty};
use crate::ground::Ground;
use crate::making::numbered;

on_every_backend! {
    every_event_is_proven_against_every_later_checkpoint
    a_proof_stands_alone_as_a_file
    a_journal_that_was_cut_edited_or_restored_exports_nothing_more
}

async fn every_event_is_proven_against_every_later_checkpoint(ground: &Ground) {
    let store = ground.open().await;
    let mut checkpoints = Vec::new();
    for number in 0..3 {
        store.append(numbered("order-1", number * 300..(number + 1) * 300)).await.unwrap();
        checkpoints.push(store.checkpoint(&[]).await.unwrap());
    }
    for checkpoint in &checkpoints {
        for position in [1, 256, 257, 300, 512, 600, 771, 900] {
            let proof = store.inclusion_proof(Position::new(position), checkpoint.size).await;
            if position > checkpoint.size {
                assert!(matches!(proof, Err(Error::BeyondHead { .. })));
                continue;
            }
            let (leaf, proof) = proof.unwrap();
            assert!(proof.holds(&leaf, &checkpoint.root), "{position} of {}", checkpoint.size);
        }
    }
    for (number, later) in checkpoints.iter().enumerate() {
        for earlier in &checkpoints[..=number] {
            let proof = store.consistency_proof(earlier.size, later.size).await.unwrap();
            assert!(proof.holds(&earlier.root, &later.root));
        }
    }
    assert!(matches!(store.consistency_proof(1, 901).await, Err(Error::BeyondHead { .. })));
    assert!(matches!(store.inclusion_proof(Position::START, 10).await, Err(Error::BeyondHead { .. })));
}

async fn a_proof_stands_alone_as_a_file(ground: &Ground) {
    let (store, outside) = (ground.open().await, Outside::new());
    let folder = outside.exported(&store).await;
    twenty(&store).await;
    assert!(store.tlog_proof(Position::new(7), &folder).await.is_err());
    store.export(&folder, &outside.key(), &[]).await.unwrap();
    twenty(&store).await;
    let text = store.tlog_proof(Position::new(7), &folder).await.unwrap().to_text();
    assert!(store.tlog_proof(Position::new(21), &folder).await.is_err());

    let proof = TlogProof::parse(text.as_bytes()).unwrap();
    let (leaf, _) = store.inclusion_proof(Position::new(7), 20).await.unwrap();
    let (other, _) = store.inclusion_proof(Position::new(8), 20).await.unwrap();
    let key = outside.key().verifying(&store.origin().await.unwrap()).unwrap();
    assert_eq!(proof.verified(&leaf, &key).unwrap().unwrap().size, 20);
    assert_eq!(proof.verified(&other, &key).unwrap(), None);
}

async fn a_journal_that_was_cut_edited_or_restored_exports_nothing_more(ground: &Ground) {
    let (store, outside) = (ground.open().await, Outside::new());
    let folder = outside.exported(&store).await;
    twenty(&store).await;
    let written = store.export(&folder, &outside.key(), &[]).await.unwrap();
    assert!(matches!(written, Exported::Written(_)));
    assert!(matches!(store.export(&folder, &outside.key(), &[]).await.unwrap(), Exported::Unchanged(_)));
    store.check_against(&folder).await.unwrap();
    let original = events(&store).await;
    store.close().await;

    let mut forged = original.clone();
    forged[3].data = Some("\"forged\"".into());
    for (forged, events) in [(&original[..12], 12), (&forged[..], 20), (&with_one_before(&original, 5), 21)] {
        rewrite(ground, forged);
        let store = ground.open().await;
        let refused = store.export(&folder, &outside.key(), &[]).await;
        assert!(matches!(refused, Err(CheckpointError::NotAnExtension { exported: 20, .. })), "{events}: {refused:?}");
        assert!(matches!(store.check_against(&folder).await, Err(CheckpointError::NotAnExtension { .. })));
        // Not even when it has grown since.
        twenty(&store).await;
        assert!(matches!(store.check_against(&folder).await, Err(CheckpointError::NotAnExtension { .. })));
        store.close().await;
    }
    assert_eq!(folder.checkpoints().unwrap().len(), 1);
    rewrite(ground, &original);
    let store = ground.open().await;
    twenty(&store).await;
    store.export(&folder, &outside.key(), &[]).await.unwrap();
    assert_eq!(folder.latest().unwrap().unwrap().size, 40);
}
