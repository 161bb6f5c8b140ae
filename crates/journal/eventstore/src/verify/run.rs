//! Reads the journal page by page and walks over it, the next page being read meanwhile.

use std::collections::VecDeque;

use super::report::{Finding, HeldAgainst, Kind, Report, Verdict};
use super::walk::{Walk, finding};
use crate::backend::{Audit, Ends, StoredRow};
use crate::chain::{Span, Tile};
use crate::checkpoint::{Checkpoint, CheckpointError, Folder};
use crate::{Digest, Error, Position, Store};

/// Why a verification came to no end. A journal that is not well is no error: it is in the report.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The journal does not answer.
    #[error("the journal cannot be read")]
    Journal(#[from] Error),
    /// The exported checkpoints cannot be believed.
    #[error("the exported checkpoints cannot be used")]
    Checkpoints(#[from] CheckpointError),
    /// The program is ending.
    #[error("the verification was interrupted")]
    Interrupted,
}

/// What is known on the way.
struct Progress {
    walk: Walk,
    /// Those that were not reached yet.
    checkpoints: VecDeque<Checkpoint>,
    /// Up to where checkpoints agree.
    agreed: Position,
}

/// Verifies the whole journal up to its present end; appends go on meanwhile. Held against exported checkpoints, it also
/// finds what was written anew as a whole.
///
/// Memory grows with the number of streams, by about 100 bytes each.
///
/// # Errors
/// When the journal does not answer, or the folder's checkpoints are not signed by a trusted key.
pub async fn verify(store: &Store, against: Option<&Folder>) -> Result<Report, VerifyError> {
    let backend = store.backend();
    let origin = store.origin().await?;
    let checkpoints = against.map(Folder::checkpoints).transpose()?;
    if let Some(other) = checkpoints.iter().flatten().find(|checkpoint| checkpoint.origin != origin) {
        let found = other.origin.clone();
        return Err(CheckpointError::OtherJournal { found, expected: origin }.into());
    }
    let held_against = checkpoints.as_ref().map_or(HeldAgainst::Itself, |checkpoints| HeldAgainst::Checkpoints {
        count: checkpoints.len() as u64,
        last_size: checkpoints.last().map_or(0, |last| last.size),
        last_root: checkpoints.last().map_or_else(|| Digest::of(&[]), |last| last.root),
    });
    let ends = backend.ends().await?;
    let mut progress =
        Progress { walk: Walk::new(), checkpoints: checkpoints.unwrap_or_default().into(), agreed: Position::START };
    let found = match walked(backend, &ends, &mut progress).await? {
        Some(finding) => Some(finding),
        None => at_the_end(backend, &ends, &progress).await?,
    };
    let walk = progress.walk;
    Ok(Report {
        verdict: if found.is_some() { Verdict::Tampered } else { Verdict::Intact },
        events: found.as_ref().map_or(walk.position.number(), |found| found.position.number().saturating_sub(1)),
        finding: found,
        origin,
        streams: walk.streams(),
        appends: walk.appends,
        data_erased: walk.data_erased,
        keys_dropped: walk.keys_dropped,
        root: walk.frontier.root(),
        chain: walk.chain,
        held_against,
    })
}

/// Goes over all events; the first finding.
async fn walked(backend: &dyn Audit, ends: &Ends, progress: &mut Progress) -> Result<Option<Finding>, VerifyError> {
    if ends.first.is_some_and(|first| first < 1) {
        let seen = "there is an event before the first position";
        return Ok(Some(finding(Position::START, Kind::Inserted, seen)));
    }
    if let Err(found) = progress.hold() {
        return Ok(Some(found));
    }
    let last = Position::new(ends.last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0));
    let up_to = ends.head.as_ref().map_or(last, |head| head.position);
    let mut page = backend.stored(Position::START, up_to).await?;
    while let Some(end) = page.last().map(place) {
        let mut moved = std::mem::replace(progress, Progress::empty());
        let checking = tokio::task::spawn_blocking(move || {
            let checked = moved.page(&page);
            (moved, checked)
        });
        let (next, checked) = tokio::join!(backend.stored(end, up_to), checking);
        let (moved, checked) = checked.map_err(|_| VerifyError::Interrupted)?;
        *progress = moved;
        if let Err(found) = checked {
            return Ok(Some(found));
        }
        let tiles = std::mem::take(&mut progress.walk.tiles);
        if let Some(found) = tiles_differ(backend, &tiles).await? {
            return Ok(Some(found));
        }
        page = next?;
    }
    Ok(None)
}

/// What shows only when all events were walked over.
async fn at_the_end(backend: &dyn Audit, ends: &Ends, progress: &Progress) -> Result<Option<Finding>, VerifyError> {
    let walk = &progress.walk;
    match &ends.head {
        Err(seen) => return Ok(Some(finding(walk.position, Kind::Head, seen))),
        Ok(head) => {
            if let Err(found) = walk.end(head) {
                return Ok(Some(found));
            }
            if ends.last.is_some_and(|last| u64::try_from(last).is_ok_and(|last| last > head.position.number())) {
                let seen = "there is an event behind the end that the head knows";
                return Ok(Some(finding(head.position.next(), Kind::Inserted, seen)));
            }
        }
    }
    if let Some(beyond) = progress.checkpoints.front() {
        let seen = format!("a checkpoint was signed for {} events: the last ones were cut off", beyond.size);
        return Ok(Some(finding(walk.position.next(), Kind::Missing, &seen)));
    }
    if ends.appends != walk.appends {
        let first = backend.append_without_events().await?.and_then(|first| u64::try_from(first).ok());
        let position = Position::new(first.unwrap_or(0)).min(walk.position);
        return Ok(Some(finding(position, Kind::Append, "an append is stored that no event belongs to")));
    }
    Ok(None)
}

/// Stored roots that are not what their leaves come to.
async fn tiles_differ(backend: &dyn Audit, tiles: &[Tile]) -> Result<Option<Finding>, VerifyError> {
    for tile in tiles {
        let stored = backend.digests(Span { level: tile.level, first: tile.index, count: 1 }).await?;
        if stored != [tile.root] {
            let leaves = 1_u64 << (u32::from(tile.level) * 8);
            let first = Position::new((tile.index * leaves).saturating_add(1));
            let seen = "the stored root over this and the following events is not what they come to";
            let up_to = Some(Position::new((tile.index + 1) * leaves));
            return Ok(Some(Finding { up_to, ..finding(first, Kind::Tile, seen) }));
        }
    }
    Ok(None)
}

fn place(row: &StoredRow) -> Position {
    match row {
        Ok(stored) => stored.event.position,
        Err(unreadable) => unreadable.position,
    }
}

impl Progress {
    fn empty() -> Self {
        Self { walk: Walk::new(), checkpoints: VecDeque::new(), agreed: Position::START }
    }

    fn page(&mut self, page: &[StoredRow]) -> Result<(), Finding> {
        for row in page {
            let stored =
                row.as_ref().map_err(|unreadable| finding(unreadable.position, Kind::EventChanged, unreadable.seen))?;
            self.walk.step(stored)?;
            self.hold()?;
        }
        Ok(())
    }

    /// Holds the events so far against the checkpoints of their number.
    fn hold(&mut self) -> Result<(), Finding> {
        let walk = &self.walk;
        while let Some(checkpoint) = self.checkpoints.front().filter(|next| next.size == walk.position.number()) {
            if checkpoint.root != walk.frontier.root() || checkpoint.chain != walk.chain {
                let seen = "the events up to a checkpoint are not those that it was signed for";
                let first = finding(self.agreed.next().min(walk.position), Kind::Rewritten, seen);
                return Err(Finding { up_to: Some(walk.position), ..first });
            }
            self.agreed = walk.position;
            self.checkpoints.pop_front();
        }
        Ok(())
    }
}
