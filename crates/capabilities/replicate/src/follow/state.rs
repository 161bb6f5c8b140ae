//! What a following run holds, and its loop.

use std::collections::HashMap;
use std::time::Duration;

use atalaya_control::REPLICATOR_CHANNEL;
use atalaya_data::{Lsn, RelationName};
use atalaya_postgres::Session;
use atalaya_postgres::catalog::read_relations;
use atalaya_postgres::settings;
use futures_util::future::{join, try_join};
use tokio::time::Instant;

use super::acknowledge::Acknowledger;
use super::announced::Announced;
use super::append_only::AppendOnly;
use super::echo::{ForeignCommits, Marker, Writer};
use super::numbers::SequenceClock;
use super::redefined::DefinitionWatch;
use super::trees::TreeWatch;
use crate::apply::{Applier, ApplySettings, GroupPosition, Mapping, TableSet};
use crate::conflict::{Recorder, Values};
use crate::control::Requests;
use crate::ddl::{TableWatch, refuse_unpublished};
use crate::progress::{Migration, Store, TableRow, check_position, check_source};
use crate::report::{Event, Observer};
use crate::silence::{ForeignKeys, SilenceWatch, Writers};
use crate::spool::{Kept, Receiver};
use crate::stream::{Batch, Reader, StreamOpener};
use crate::way_back::Pair;
use crate::{Direction, Error, Plan, StopWhen, sequences};

/// How often figures, acknowledgements and the goal of catching up are renewed.
const TICK: Duration = Duration::from_millis(200);
/// How often the source is asked where it is.
const GOAL_EVERY: Duration = Duration::from_secs(1);

/// Why following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything up to the goal is applied, as the run was asked for.
    CaughtUp,
    /// Somebody asked it to stop.
    Stopped,
    /// Tables were added that are to be copied before following goes on.
    TablesPending,
}

/// Connections that are open before following begins.
pub(crate) struct Opened<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) migration: &'a Migration,
    pub(crate) source: &'a Session,
    pub(crate) target: &'a Session,
    pub(crate) observer: &'a dyn Observer,
}

/// The transaction of the source that is arriving.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arriving {
    pub(crate) xid: u32,
    pub(crate) commit_lsn: Lsn,
    pub(crate) committed_at_micros: i64,
    /// Whether the target has it already.
    pub(crate) skipped: bool,
    /// Who has written it.
    pub(crate) writer: Writer,
    /// Whether it has changed a published table.
    pub(crate) changed: bool,
}

/// A run that follows the source.
pub(crate) struct Follower<'a> {
    pub(crate) opened: Opened<'a>,
    pub(crate) reader: Reader,
    /// What the copy's time left on disk, until it is applied.
    pub(crate) spool: Option<Kept>,
    pub(crate) tables: TableSet,
    pub(crate) applier: Applier,
    pub(crate) requests: Requests,
    pub(crate) acknowledger: Acknowledger,
    pub(crate) append_only: AppendOnly,
    pub(super) table_watch: TableWatch,
    pub(super) announced: Announced,
    pub(super) marker: Marker,
    pub(crate) foreign: ForeignCommits,
    /// The opposite direction, where there is one.
    pub(super) pair: Option<Pair>,
    silence: SilenceWatch,
    pub(super) definitions: DefinitionWatch,
    pub(super) trees: TreeWatch,
    pub(super) sequences: SequenceClock,
    pub(crate) arriving: Option<Arriving>,
    pub(crate) group: GroupPosition,
    /// The stored position.
    pub(crate) applied: Lsn,
    /// An idle position that is not stored yet.
    pub(crate) idle: Option<Lsn>,
    pub(crate) group_since: Option<Instant>,
    /// The source's position that has to be applied for the run to count as caught up.
    pub(crate) goal: Option<Lsn>,
    pub(crate) caught_up: bool,
    pub(crate) source_lsn: Lsn,
}

impl<'a> Follower<'a> {
    /// Checks what is stored against the source, and opens the stream where it left off.
    /// Where a receiver reads the stream already, it is read from its spool until both have met.
    pub(crate) async fn open(opened: Opened<'a>, receiver: Option<Receiver>) -> Result<Self, Error> {
        let (plan, migration) = (opened.plan, opened.migration);
        let store = Store { session: opened.target, name: &plan.name };
        let checking = async {
            check_source(opened.source, migration).await?;
            let applied = store.applied().await?;
            if receiver.is_none() {
                check_position(opened.source, migration, applied).await?;
            }
            let tables = table_set(&store).await?;
            refuse_unpublished(opened.source, migration, &store).await?;
            let pair = Pair::check(opened.source, migration, &store).await?;
            let append_only = AppendOnly::read(&store).await?;
            let in_progress = plan.options.in_progress();
            let opener = StreamOpener::prepare(&plan.source, migration, opened.source, in_progress).await?;
            Ok::<_, Error>((applied, tables, pair, append_only, opener))
        };
        // Logins beside the questions; what these refuse is told first.
        let (checked, sessions) = join(checking, try_join(open_apply(plan), open_control(plan))).await;
        let (applied, tables, pair, append_only, opener) = checked?;
        let ((session, replica_role), control) = sessions?;
        let settings = ApplySettings { synchronous_commit: plan.options.synchronous_commit, replica_role };
        let kept = if plan.options.conflict_values { Values::Kept } else { Values::Masked };
        let recorder = Recorder::new(&plan.name, &migration.slot, kept);
        let applier = Applier::new(session, &plan.name, settings, plan.options.failpoints.clone(), applied)
            .await?
            .settling(recorder, &plan.source)
            .await?;
        let requests = Requests::open(control, &plan.name).await?;
        let spool = receiver.as_ref().map(Receiver::kept);
        let (queue_bytes, spill) = (plan.options.queue_bytes, plan.options.spill());
        let reader = match receiver {
            Some(receiver) => Reader::start_spooled(receiver, opener, applied, queue_bytes, spill),
            None => Reader::start(opener.open(applied).await?, applied, queue_bytes, spill),
        };
        Ok(Self {
            opened,
            reader,
            spool,
            tables,
            applier,
            requests,
            acknowledger: Acknowledger::new(applied, plan.options.synchronous_commit),
            append_only,
            table_watch: TableWatch::default(),
            silence: SilenceWatch::new(
                Writers::of(settings.replica_role),
                plan.options.direction,
                ForeignKeys::of(migration.schema),
            ),
            announced: Announced::default(),
            marker: Marker::default(),
            foreign: ForeignCommits::new(applied),
            pair,
            definitions: DefinitionWatch::default(),
            trees: TreeWatch::default(),
            sequences: SequenceClock::default(),
            arriving: None,
            group: GroupPosition { applied, committed_at_micros: None, transactions: 0 },
            applied,
            idle: None,
            group_since: None,
            goal: None,
            caught_up: false,
            source_lsn: applied,
        })
    }

    /// Follows until there is a reason to end; leaves the slot acknowledged up to what is stored.
    pub(crate) async fn run(mut self) -> Result<Ended, Error> {
        let mut tick = tokio::time::interval(TICK);
        let mut goal = tokio::time::interval(GOAL_EVERY);
        // Before the first row, which may be outside of a partition that was detached while nobody looked.
        self.look_at_trees().await?;
        let ended = loop {
            if let Some(ended) = self.meet_requests().await? {
                break ended;
            }
            self.meet_definitions().await?;
            self.meet_trees().await?;
            self.follow_sequences_when_due().await?;
            let ready = self.definitions.is_settled() && self.trees.is_settled() && !self.applier.is_open();
            if self.goal_is_met() && ready && !self.caught_up {
                self.caught_up = true;
                self.follow_sequences().await?;
                self.opened.observer.observe(&Event::CaughtUp);
                if self.opened.plan.options.stop_when == StopWhen::CaughtUp {
                    break Ended::CaughtUp;
                }
            }
            tokio::select! {
                batch = self.reader.next() => {
                    let batch = batch?;
                    match self.take_all(batch).await {
                        Err(Error::StopReached) => break Ended::Stopped,
                        Err(Error::TablesPending) => break Ended::TablesPending,
                        Err(error) if error.is_unknown_label() => return Err(self.judge_unknown_label(error).await?),
                        Err(error) if error.is_outside() => return Err(self.judge_outside(error).await?),
                        taken => taken?,
                    }
                }
                woken = self.requests.woken() => {
                    woken?;
                    self.requests.refresh().await?;
                }
                _ = tick.tick() => self.on_tick().await?,
                // Clients stand still while somebody waits for a marker: what can wait, does.
                _ = goal.tick(), if !self.requests.has_marker() => self.renew_goal().await?,
            }
        };
        self.acknowledge_all().await?;
        self.reader.finish().await;
        Ok(ended)
    }

    async fn take_all(&mut self, batch: Batch) -> Result<(), Error> {
        for arrival in batch.arrivals {
            self.take(arrival).await?;
        }
        self.end_turn().await
    }

    fn goal_is_met(&self) -> bool {
        self.goal.is_some_and(|goal| self.reached() >= goal)
    }

    /// How far the target is, idle positions counted.
    pub(crate) fn reached(&self) -> Lsn {
        self.idle.map_or(self.applied, |idle| idle.max(self.applied))
    }

    async fn renew_goal(&mut self) -> Result<(), Error> {
        self.look_at_definitions().await?;
        self.look_at_trees().await?;
        self.source_lsn = sequences::current_lsn(self.opened.source).await?;
        if self.goal.is_none() {
            self.goal = Some(self.source_lsn);
        }
        let store = Store { session: self.opened.target, name: &self.opened.plan.name };
        if self.append_only.check(self.opened.source, &store).await? {
            let text = "the source has lost its counts of updates, as after a crash: an update of an append-only table \
                        just before would be seen by the proof only";
            self.opened.observer.observe(&Event::Warning { text: text.to_owned() });
        }
        if self.opened.plan.options.direction == Direction::Forward {
            self.watch_tables().await?;
        }
        self.silence.look(&store).await?;
        self.watch_trigger().await?;
        refuse_unpublished(self.opened.source, self.opened.migration, &store).await?;
        self.pair = Pair::check(self.opened.source, self.opened.migration, &store).await?;
        self.report().await
    }

    async fn watch_tables(&mut self) -> Result<(), Error> {
        let Opened { plan, source, target, observer, .. } = &self.opened;
        let store = Store { session: target, name: &plan.name };
        for text in self.table_watch.look(plan, source, &store).await? {
            observer.observe(&Event::Warning { text });
        }
        Ok(())
    }
}

/// The session that changes are applied on, and whether its role may keep triggers from firing.
async fn open_apply(plan: &Plan) -> Result<(Session, bool), Error> {
    let session = Session::connect(&plan.target, &format!("atalaya apply {}", plan.name)).await?;
    session.batch(&settings::lock_limit_sql(plan.options.lock_limit)).await?;
    let replica_role = may_be_replica(&session).await?;
    Ok((session, replica_role))
}

/// The session that hears requests.
async fn open_control(plan: &Plan) -> Result<Session, Error> {
    let control = Session::connect_for_control(&plan.target, &format!("atalaya control {}", plan.name)).await?;
    control.batch(&format!("LISTEN {REPLICATOR_CHANNEL}")).await?;
    Ok(control)
}

async fn table_set(store: &Store<'_>) -> Result<TableSet, Error> {
    let mut mappings: HashMap<RelationName, Mapping> = HashMap::new();
    for table in store.read_tables().await? {
        // One that was added this moment: whatever comes before its copy will be in it.
        let start_lsn = match table.start_lsn {
            Some(start_lsn) => start_lsn,
            None if table.done => {
                return Err(Error::Broken("a copied table has no position that its changes count from"));
            }
            None => Lsn(u64::MAX),
        };
        let TableRow { source, target, definition, append_only, conflicts, .. } = table;
        mappings.insert(source, Mapping { target, start_lsn, definition, append_only, conflicts });
    }
    let relations = read_relations(store.session).await?;
    let mut locators: HashMap<RelationName, Vec<String>> = HashMap::new();
    let rows = store
        .session
        .query(
            "SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_catalog.pg_index x
               JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
               JOIN pg_catalog.pg_am m ON m.oid = i.relam AND m.amname = 'btree'
               JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
              WHERE x.indisvalid AND x.indpred IS NULL AND n.nspname NOT LIKE 'pg\\_%'",
            &[],
        )
        .await?;
    for row in rows {
        locators
            .entry(RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)))
            .or_default()
            .push(row.get(2));
    }
    Ok(TableSet::new(mappings, relations, locators))
}

/// Whether the role may keep triggers and foreign keys from firing.
pub(crate) async fn may_be_replica(session: &Session) -> Result<bool, Error> {
    match session.batch("BEGIN; SET LOCAL session_replication_role = replica; ROLLBACK").await {
        Ok(()) => Ok(true),
        Err(error) if error.sqlstate() == Some("42501") => {
            session.batch("ROLLBACK").await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}
