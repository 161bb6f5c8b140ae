//! The clients that write while the move goes on.

use std::time::Duration;

use atalaya_estate::TablePattern;
use atalaya_load::ledger::{Ledger, LedgerOptions, LedgerRecord, LedgerRun};
use atalaya_verbs::{Event, Narrator, grouped};

use super::preparation::Clone;
use crate::report::Writes;
use crate::writers::{Writers, statements};
use crate::{Error, Options, Stage};

/// Clients on the user's tables, and the ledger's beside them.
pub(super) const CLIENTS: u32 = 4;
const TELL_EVERY: Duration = Duration::from_secs(1);

/// The clients on the user's tables, and the ledger's.
pub(super) struct Clients {
    pub(super) writers: Writers,
    ledger: Option<LedgerRun>,
}

impl Clients {
    pub(super) async fn start(options: &Options, stage: &Stage, clone: &Clone) -> Result<Self, Error> {
        let patterns: Vec<TablePattern> = options.append_only.iter().filter_map(|text| text.parse().ok()).collect();
        let has_rows = |name: &str| !clone.schema.empty.iter().any(|empty| empty.table == name);
        let plans = clone.filled.plans.iter().filter(|plan| has_rows(&plan.table.name.to_string()));
        let tables = plans.map(|plan| {
            let is_append_only = patterns.iter().any(|pattern| pattern.matches(&plan.table.name));
            statements(plan, options.seed, is_append_only)
        });
        let writers = Writers::start(&stage.source.url, tables.collect(), CLIENTS, options.rate, options.seed);
        let ledger = if clone.ledger {
            let terms = LedgerOptions {
                clients: CLIENTS,
                rate: Some(options.rate),
                seed: options.seed,
                ..LedgerOptions::new(stage.source.url.clone())
            };
            Some(Ledger::start(terms).await?)
        } else {
            None
        };
        Ok(Self { writers, ledger })
    }

    /// Does something while they write, and tells every second how fast they do.
    pub(super) async fn telling<T>(&self, narrator: &dyn Narrator, work: impl Future<Output = T>) -> T {
        let ticking = async {
            let mut last = 0;
            loop {
                let ledger = self.ledger.as_ref().map_or(0, |run| run.counts().committed);
                let committed = self.writers.committed() + ledger;
                narrator.tell(&Event::Writes { committed, per_second: committed.saturating_sub(last) });
                last = committed;
                tokio::time::sleep(TELL_EVERY).await;
            }
        };
        tokio::select! {
            done = work => done,
            never = ticking => never,
        }
    }

    pub(super) async fn stop(self) -> (Writes, Option<LedgerRecord>) {
        let mut writes = self.writers.stop().await;
        let record = match self.ledger {
            Some(run) => Some(run.stop().await),
            None => None,
        };
        if let Some(record) = &record {
            writes.committed += record.committed();
            writes.unknown += record.counts.unknown;
        }
        (writes, record)
    }
}

/// What they have written, for people.
pub(super) fn told(writes: &Writes) -> String {
    format!(
        "{} transactions committed: {} rows inserted, {} changed, {} given another key, {} deleted, {} tables emptied; \
         {} statements refused by the schema's own rules",
        grouped(writes.committed),
        grouped(writes.inserted),
        grouped(writes.updated),
        grouped(writes.rekeyed),
        grouped(writes.deleted),
        grouped(writes.truncated),
        grouped(writes.refused)
    )
}
