//! Servers that were opened before anybody needed one.

use std::sync::Arc;

use super::Pool;
use crate::server::Server;

/// Servers that wait for a pool.
pub(crate) type OpenServers = Vec<Box<Server>>;

impl Pool {
    /// How many servers are open, or about to be.
    pub(crate) fn open(&self) -> usize {
        self.state.lock().open
    }

    /// Takes servers that were opened to the place that is served now, as far as the limit goes; the others are closed.
    pub(crate) fn stock(self: &Arc<Self>, servers: OpenServers) {
        let limit = self.limits().servers_max;
        for mut server in servers {
            let mut state = self.state.lock();
            if state.open >= limit || !server.is_silent() {
                drop(state);
                continue;
            }
            state.open += 1;
            drop(state);
            server.place_epoch = self.place_epoch();
            self.put(server);
        }
    }
}
