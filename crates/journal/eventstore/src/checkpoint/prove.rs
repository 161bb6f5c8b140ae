//! Proofs and checkpoints made from a journal.

use super::{Checkpoint, CheckpointError, DroppedDigest, Exported, Folder, SigningKey, TlogProof};
use crate::chain::{Range, consistency, inclusion};
use crate::erase::KeyId;
use crate::{ConsistencyProof, Digest, Error, InclusionProof, Position, Store};

impl Store {
    /// The journal's name in its checkpoints: `atalaya/journal/` and an identity that was made with it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn origin(&self) -> Result<String, Error> {
        Ok(format!("atalaya/journal/{}", self.backend().identity().await?))
    }

    /// The proof that an event stands at its position in the tree of the first `size` events, and its leaf. Reads under a
    /// thousand digests, however long the journal is.
    ///
    /// # Errors
    /// [`Error::BeyondHead`] when the journal is shorter or the position is not among them, [`Error::Damaged`] when
    /// digests are missing.
    pub async fn inclusion_proof(&self, position: Position, size: u64) -> Result<(Digest, InclusionProof), Error> {
        self.holds(size).await?;
        let beyond = Error::BeyondHead { position, head: Position::new(size) };
        let index = position.number().checked_sub(1).filter(|index| *index < size).ok_or(beyond)?;
        let path = self.path(inclusion(index, size)).await?;
        let leaf = self.path(vec![Range { first: index, end: index + 1 }]).await?;
        let damaged = Error::Damaged { position, seen: "its leaf is missing" };
        let leaf = leaf.into_iter().next().ok_or(damaged)?;
        Ok((leaf, InclusionProof { position, size, path }))
    }

    /// The proof that the first `to` events begin with the first `from` ones as they were when that tree's root was
    /// signed. Reads under a thousand digests.
    ///
    /// # Errors
    /// As for [`Self::inclusion_proof`].
    pub async fn consistency_proof(&self, from: u64, to: u64) -> Result<ConsistencyProof, Error> {
        self.holds(to.max(from)).await?;
        Ok(ConsistencyProof { from, to, path: self.path(consistency(from, to)).await? })
    }

    /// A proof that stands alone: an event's place in the last exported checkpoint, which must hold it.
    ///
    /// # Errors
    /// When there is no checkpoint that holds it, or the journal does not extend the checkpoint.
    pub async fn tlog_proof(&self, position: Position, folder: &Folder) -> Result<TlogProof, CheckpointError> {
        let missing =
            CheckpointError::Malformed { what: "the proof", reason: "no exported checkpoint holds the event" };
        let (latest, note) = (folder.latest()?, folder.latest_note()?);
        let (Some(latest), Some(checkpoint)) = (latest, note) else { return Err(missing) };
        if position.number() > latest.size {
            return Err(missing);
        }
        let (leaf, inclusion) = self.inclusion_proof(position, latest.size).await?;
        if inclusion.holds(&leaf, &latest.root) {
            Ok(TlogProof { inclusion, checkpoint })
        } else {
            let seen = "an event of it is not the exported one";
            Err(CheckpointError::NotAnExtension { exported: latest.size, seen })
        }
    }

    /// What the journal is now, to be signed. `dropped` are the keys of erased people, in their order; empty where there
    /// is no key store.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn checkpoint(&self, dropped: &[KeyId]) -> Result<Checkpoint, Error> {
        let head = self.backend().head().await?;
        Ok(Checkpoint {
            origin: self.origin().await?,
            size: head.position.number(),
            root: head.frontier.root(),
            chain: head.chain,
            dropped: DroppedDigest::of(dropped),
        })
    }

    /// Signs what the journal is now and exports it, if it continues what was exported last.
    ///
    /// # Errors
    /// [`CheckpointError::NotAnExtension`] when the journal was cut, edited, forked or restored since; nothing is
    /// exported then.
    pub async fn export(
        &self,
        folder: &Folder,
        key: &SigningKey,
        dropped: &[KeyId],
    ) -> Result<Exported, CheckpointError> {
        let checkpoint = self.checkpoint(dropped).await?;
        let proof = self.continues(folder, &checkpoint).await?;
        folder.export(&checkpoint, proof.as_ref(), dropped, key)
    }

    /// Refuses a journal that does not continue the last exported checkpoint, before anything is done with it: one that
    /// was restored from an older backup, for instance.
    ///
    /// # Errors
    /// [`CheckpointError::NotAnExtension`], [`CheckpointError::OtherJournal`].
    pub async fn check_against(&self, folder: &Folder) -> Result<(), CheckpointError> {
        let Some(latest) = folder.latest()? else { return Ok(()) };
        let checkpoint = Checkpoint { dropped: latest.dropped, ..self.checkpoint(&[]).await? };
        let proof = self.continues(folder, &checkpoint).await?;
        super::folder::extends(&latest, &checkpoint, proof.as_ref())
    }

    async fn continues(
        &self,
        folder: &Folder,
        checkpoint: &Checkpoint,
    ) -> Result<Option<ConsistencyProof>, CheckpointError> {
        let Some(latest) = folder.latest()?.filter(|latest| latest.size < checkpoint.size) else { return Ok(None) };
        let chain = match latest.size {
            0 => Some(Digest::ZERO),
            size => self.backend().chain_at(Position::new(size)).await?,
        };
        if chain != Some(latest.chain) {
            let seen = "the chain is another one at its end";
            return Err(CheckpointError::NotAnExtension { exported: latest.size, seen });
        }
        Ok(Some(self.consistency_proof(latest.size, checkpoint.size).await?))
    }

    async fn holds(&self, size: u64) -> Result<(), Error> {
        let head = self.head().await?;
        let position = Position::new(size);
        if position > head { Err(Error::BeyondHead { position, head }) } else { Ok(()) }
    }

    /// The roots over some ranges of leaves.
    async fn path(&self, ranges: Vec<Range>) -> Result<Vec<Digest>, Error> {
        let mut path = Vec::with_capacity(ranges.len());
        for range in ranges {
            let mut read = Vec::new();
            for span in range.spans() {
                read.push(self.backend().digests(span).await?);
            }
            let position = Position::new(range.first).next();
            let damaged = Error::Damaged { position, seen: "digests of the tree are missing" };
            path.push(range.root(&mut read.into_iter()).ok_or(damaged)?);
        }
        Ok(path)
    }
}
