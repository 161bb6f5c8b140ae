//! How much of the source a command may take; the same for the move and for the proof.

use std::time::Duration;

use atalaya_postgres::load::LoadLimit;

/// Limits that keep the source's own work going.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SourceLimits {
    /// Sessions that this command may have on the source at once, 6 or more; fewer workers run where more would be needed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(6..=1000))]
    pub(crate) source_connections: Option<u16>,
    /// While more than N client sessions of others are active on the source, no new table or range is begun.
    #[arg(long, value_name = "N")]
    pub(crate) source_active_limit: Option<u32>,
    /// How long a table or range waits for a busy source, after which one at a time is begun all the same.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "source_active_limit",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) source_active_wait: u64,
}

impl SourceLimits {
    pub(crate) fn connections(&self) -> Option<usize> {
        self.source_connections.map(usize::from)
    }

    pub(crate) fn load(&self) -> Option<LoadLimit> {
        let active_max = self.source_active_limit?;
        Some(LoadLimit { active_max, longest_wait: Duration::from_secs(self.source_active_wait) })
    }
}
