//! Clients that keep a server between transactions: who they are, why, and how many have lost it.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use crate::admin::KeptClient;

/// See the module.
#[derive(Default)]
pub(crate) struct KeptServers(Mutex<State>);

#[derive(Default)]
struct State {
    kept: BTreeMap<i32, Kept>,
    lost: usize,
}

struct Kept {
    server_process_id: i32,
    because: Vec<&'static str>,
}

/// Clients that are tied to a server, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Tied {
    pub(crate) process_ids: BTreeSet<i32>,
    /// Since the gateway began: those who were ended since their server's session was.
    pub(crate) lost: usize,
}

impl KeptServers {
    /// A client keeps its server from here on.
    pub(crate) fn note(&self, process_id: i32, server_process_id: i32, because: Vec<&'static str>) {
        self.0.lock().kept.insert(process_id, Kept { server_process_id, because });
    }

    /// It does no longer.
    pub(crate) fn forget(&self, process_id: i32) {
        self.0.lock().kept.remove(&process_id);
    }

    /// Its server's session has ended, and its own ends with that if it is tied to it.
    pub(crate) fn lose(&self, process_id: i32) {
        let mut state = self.0.lock();
        let is_tied = state.kept.remove(&process_id).is_some_and(|kept| !kept.because.is_empty());
        state.lost += usize::from(is_tied);
    }

    /// Those who are tied now, and how many were lost before.
    pub(crate) fn tied(&self) -> Tied {
        let state = self.0.lock();
        let tied = state.kept.iter().filter(|(_, kept)| !kept.because.is_empty());
        Tied { process_ids: tied.map(|(process_id, _)| *process_id).collect(), lost: state.lost }
    }

    pub(crate) fn list(&self) -> Vec<KeptClient> {
        let state = self.0.lock();
        let listed = state.kept.iter().filter(|(_, kept)| !kept.because.is_empty());
        let listed = listed.map(|(process_id, kept)| KeptClient {
            process_id: *process_id,
            server_process_id: kept.server_process_id,
            because: kept.because.iter().map(|name| (*name).to_owned()).collect(),
        });
        listed.collect()
    }
}
