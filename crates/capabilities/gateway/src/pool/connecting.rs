//! Opening connections for those who wait.

use std::sync::Arc;
use std::time::Duration;

use super::{Pool, State};
use crate::error::ServerAbsence;
use crate::server;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Attempts at once: who waits in a rush is mostly served by the first few, sooner than the server has let in many. Those
/// that would come too late for it would only be closed again.
const CONNECTING_MAX: usize = 4;

impl Pool {
    /// Starts a connection for each client who waits for one, a few at once, as far as the limit goes.
    pub(super) fn connect_if_needed(self: &Arc<Self>, state: &mut State) {
        let limit = self.limits().servers_max;
        while state.connecting < state.waiters.len().min(CONNECTING_MAX) && state.open < limit {
            state.connecting += 1;
            state.open += 1;
            let pause = pause_after(state.failures);
            let pool = Arc::clone(self);
            tokio::spawn(async move {
                // A server that restarts is not beaten with attempts.
                tokio::time::sleep(pause).await;
                pool.connect_one().await;
            });
        }
    }

    async fn connect_one(self: Arc<Self>) {
        let place = self.place.read().clone();
        let connected = server::connect(&place.url, place.epoch, self.limits().prepared_max).await;
        let mut state = self.state.lock();
        state.connecting -= 1;
        match connected {
            Ok(server) => {
                state.failures = 0;
                drop(state);
                self.put(server);
                self.connect_if_needed(&mut self.state.lock());
            }
            Err(error) => {
                state.open -= 1;
                state.failures = state.failures.saturating_add(1);
                tracing::warn!(user = self.user, error = atalaya_data::chain(&error), "no connection to a server");
                let error = Arc::new(error);
                // Others keep their place until their own limit: a server that restarts comes back, and a password that was
                // refused may have been replaced meanwhile.
                if ServerAbsence::is_final(&error) && self.is_at(&place.url) {
                    for waiter in state.waiters.drain(..) {
                        waiter.refuse(&error);
                    }
                } else {
                    state.waiters.retain(|waiter| !waiter.is_gone());
                    state.waiters.iter().for_each(|waiter| waiter.note(&error));
                }
                self.connect_if_needed(&mut state);
            }
        }
    }
}

fn pause_after(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => (PAUSE_MIN * 2_u32.saturating_pow(failures.min(8) - 1)).min(PAUSE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_a_limit() {
        assert_eq!(pause_after(0), Duration::ZERO);
        assert_eq!(pause_after(1), PAUSE_MIN);
        assert_eq!(pause_after(3), PAUSE_MIN * 4);
        assert_eq!(pause_after(u32::MAX), PAUSE_MAX);
    }
}
