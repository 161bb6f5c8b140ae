//! Where changes wait while rows are copied: options of `atalaya migrate start`.

use atalaya_replicate::{Acknowledgement, SpoolOptions};

use crate::exit::Failure;
use crate::size::parse_bytes;

/// How the spool is used.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SpoolArguments {
    /// Changes that are written to the source while rows are copied wait in files in the state folder: at most this
    /// much, a whole number with kB, MB, GB or TB, and never more than leaves 1 GB (a tenth of a smaller disk) free.
    /// What does not fit waits on the source; with `0MB` all does.
    #[arg(long, value_name = "SIZE", default_value = "16GB", value_parser = parse_bytes)]
    spool_limit: u64,
    /// Let the source free its log as soon as changes are safely in the spool, instead of when they are applied.
    ///
    /// Know before you turn it on: from then on the move depends on this machine's disk. The spool is then the only
    /// place that holds these changes; if the state folder is lost or damaged, the move is refused and has to be
    /// started again from nothing (the source itself is not harmed), and it can be resumed on another machine only
    /// together with the state folder. A later start without this option uses what was spooled, and lets the source
    /// free no more of its log before it is applied.
    #[arg(long)]
    ack_spool: bool,
}

impl SpoolArguments {
    /// The options, where they agree with each other.
    pub(crate) fn options(&self) -> Result<SpoolOptions, Failure> {
        let acknowledgement = match (self.ack_spool, self.spool_limit) {
            (true, 0) => return Err(Failure::usage("--ack-spool needs a spool: --spool-limit must be more than 0")),
            (true, _) => Acknowledgement::Received,
            (false, _) => Acknowledgement::Applied,
        };
        Ok(SpoolOptions { limit_bytes: self.spool_limit, acknowledgement })
    }
}
