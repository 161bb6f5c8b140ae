//! A message's way to the tables that it names.

use atalaya_data::RelationName;
use atalaya_pgwire::pgoutput::LogicalMessage;

use super::meet::Met;
use crate::Error;
use crate::ddl::{Announcement, Moment, trigger};
use crate::follow::Follower;
use crate::follow::echo::Writer;
use crate::follow::state::Arriving;
use crate::report::Event;

impl Follower<'_> {
    /// Takes a message that somebody has sent; all but the trigger's own are none of ours.
    pub(in crate::follow) async fn take_announcement(&mut self, message: &LogicalMessage) -> Result<(), Error> {
        let ours = self.opened.migration.ddl_trigger && message.transactional;
        if !ours || message.prefix != trigger::prefix(&self.opened.migration.slot) {
            return Ok(());
        }
        let arriving = self.arriving.ok_or(Error::Broken("a transaction's message came outside of one"))?;
        if arriving.skipped || arriving.writer == Writer::Ourselves {
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
            if followed != Met::Later {
                self.announced.forget(table.oid);
            }
            if followed == Met::Nothing && announcement.moment == Moment::Ended {
                untold.push(moved);
            }
        }
        self.tell_unfollowed(&untold, &statement);
        Ok(())
    }
}
