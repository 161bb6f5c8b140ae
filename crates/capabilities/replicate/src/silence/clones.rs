//! Clones of a trigger in partitions that came while it was off: Postgres makes them off, too, and nobody else sets them back.

use atalaya_data::RelationName;

use super::actor::{Fires, Kind, shown, switch_sql};
use crate::Error;
use crate::progress::Store;

/// A clone that is off, and was not there when the trigger that it comes from was switched off.
pub(super) struct Clone {
    name: String,
    pub(super) relation: RelationName,
    /// What the trigger was before the move.
    was: Fires,
    hands: Hands,
}

/// Who may say what a clone is from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hands {
    Ours,
    /// Somebody has decided otherwise about the trigger that it comes from.
    Theirs,
    /// The role does not own the partition.
    Unowned,
}

/// What is written down ends the walk: that was there, and has a state of its own.
const CLONES: &str = "
    WITH RECURSIVE clones AS (
        SELECT g.oid, s.fires, g.tgenabled::text NOT IN ('D', s.fires) AS theirs, 0 AS depth
          FROM atalaya.silenced s JOIN pg_catalog.pg_trigger g ON g.oid = s.oid
         WHERE s.migration = $1 AND s.kind = 'trigger' AND s.fires <> '-'
        UNION ALL
        SELECT g.oid, c.fires, c.theirs, c.depth + 1
          FROM clones c JOIN pg_catalog.pg_trigger g ON g.tgparentid = c.oid
         WHERE NOT EXISTS (SELECT FROM atalaya.silenced s WHERE s.migration = $1 AND s.kind = 'trigger' AND s.oid = g.oid))
    SELECT n.nspname::text, c.relname::text, g.tgname::text, k.fires, k.theirs,
           pg_catalog.pg_has_role(c.relowner, 'USAGE')
      FROM clones k JOIN pg_catalog.pg_trigger g ON g.oid = k.oid JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE k.depth > 0 AND g.tgenabled = 'D' ORDER BY 1, 2, 3";

/// Those of everything that was switched off.
pub(super) async fn clones(store: &Store<'_>) -> Result<Vec<Clone>, Error> {
    let rows = store.session.query(CLONES, &[&store.name]).await?;
    let clone = |row: &atalaya_postgres::Row| {
        Ok(Clone {
            relation: RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
            name: row.get(2),
            was: Fires::parse(&row.get::<_, String>(3))?,
            hands: match (row.get(4), row.get(5)) {
                (true, _) => Hands::Theirs,
                (false, false) => Hands::Unowned,
                (false, true) => Hands::Ours,
            },
        })
    };
    rows.iter().map(clone).collect()
}

impl Clone {
    pub(super) fn is_ours(&self) -> bool {
        self.hands == Hands::Ours
    }

    /// For people, with what it becomes.
    pub(super) fn restored(&self) -> String {
        format!("{} ({}), which came while that was off", self.shown(), self.was.verb())
    }

    /// For people, where it stays as it is.
    pub(super) fn told(&self) -> String {
        let why = match self.hands {
            Hands::Unowned => "the role may not switch it",
            Hands::Ours | Hands::Theirs => "somebody has changed the trigger that it comes from",
        };
        format!(
            "{} came while that was off, and is off, too: {why}; `{}` sets it right",
            self.shown(),
            self.switch_sql()
        )
    }

    pub(super) fn switch_sql(&self) -> String {
        switch_sql(Kind::Trigger, &self.name, &self.relation, self.was)
    }

    fn shown(&self) -> String {
        shown(Kind::Trigger, &self.name, &self.relation)
    }
}
