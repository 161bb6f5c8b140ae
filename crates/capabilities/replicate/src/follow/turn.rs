//! One arrival at a time, and what ends a group.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_data::position::{CommitPosition, is_before};
use atalaya_pgwire::pgoutput::{Begin, Message, OldTuple};
use tokio::time::Instant;

use super::echo::Writer;
use super::state::{Arriving, Follower};
use crate::Error;
use crate::apply::{Change, ChangeKind, GroupPosition};
use crate::report::Event;
use crate::stream::Arrival;

/// A group is written at the latest this long after its first transaction, at the end of one.
const GROUP_AGE: Duration = Duration::from_millis(20);
/// Log without a change of ours after which the position is stored, where the opposite direction is followed, too: what a
/// server keeps of its log is a file of so many bytes at least.
const PAIRED_IDLE_BYTES: u64 = 16 << 20;

impl Follower<'_> {
    /// Takes one arrival.
    pub(crate) async fn take(&mut self, arrival: Arrival) -> Result<(), Error> {
        match arrival {
            Arrival::Idle(position) => self.take_idle(position),
            Arrival::Message(message) => self.take_message(message).await,
        }
    }

    /// Takes a position before which there is nothing that is not taken.
    fn take_idle(&mut self, position: Lsn) -> Result<(), Error> {
        if self.arriving.is_none() && position > self.reached() {
            // A source that is written to says so after every commit: that must not end a group, or there would be one a
            // commit however far behind the target is.
            match self.group.transactions {
                0 => self.idle = Some(position),
                _ => self.group.applied = self.group.applied.max(position),
            }
        }
        Ok(())
    }

    async fn take_message(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Begin(begin) => self.begin(begin).await,
            Message::Commit(commit) => {
                self.end_transaction(CommitPosition { commit_lsn: commit.commit_lsn, end_lsn: commit.end_lsn }).await
            }
            Message::Relation(relation) => {
                if !self.marker.describe(&relation) {
                    self.tables.describe(relation);
                }
                Ok(())
            }
            Message::Update { relation_id, new, .. } if self.marker.is(relation_id) => self.take_marker(Some(&new)),
            Message::Insert { relation_id, .. } | Message::Delete { relation_id, .. }
                if self.marker.is(relation_id) =>
            {
                self.take_marker(None)
            }
            Message::Insert { relation_id, new, .. } => self.change(relation_id, ChangeKind::Insert(new)).await,
            Message::Update { relation_id, old, new, .. } => {
                self.change(relation_id, ChangeKind::Update { old: old.map(row_of), new }).await
            }
            Message::Delete { relation_id, old, .. } => self.change(relation_id, ChangeKind::Delete(row_of(old))).await,
            Message::Truncate(truncate) => self.truncate(&truncate.relation_ids, truncate.restart_identity).await,
            Message::Logical(message) => self.take_announcement(&message).await,
            // Types are named by the target's catalog; origins carry no row.
            Message::Type(_) | Message::Origin { .. } => Ok(()),
            _ => Err(Error::Broken("the source sent a message that was not asked for")),
        }
    }

    async fn begin(&mut self, begin: Begin) -> Result<(), Error> {
        let Begin { final_lsn: commit_lsn, commit_time_micros: committed_at_micros, xid } = begin;
        // Before the first transaction that a fence leaves out, and before any while one is being placed.
        while self.requests.stops_before(commit_lsn) {
            self.end_group().await?;
            self.meet_fence(Some(commit_lsn)).await?;
        }
        let skipped = is_before(commit_lsn, self.applied);
        let (writer, changed) = (Writer::Unknown, false);
        self.arriving = Some(Arriving { xid, commit_lsn, committed_at_micros, skipped, writer, changed });
        self.group_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// The transaction that brings a change of a published table.
    fn changing(&mut self) -> Result<Arriving, Error> {
        let arriving = self.arriving.as_mut().ok_or(Error::Broken("a change came outside of a transaction"))?;
        if arriving.writer == Writer::Unknown {
            arriving.writer = Writer::Others;
        }
        arriving.changed = true;
        Ok(*arriving)
    }

    async fn change(&mut self, relation_id: u32, kind: ChangeKind) -> Result<(), Error> {
        let arriving = self.changing()?;
        if arriving.writer == Writer::Ourselves {
            return Ok(());
        }
        let Some(table) = self.table_at(relation_id, arriving).await? else { return Ok(()) };
        let Arriving { commit_lsn, committed_at_micros, .. } = arriving;
        let change = Change { table, kind, commit_lsn, committed_at_micros };
        self.applier.push(change, self.opened.plan.options.group_changes).await
    }

    async fn truncate(&mut self, relation_ids: &[u32], restart_identity: bool) -> Result<(), Error> {
        let arriving = self.changing()?;
        if arriving.writer == Writer::Ourselves {
            return Ok(());
        }
        let mut tables = Vec::new();
        for relation_id in relation_ids {
            if !self.marker.is(*relation_id) {
                tables.extend(self.table_at(*relation_id, arriving).await?);
            }
        }
        if tables.is_empty() {
            return Ok(());
        }
        // Rows of the other tables that make up the same one of the target must stay.
        let part =
            tables.iter().find(|table| table.sources > tables.iter().filter(|other| other.name == table.name).count());
        if let Some(part) = part {
            return Err(Error::refused(
                "truncate-of-a-part",
                format!("a TRUNCATE on the source emptied only a part of what makes up table {} here", part.name),
                "remove the same rows from the target by hand, or `atalaya migrate abort` and move into tables that \
                 are divided as on the source",
            ));
        }
        let at = (arriving.commit_lsn, arriving.committed_at_micros);
        self.applier.truncate(&tables, restart_identity, at).await
    }

    async fn end_transaction(&mut self, position: CommitPosition) -> Result<(), Error> {
        let arriving = self.arriving.take().ok_or(Error::Broken("a commit came without its beginning"))?;
        if arriving.skipped != position.is_applied(self.applied) {
            return Err(Error::Broken("the stored position lies within a transaction of the source"));
        }
        if arriving.skipped {
            return Ok(());
        }
        match arriving.writer {
            // What we have dropped is no reason to write to the target: it would come back as one more.
            Writer::Ourselves => return self.take_idle(position.end_lsn),
            Writer::Others if arriving.changed => self.foreign.push(arriving.commit_lsn),
            Writer::Others | Writer::Unknown => {}
        }
        self.group = GroupPosition {
            applied: self.group.applied.max(position.end_lsn),
            committed_at_micros: Some(arriving.committed_at_micros),
            transactions: self.group.transactions + 1,
        };
        let full = self.applier.group_changes() >= self.opened.plan.options.group_changes as u64;
        let old = self.group_since.is_some_and(|since| since.elapsed() >= GROUP_AGE);
        if full || (old && self.applier.is_open()) { self.end_group().await } else { Ok(()) }
    }

    /// After a batch: when nothing else waits, what is complete is written.
    pub(crate) async fn end_turn(&mut self) -> Result<(), Error> {
        if self.arriving.is_none() && self.reader.is_empty() { self.end_group().await } else { Ok(()) }
    }

    /// Writes the group with its position; nothing to do when it holds no transaction.
    pub(crate) async fn end_group(&mut self) -> Result<(), Error> {
        self.group_since = None;
        if self.group.transactions == 0 {
            return Ok(());
        }
        // Transactions without a change of ours move the position only; that can wait for the next tick.
        if !self.applier.is_open() {
            self.idle = Some(self.idle.unwrap_or_default().max(self.group.applied));
            self.group.transactions = 0;
            return Ok(());
        }
        self.applier.commit(self.group).await?;
        if let Some(text) = self.applier.take_notice() {
            self.opened.observer.observe(&Event::Warning { text });
        }
        self.applied = self.group.applied;
        self.idle = self.idle.filter(|idle| *idle > self.applied);
        self.group = GroupPosition { applied: self.applied, committed_at_micros: None, transactions: 0 };
        Ok(())
    }

    /// Stores an idle position, so that it may be acknowledged, once it is worth it.
    pub(crate) async fn store_idle_when_due(&mut self) -> Result<(), Error> {
        // Both directions would have each other store what the other one has stored, without an end.
        let is_due = |idle: Lsn| self.pair.is_none() || idle.bytes_since(self.applied) >= PAIRED_IDLE_BYTES;
        if self.idle.is_some_and(is_due) { self.store_idle().await } else { Ok(()) }
    }

    /// Stores an idle position.
    pub(crate) async fn store_idle(&mut self) -> Result<(), Error> {
        if self.applier.is_open() || self.arriving.is_some() {
            return Ok(());
        }
        if let Some(idle) = self.idle.take().filter(|idle| *idle > self.applied) {
            let position = GroupPosition { applied: idle, committed_at_micros: None, transactions: 0 };
            self.applier.commit(position).await?;
            self.applied = idle;
            self.group.applied = idle;
        }
        Ok(())
    }
}

/// The old row's values; a key's row has NULL for everything else, and only its identity is ever read.
fn row_of(old: OldTuple) -> atalaya_pgwire::pgoutput::Tuple {
    match old {
        OldTuple::Key(row) | OldTuple::Full(row) => row,
    }
}
