//! Clients that keep a server between transactions: who they are, why, and how they are told that it goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::admin::KeptClient;
use crate::cancel::Cancelling;

/// See the module.
#[derive(Default)]
pub(crate) struct KeptServers(Mutex<BTreeMap<i32, Kept>>);

struct Kept {
    client: Arc<Cancelling>,
    server_process_id: i32,
    because: Vec<&'static str>,
}

impl KeptServers {
    /// A client keeps its server from here on.
    pub(crate) fn note(
        &self,
        process_id: i32,
        client: &Arc<Cancelling>,
        server_process_id: i32,
        because: Vec<&'static str>,
    ) {
        self.0.lock().insert(process_id, Kept { client: Arc::clone(client), server_process_id, because });
    }

    /// It does no longer.
    pub(crate) fn forget(&self, process_id: i32) {
        self.0.lock().remove(&process_id);
    }

    /// Has each of them look whether its server is still one of the database's; returns how many are bound to theirs.
    pub(crate) fn wake_all(&self) -> usize {
        let kept = self.0.lock();
        for each in kept.values() {
            each.client.wake();
        }
        kept.values().filter(|each| !each.because.is_empty()).count()
    }

    pub(crate) fn list(&self) -> Vec<KeptClient> {
        let kept = self.0.lock();
        let listed = kept.iter().filter(|(_, each)| !each.because.is_empty()).map(|(process_id, each)| KeptClient {
            process_id: *process_id,
            server_process_id: each.server_process_id,
            because: each.because.iter().map(|name| (*name).to_owned()).collect(),
        });
        listed.collect()
    }
}
