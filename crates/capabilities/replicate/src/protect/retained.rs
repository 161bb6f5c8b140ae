//! The log that the migration's slot keeps on the source's disk, looked at for as long as a run lives: in the copy,
//! while changes are followed, between two tries, and while the target cannot be reached.
//!
//! On a session of its own: a run that waits for the target is exactly the one whose slot keeps more and more.

use std::time::Duration;

use atalaya_data::size::bytes;
use atalaya_postgres::Session;
use tokio::sync::watch;
use tokio::time::timeout;

use super::ladder::{Doubling, Ladder};
use crate::progress::GivenUp;
use crate::report::{Event, Observer};
use crate::{Error, Plan};

/// How often the source is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long one question may take; that a server says nothing is noticed elsewhere.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The slot's name, told by the run once it knows it.
pub(crate) type SlotName = watch::Sender<Option<String>>;

/// Why the watch ends.
pub(crate) enum TooMuch {
    /// The slot keeps more than it may.
    Limit(GivenUp),
    /// The server has cut the slot off already.
    Lost(Error),
}

/// What the source says of the slot.
struct Retained {
    bytes: u64,
    /// Bytes that may still be written before the server cuts the slot off; none where it has no limit.
    safe_bytes: Option<u64>,
    wal_status: Option<String>,
    /// Whether the source's checkpointer waits for our stream to end, to cut the slot off. It would go on waiting for
    /// as long as we take nothing: a sender whose socket is full does not hear that it shall end.
    awaited: bool,
    /// `max_wal_size`: what the server keeps anyhow.
    usual_bytes: u64,
}

/// Looks at the slot again and again; warns, and returns when the run must not go on.
pub(crate) async fn watch(plan: &Plan, slot: &SlotName, observer: &dyn Observer) -> (String, TooMuch) {
    let mut named = slot.subscribe();
    let mut session = None;
    let mut words = Words::default();
    loop {
        let name = named.borrow_and_update().clone();
        if let Some(name) = name
            && let Ok(Ok(Some(retained))) = timeout(ANSWER_LIMIT, look(plan, &mut session, &name)).await
        {
            if let Some(ended) = judge(plan, &name, &retained) {
                return (name, ended);
            }
            for text in words.of(&retained, plan.options.wal_limit) {
                observer.observe(&Event::Warning { text });
            }
        }
        if session.as_ref().is_some_and(Session::is_closed) {
            session = None;
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn look(plan: &Plan, session: &mut Option<Session>, slot: &str) -> Result<Option<Retained>, Error> {
    let session = match session {
        Some(session) => session,
        None => {
            session.insert(Session::connect_for_control(&plan.source, &format!("atalaya watch {}", plan.name)).await?)
        }
    };
    let row = session
        .query_opt(
            "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), restart_lsn)::int8, safe_wal_size,
                    wal_status, pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')),
                    active AND wal_status <> 'reserved' AND EXISTS (
                        SELECT FROM pg_catalog.pg_stat_activity
                         WHERE backend_type = 'checkpointer' AND wait_event = 'ReplicationSlotDrop')
               FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
            &[&slot],
        )
        .await?;
    let count = |bytes: Option<i64>| bytes.map(|bytes| u64::try_from(bytes).unwrap_or_default());
    Ok(row.map(|row| Retained {
        bytes: count(row.get(0)).unwrap_or_default(),
        safe_bytes: count(row.get(1)),
        wal_status: row.get(2),
        usual_bytes: count(row.get(3)).unwrap_or_default(),
        awaited: row.get::<_, Option<bool>>(4).unwrap_or_default(),
    }))
}

fn judge(plan: &Plan, slot: &str, retained: &Retained) -> Option<TooMuch> {
    if retained.awaited || retained.wal_status.as_deref() == Some("lost") {
        return Some(TooMuch::Lost(Error::refused(
            "slot-lost",
            format!("the source cuts off replication slot `{slot}`, which kept more log than max_slot_wal_keep_size"),
            "changes would be missing, so nothing more is copied or applied: `atalaya migrate abort`, raise \
             max_slot_wal_keep_size, and start the move again",
        )));
    }
    let limit_bytes = plan.options.wal_limit.filter(|limit| retained.bytes > *limit)?;
    Some(TooMuch::Limit(GivenUp { retained_bytes: retained.bytes, limit_bytes }))
}

/// What was said already.
#[derive(Default)]
struct Words {
    limit: Ladder,
    server: Ladder,
    unlimited: Doubling,
    unreserved: bool,
}

impl Words {
    fn of(&mut self, retained: &Retained, limit: Option<u64>) -> Vec<String> {
        let kept = bytes(retained.bytes);
        let mut texts = Vec::new();
        if let Some(limit) = limit
            && let Some(share) = self.limit.step(retained.bytes, limit)
        {
            texts.push(format!(
                "the slot keeps {kept} of the source's log, {share} % of the limit of {}, at which it is given up and \
                 the move has to begin anew",
                bytes(limit)
            ));
        }
        if let Some(safe) = retained.safe_bytes
            && let Some(share) = self.server.step(retained.bytes, retained.bytes.saturating_add(safe))
        {
            texts.push(format!(
                "the slot keeps {kept} of the source's log, {share} % of what max_slot_wal_keep_size lets it keep: the \
                 source cuts it off after {} more",
                bytes(safe)
            ));
        }
        if limit.is_none() && retained.safe_bytes.is_none() && self.unlimited.step(retained.bytes, retained.usual_bytes)
        {
            texts.push(format!(
                "the slot keeps {kept} of the source's log, more than max_wal_size, and nothing limits it: watch the \
                 source's disk, or set `--wal-limit`"
            ));
        }
        let unreserved = retained.wal_status.as_deref() == Some("unreserved");
        if unreserved && !self.unreserved {
            texts.push(
                "the slot is beyond max_slot_wal_keep_size (wal_status `unreserved`): the source's next checkpoint cuts \
                 it off"
                    .to_owned(),
            );
        }
        self.unreserved = unreserved;
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bytes: u64, safe_bytes: Option<u64>, wal_status: &str) -> Retained {
        Retained { bytes, safe_bytes, wal_status: Some(wal_status.to_owned()), usual_bytes: 1_000, awaited: false }
    }

    #[test]
    fn each_limit_has_its_own_words_and_none_is_said_twice() {
        let mut words = Words::default();
        assert!(words.of(&kept(100, Some(900), "reserved"), Some(400)).is_empty());
        let both = words.of(&kept(600, Some(400), "extended"), Some(800));
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(both[0].contains("75 % of the limit of 800 B"), "{both:?}");
        assert!(both[1].contains("60 % of what max_slot_wal_keep_size"), "{both:?}");
        assert!(words.of(&kept(600, Some(400), "extended"), Some(800)).is_empty());
        let last = words.of(&kept(600, Some(400), "unreserved"), Some(800));
        assert!(last.len() == 1 && last[0].contains("next checkpoint"), "{last:?}");
        assert!(words.of(&kept(600, Some(400), "unreserved"), Some(800)).is_empty());
    }

    #[test]
    fn without_any_limit_what_is_more_than_usual_is_told() {
        let mut words = Words::default();
        assert!(words.of(&kept(999, None, "reserved"), None).is_empty());
        assert_eq!(words.of(&kept(1_500, None, "extended"), None).len(), 1);
        assert!(words.of(&kept(1_900, None, "extended"), None).is_empty());
        assert_eq!(words.of(&kept(2_100, None, "extended"), None).len(), 1);
    }
}
