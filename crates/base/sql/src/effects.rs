//! The answer: what may outlive the transaction. It never holds more of a client's text than names.

use std::ops::Range;

/// Names that one text may bring; with more of them the answer is `unknown`.
pub const SETTING_NAMES_MAX: usize = 64;

/// What a text may change in the server's session that outlives its transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionEffects {
    /// A setting may change for the session: `SET` without `LOCAL`, `RESET`, `set_config`, `DISCARD ALL`, a write to
    /// `pg_settings`. `set_config(.., true)` counts as well.
    pub settings: bool,
    /// Candidates for the names of what was set, lower-case: from `SET` and `RESET` as the server names them
    /// (`TIME ZONE` is `timezone`), and, where a setting may change unseen, every string like `a.b`, those in bodies of `DO`
    /// included. `RESET ALL` and `DISCARD ALL` bring none. At most [`SETTING_NAMES_MAX`].
    pub setting_names: Vec<String>,
    /// What belongs to the session may be made or ended: temporary objects, held cursors, channels that are listened to,
    /// advisory locks.
    pub session_objects: bool,
    /// The text does something that its words do not tell.
    pub unknown: bool,
    /// Something that no question to the server shows: a loaded library, a backup mode, a replication origin, a temporary
    /// slot, a seed, a connection of dblink.
    pub cannot_be_handed_over: bool,
    /// `lastval` or `currval`: the answer depends on what the session did before.
    pub sequence_state: bool,
    /// `PREPARE`, `EXECUTE` and `DEALLOCATE` in SQL, in their order. Effects of a prepared statement are told where it is
    /// prepared; `EXECUTE` is `unknown`.
    pub prepared: Vec<PreparedUse>,
    /// The strongest `DISCARD`.
    pub discards: Option<Discard>,
    /// Definitions may change, and plans with them. In a session whose `search_path` has `pg_temp` first, what is created may
    /// be temporary: such a session has to be asked, although this alone does not make a text other than plain.
    pub ddl: bool,
    /// Statements that are not empty.
    pub statements: usize,
}

impl SessionEffects {
    /// Whether nothing outlives the transaction, and nothing of the session was asked for. Definitions ([`Self::ddl`])
    /// are no part of a session.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !(self.settings
            || self.session_objects
            || self.unknown
            || self.cannot_be_handed_over
            || self.sequence_state
            || self.discards.is_some())
            && self.prepared.is_empty()
            && self.setting_names.is_empty()
    }
}

/// One use of SQL's own prepared statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedUse {
    /// What is done.
    pub action: PreparedAction,
    /// The statement's name as Postgres takes it: folded to lower case unless quoted, cut at 63 bytes. Empty for
    /// [`PreparedAction::DeallocateAll`].
    pub name: String,
    /// Where the whole SQL statement stands in the text, for `EXPLAIN EXECUTE` with its `EXPLAIN`.
    pub text: Range<usize>,
}

/// What is done with a prepared statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreparedAction {
    /// `PREPARE name AS ..`.
    Prepare,
    /// `EXECUTE name`, also in `EXPLAIN` and `CREATE TABLE .. AS`.
    Execute,
    /// `DEALLOCATE name`.
    Deallocate,
    /// `DEALLOCATE ALL`.
    DeallocateAll,
}

/// What a `DISCARD` drops, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Discard {
    /// Cached plans.
    Plans,
    /// What `currval` and `lastval` answer.
    Sequences,
    /// Temporary tables.
    Temp,
    /// Everything.
    All,
}
