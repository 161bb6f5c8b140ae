//! A message's way to the tables that it names.

use std::time::Duration;

use atalaya_data::RelationName;
use atalaya_pgwire::pgoutput::LogicalMessage;
use tokio::time::Instant;

use super::meet::Met;
use crate::Error;
use crate::ddl::{Announcement, Moment, trigger};
use crate::follow::Follower;
use crate::follow::state::Arriving;
use crate::report::Event;

/// How long a commit may take to be seen; a standby that it waits for may be away.
const SEEN_LIMIT: Duration = Duration::from_secs(30);
const SEEN_PAUSE: Duration = Duration::from_millis(20);

impl Follower<'_> {
    /// Takes a message that somebody has sent; all but the trigger's own are none of ours.
    pub(in crate::follow) async fn take_announcement(&mut self, message: &LogicalMessage) -> Result<(), Error> {
        let ours = self.opened.migration.ddl_trigger && message.transactional;
        if !ours || message.prefix != trigger::prefix(&self.opened.migration.slot) {
            return Ok(());
        }
        let arriving = self.arriving.ok_or(Error::Broken("a transaction's message came outside of one"))?;
        if arriving.skipped {
            return Ok(());
        }
        let read = Announcement::parse(&message.content);
        let failure = read.as_ref().and_then(Announcement::failure);
        let Some(announcement) = read.filter(|_| failure.is_none()) else {
            self.definitions.look_soon();
            if !std::mem::replace(&mut self.announced.unreadable, true) {
                let why = failure.map_or_else(String::new, |state| format!(" (SQLSTATE {state})"));
                let text = format!(
                    "the event trigger on the source could not say what a statement did{why}: such changes are met by \
                     what the source's catalog tells, without the statement's name"
                );
                self.opened.observer.observe(&Event::Warning { text });
            }
            return Ok(());
        };
        // Changes before the message belong to the former definition.
        self.applier.flush().await?;
        self.wait_until_seen(arriving.xid).await?;
        self.meet_announcement(&announcement, arriving).await
    }

    async fn meet_announcement(&mut self, announcement: &Announcement, arriving: Arriving) -> Result<(), Error> {
        let statement = announcement.statement();
        if announcement.more {
            self.definitions.look_soon();
        }
        for table in &announcement.dropped {
            self.meet_dropped(table, &statement, arriving).await?;
        }
        let mut untold = Vec::new();
        for table in &announcement.tables {
            let name = RelationName::new(table.schema.clone(), table.name.clone());
            self.refuse_taken_name(&name, table.oid, &statement, arriving).await?;
            let Some(moved) = self.moved(table.oid, arriving) else { continue };
            self.announced.statements.insert(table.oid, statement.clone());
            let followed = match announcement.moment {
                Moment::Rewriting => self.meet_rewrite(&moved, table, announcement).await?,
                Moment::Ended | Moment::Dropped => self.meet_touched(&moved, table).await?,
            };
            if followed == Met::Nothing && announcement.moment == Moment::Ended {
                untold.push(moved);
            }
        }
        self.tell_unfollowed(&untold, &statement);
        Ok(())
    }

    /// Waits until the source's catalog shows what a transaction has done: its commit comes in the stream before others
    /// see it, a good while before where it waits for a standby.
    async fn wait_until_seen(&mut self, xid: u32) -> Result<(), Error> {
        // The stream's number has lost its epoch; one that is ahead of every transaction that has ended is under way.
        let sql = "SELECT CASE WHEN back < 2147483648
                               THEN pg_catalog.pg_visible_in_snapshot((ended - back)::text::xid8, now) ELSE false END
                     FROM (SELECT now, ended, (ended - $1) & 4294967295 AS back
                             FROM (SELECT now, pg_catalog.pg_snapshot_xmax(now)::text::int8 AS ended
                                     FROM pg_catalog.pg_current_snapshot() AS now) AS s) AS s";
        let deadline = Instant::now() + SEEN_LIMIT;
        while self.announced.seen != Some(xid) {
            if self.opened.source.query_one(sql, &[&i64::from(xid)]).await?.get(0) {
                self.announced.seen = Some(xid);
            } else if Instant::now() >= deadline {
                return Err(Error::Interrupted(
                    "a statement's transaction is in the source's log, and nobody sees it yet",
                ));
            } else {
                tokio::time::sleep(SEEN_PAUSE).await;
            }
        }
        Ok(())
    }
}
