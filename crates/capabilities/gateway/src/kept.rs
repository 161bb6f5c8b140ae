//! Clients that keep a server between transactions: who they are, and why.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::admin::KeptClient;

/// See the module.
#[derive(Default)]
pub(crate) struct KeptServers(Mutex<BTreeMap<i32, Kept>>);

struct Kept {
    server_process_id: i32,
    because: Vec<&'static str>,
}

impl KeptServers {
    /// A client keeps its server from here on.
    pub(crate) fn note(&self, process_id: i32, server_process_id: i32, because: Vec<&'static str>) {
        self.0.lock().insert(process_id, Kept { server_process_id, because });
    }

    /// It does no longer.
    pub(crate) fn forget(&self, process_id: i32) {
        self.0.lock().remove(&process_id);
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
