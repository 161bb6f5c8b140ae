//! One transaction of the target at a time: marker, changes, position.

use atalaya_data::{Lsn, RelationName, quote_literal};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;

use super::Change;
use super::ordered::{self, Stopped};
use super::prepared::Statements;
use crate::conflict::{Conflict, ConflictKind, ForeignKeys, Policy, Recorder, Values};
use crate::touched::Notes;
use crate::{Error, Failpoints};

/// Changes that are applied in order when they cannot be written the fast way.
const ORDERED_CHANGES: usize = 16;
/// Bytes of changes after which a part is written even when few.
const PART_BYTES: usize = 16 << 20;

/// How far a group goes on the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupPosition {
    /// The byte after the last commit record in it, or an idle position.
    pub(crate) applied: Lsn,
    /// When the last transaction in it was committed on the source; microseconds since 2000-01-01.
    pub(crate) committed_at_micros: Option<i64>,
    /// How many transactions of the source are in it.
    pub(crate) transactions: u64,
}

/// Applies changes to the target.
pub(crate) struct Applier {
    pub(super) session: Session,
    pub(super) migration: String,
    pub(super) statements: Statements,
    pub(super) recorder: Recorder,
    pub(super) foreign_keys: ForeignKeys,
    /// For rows that have to be read again, opened when the first has to.
    pub(super) source: Option<Session>,
    pub(super) source_url: Option<ConnectionUrl>,
    notice: Option<String>,
    part: Vec<Change>,
    part_bytes: usize,
    pub(super) open: bool,
    group_changes: u64,
    /// The position that the target holds, as far as this run knows.
    stored: Lsn,
    /// What the next proof has to look at.
    pub(super) notes: Notes,
    pub(super) failpoints: Failpoints,
}

impl Applier {
    /// An applier on a session of its own, which it puts into the state that apply needs.
    pub(crate) async fn new(
        session: Session,
        migration: &str,
        options: ApplySettings,
        failpoints: Failpoints,
        stored: Lsn,
    ) -> Result<Self, Error> {
        let commit = if options.synchronous_commit { "on" } else { "off" };
        // Generic plans, since arrays differ in length only; without sequential scans, since a plan made
        // while a table was small would otherwise stay when it has grown.
        session
            .batch(&format!(
                "SET synchronous_commit = {commit}; SET plan_cache_mode = force_generic_plan; \
                 SET enable_seqscan = off; SET enable_mergejoin = off; SET jit = off"
            ))
            .await?;
        if options.replica_role {
            session.batch("SET session_replication_role = replica").await?;
        }
        let notes = Notes::read(&session, migration).await?;
        Ok(Self {
            session,
            migration: migration.to_owned(),
            statements: Statements::default(),
            recorder: Recorder::new(migration, "", Values::Masked),
            foreign_keys: ForeignKeys::default(),
            source: None,
            source_url: None,
            notice: None,
            part: Vec::new(),
            part_bytes: 0,
            open: false,
            group_changes: 0,
            stored,
            notes,
            failpoints,
        })
    }

    /// The same, which settles conflicts of tables with a policy.
    pub(crate) async fn settling(mut self, recorder: Recorder, source: &ConnectionUrl) -> Result<Self, Error> {
        self.recorder = recorder;
        self.source_url = Some(source.clone());
        self.foreign_keys = ForeignKeys::read(&self.session, &self.migration).await?;
        Ok(self)
    }

    /// What an operator should know of the groups since it was last asked for.
    pub(crate) fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// The session, between groups.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Reads anew which tables are noted; between groups, where somebody's fence has been passed.
    pub(crate) async fn renew_notes(&mut self) -> Result<(), Error> {
        self.notes.renew(&self.session).await
    }

    /// Notes rows that are written by their keys, within an open transaction of somebody else's.
    pub(crate) async fn note_keys(
        &mut self,
        table: &RelationName,
        columns: &[&str],
        keys: &[Vec<Option<String>>],
    ) -> Result<(), Error> {
        self.notes.begin();
        match columns.is_empty() {
            true => self.notes.take_whole(std::iter::once(table)),
            false => self.notes.take_keys(table, columns, keys),
        }
        self.notes.write(&self.session).await.map(|_| ())
    }

    /// Whether a transaction is open on the target.
    pub(crate) fn is_open(&self) -> bool {
        self.open || !self.part.is_empty()
    }

    /// Counts one more change of the open group.
    pub(super) fn add_change(&mut self) {
        self.group_changes += 1;
    }

    /// Changes in the group so far.
    pub(crate) fn group_changes(&self) -> u64 {
        self.group_changes
    }

    /// Takes a change; writes the part when it is full, within the open transaction.
    pub(crate) async fn push(&mut self, change: Change, part_changes: usize) -> Result<(), Error> {
        self.part_bytes += change.bytes();
        self.part.push(change);
        self.group_changes += 1;
        if self.part.len() >= part_changes || self.part_bytes >= PART_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Runs statements about the schema within the open transaction, after everything before is written.
    pub(crate) async fn run(&mut self, statements: &[String]) -> Result<(), Error> {
        self.flush().await?;
        self.begin().await?;
        // A table with a check that waits for the commit cannot be altered; here every row is in its place.
        self.session.batch("SET CONSTRAINTS ALL IMMEDIATE").await?;
        for statement in statements {
            self.session.batch(statement).await?;
        }
        self.session.batch("SET CONSTRAINTS ALL DEFERRED").await?;
        self.failpoints.reach("schema-followed");
        Ok(())
    }

    /// Writes what waits, within the open transaction.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        if self.part.is_empty() {
            return Ok(());
        }
        self.begin().await?;
        let part = std::mem::take(&mut self.part);
        self.part_bytes = 0;
        self.notes.take(&part);
        self.foreign_keys.take(&part);
        // What cannot be written the fast way is halved until little is left to be applied in order: one change among
        // thousands costs all of them twice, not each of them alone.
        let mut pieces: Vec<&[Change]> = vec![&part];
        while let Some(piece) = pieces.pop() {
            if self.write_folded(piece).await? {
                self.failpoints.reach("apply-part-written");
            } else {
                self.session.batch("ROLLBACK TO SAVEPOINT part").await?;
                if piece.len() > ORDERED_CHANGES {
                    let (first, rest) = piece.split_at(piece.len() / 2);
                    pieces.extend([rest, first]);
                    continue;
                }
                self.write_each(piece).await?;
                self.failpoints.reach("apply-ordered-written");
            }
            if !pieces.is_empty() {
                self.session.batch("RELEASE SAVEPOINT part; SAVEPOINT part").await?;
            }
        }
        self.write_full_notes().await
    }

    /// Within a large transaction notes are written before its end.
    async fn write_full_notes(&mut self) -> Result<(), Error> {
        if self.notes.is_full() {
            self.notes.write(&self.session).await?;
        }
        Ok(())
    }

    /// Applies changes in order, the judge of what is a conflict.
    async fn write_each(&mut self, piece: &[Change]) -> Result<(), Error> {
        for change in piece {
            let applied = match change.table.policy {
                Policy::Stop => ordered::apply(&self.session, &mut self.statements, change).await,
                _ => self.settle(change).await,
            };
            match applied {
                Ok(()) => {}
                Err(Stopped::Error(error)) => return Err(error.of_row(&change.table.name)),
                Err(Stopped::Conflict(conflict)) => return Err(self.stop_at(*conflict).await),
            }
        }
        Ok(())
    }

    /// Ends the group: the position is the last thing written before the commit.
    pub(crate) async fn commit(&mut self, position: GroupPosition) -> Result<(), Error> {
        self.flush().await?;
        self.begin().await?;
        if let Some(orphaned) = self.foreign_keys.find_orphan(&self.session).await? {
            let at = (position.applied, position.committed_at_micros.unwrap_or_default());
            let conflict = Conflict::of_table(ConflictKind::ForeignKeyMissing, orphaned.child, at);
            return Err(self.stop_at(Conflict { constraint: Some(orphaned.constraint), ..conflict }).await);
        }
        if self.notes.write(&self.session).await? {
            self.failpoints.reach("touched-noted");
        }
        let committed = position.committed_at_micros.map_or("committed_at".to_owned(), |micros| {
            format!("'2000-01-01 00:00:00+00'::timestamptz + {micros} * interval '1 us'")
        });
        if let Some(text) = self.recorder.write(&self.session).await? {
            self.notice = Some(text);
            self.failpoints.reach("conflicts-written");
        }
        let lsn = position.applied;
        // A position follows upon the one this run knows. If another was stored meanwhile, by a commit of a run that
        // was killed, this group may be there already: no row is touched, and nothing is committed.
        let sql = format!(
            "UPDATE atalaya.progress SET applied = '{lsn}', transactions = transactions + {}, changes = changes + {}, \
                    committed_at = {committed} \
              WHERE migration = {} AND writer = 0 AND applied = '{}' AND applied <= '{lsn}'",
            position.transactions,
            self.group_changes,
            quote_literal(&self.migration),
            self.stored,
        );
        if self.session.execute(&sql, &[]).await? != 1 {
            return Err(Error::Interrupted("the stored position is gone or another than this run stored"));
        }
        let idle = self.group_changes == 0;
        self.failpoints.reach(if idle { "idle-position-written" } else { "apply-position-written" });
        match self.session.batch("COMMIT").await.map_err(Error::from) {
            Err(error) if ordered::is_taken(&error) => return Err(self.stop_at_commit(&error, position).await),
            committed => committed?,
        }
        self.failpoints.reach(if idle { "idle-committed" } else { "apply-committed" });
        self.notes.committed();
        self.foreign_keys.clear();
        self.open = false;
        self.group_changes = 0;
        self.stored = lsn;
        Ok(())
    }

    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        if !self.open {
            self.notes.begin();
        }
        let sql = if self.open {
            "RELEASE SAVEPOINT part; SAVEPOINT part".to_owned()
        } else {
            format!(
                "BEGIN; UPDATE atalaya.progress SET marker = marker + 1 WHERE migration = {} AND writer = 0; \
                 SET CONSTRAINTS ALL DEFERRED; SAVEPOINT part",
                quote_literal(&self.migration)
            )
        };
        self.session.batch(&sql).await?;
        self.open = true;
        self.failpoints.reach("apply-begun");
        Ok(())
    }
}

/// What the target allows apply to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApplySettings {
    /// Whether commits wait for the target's disk.
    pub(crate) synchronous_commit: bool,
    /// Whether the role may set `session_replication_role`.
    pub(crate) replica_role: bool,
}
