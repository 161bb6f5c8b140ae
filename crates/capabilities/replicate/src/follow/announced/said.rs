//! What a run was told of statements, and what it tells people of them.

use std::collections::HashMap;

use atalaya_data::RelationName;

use crate::Error;
use crate::ddl::trigger::{self, TriggerState};
use crate::follow::Follower;
use crate::report::Event;

/// Statements without a consequence that a run tells of; the rest changed no column, either.
const TOLD: usize = 100;

/// What a run was told of statements on the source.
#[derive(Default)]
pub(crate) struct Announced {
    /// The last statement that touched a table of the move, until it is met.
    pub(super) statements: HashMap<u32, String>,
    /// How many columns a table of the move has ever had, as its last statement left it.
    pub(super) attributes: HashMap<u32, i16>,
    /// The shape that a table's known definition has.
    pub(super) shapes: HashMap<u32, i64>,
    pub(super) told: usize,
    pub(super) unreadable: bool,
    /// The last transaction that the source's catalog is known to show.
    pub(in crate::follow) seen: Option<u32>,
    /// How the trigger was found last, where that was told.
    pub(super) trigger: Option<TriggerState>,
}

impl Announced {
    /// The last statement that touched the table of that OID and is not met.
    pub(in crate::follow) fn statement_of(&self, oid: u32) -> Option<&str> {
        self.statements.get(&oid).map(String::as_str)
    }

    /// Forgets the statement once everything that it did is met: what comes later is another's doing.
    pub(in crate::follow) fn forget(&mut self, oid: u32) {
        self.statements.remove(&oid);
    }

    /// An error about that table, with the statement that led to it.
    pub(in crate::follow) fn naming(&self, oid: u32, error: Error) -> Error {
        let Some(statement) = self.statement_of(oid) else { return error };
        match error {
            Error::SchemaChange { relation, change } => {
                Error::SchemaChange { relation, change: format!("{change} (by {statement})") }
            }
            Error::Refused { code: "table-redefined", seen, hint } => {
                Error::refused("table-redefined", format!("{seen} (by {statement})"), hint)
            }
            error => error,
        }
    }
}

impl Follower<'_> {
    /// Tells of statements about tables of the move that change no column.
    pub(super) fn tell_unfollowed(&mut self, tables: &[RelationName], statement: &str) {
        let Some(first) = tables.first() else { return };
        self.announced.told += 1;
        if self.announced.told > TOLD {
            return;
        }
        let others = match tables.len() {
            1 => String::new(),
            all => format!(" and {} others", all - 1),
        };
        let last = if self.announced.told == TOLD { "; further ones are not told" } else { "" };
        let text = format!(
            "{statement} changed no column of table {first}{others}, so that nothing is followed; make the same on the target \
             when it suits{last}"
        );
        self.opened.observer.observe(&Event::Warning { text });
    }

    /// Tells once when the trigger is not what was made.
    pub(in crate::follow) async fn watch_trigger(&mut self) -> Result<(), Error> {
        let migration = self.opened.migration;
        if !migration.ddl_trigger {
            return Ok(());
        }
        let now = trigger::look(self.opened.source, &migration.slot).await?;
        if self.announced.trigger.replace(now) == Some(now) {
            return Ok(());
        }
        let seen = match now {
            TriggerState::Whole => return Ok(()),
            TriggerState::Gone => "gone",
            TriggerState::Altered => "disabled, altered, or another version's",
        };
        let text = format!(
            "the event trigger `{}` on the source is {seen}: changes of the schema are met by what the catalog tells, rewrites \
             with other values are not seen; `atalaya migrate start --ddl-trigger` makes it anew",
            migration.slot
        );
        self.opened.observer.observe(&Event::Warning { text });
        Ok(())
    }
}
