//! How busy a server is with the work of others, and waiting until it is less so.
//!
//! Whoever is about to begin a piece of work that reads much (a range, a table) passes the gate first. It only looks at
//! `pg_stat_activity`, and never keeps anybody for ever: after the longest wait one piece at a time is let through.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::{Error, Session};

/// How often a busy server is asked again.
const EVERY: Duration = Duration::from_secs(1);

/// How busy a server may be with others for a new piece of work to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadLimit {
    /// Active client sessions of others; with more than these nothing new is begun.
    pub active_max: u32,
    /// How long one piece of work waits at most.
    pub longest_wait: Duration,
}

/// What happens to somebody at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The server is too busy: it is waited for.
    Begun {
        /// Active client sessions of others.
        active: u32,
        /// How many there may be.
        limit: u32,
    },
    /// It is calm again.
    Over {
        /// How long that took.
        waited: Duration,
    },
    /// It is still busy, and one piece of work begins all the same.
    Slowly {
        /// How long was waited.
        waited: Duration,
    },
}

/// Lets work through while the server is not too busy.
#[derive(Debug, Default)]
pub struct LoadGate {
    limit: Option<LoadLimit>,
    /// Whoever waits keeps the others behind: work begins again one by one.
    turn: Mutex<()>,
}

impl LoadGate {
    /// A gate that is always open where there is no limit.
    #[must_use]
    pub fn new(limit: Option<LoadLimit>) -> Self {
        Self { limit, turn: Mutex::default() }
    }

    /// Waits until a new piece of work may begin; `told` hears what is waited for.
    ///
    /// # Errors
    /// The server's, and [`Error::ActivityHidden`] where the role cannot see what others do.
    pub async fn pass(&self, session: &Session, mut told: impl FnMut(Held)) -> Result<(), Error> {
        let Some(LoadLimit { active_max: limit, longest_wait }) = self.limit else { return Ok(()) };
        let _turn = self.turn.lock().await;
        let active = active_sessions(session).await?;
        if active <= limit {
            return Ok(());
        }
        told(Held::Begun { active, limit });
        let begun = Instant::now();
        loop {
            tokio::time::sleep(EVERY.min(longest_wait)).await;
            let waited = begun.elapsed();
            if active_sessions(session).await? <= calm(limit) {
                told(Held::Over { waited });
                return Ok(());
            }
            if waited >= longest_wait {
                told(Held::Slowly { waited });
                return Ok(());
            }
        }
    }
}

/// A server that has just come under its limit would be over it again with the next piece of work.
fn calm(limit: u32) -> u32 {
    limit.saturating_sub((limit / 5).max(1))
}

/// Client sessions that are at work and not ours.
async fn active_sessions(session: &Session) -> Result<u32, Error> {
    let row = session
        .query_one(
            "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'), current_user::text,
                    (SELECT count(*) FROM pg_catalog.pg_stat_activity
                      WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_catalog.pg_backend_pid()
                        AND application_name NOT LIKE 'atalaya %')",
            &[],
        )
        .await?;
    if !row.get::<_, bool>(0) {
        return Err(Error::ActivityHidden { role: row.get(1) });
    }
    Ok(u32::try_from(row.get::<_, i64>(2)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_is_always_below_the_limit_unless_that_is_nothing() {
        assert_eq!([0, 1, 4, 5, 10, 100].map(calm), [0, 0, 3, 4, 8, 80]);
    }
}
