//! From arguments to a migration's plan.

use std::path::PathBuf;

use atalaya_data::MigrationId;
use atalaya_replicate::{HolderCommand, Options, Plan, StopWhen};

use rand::RngExt;

use crate::endpoints::{EndpointArguments, Endpoints};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::size::parse_bytes;
use crate::source_limits::SourceLimits;
use crate::terms::TermsArguments;

/// How a migration runs; the same for `start` and `finish`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) endpoints: EndpointArguments,
    /// Tables copied at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: Option<u16>,
    /// Indexes built at once.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) index_workers: u16,
    /// Memory of each index build, in Postgres's notation.
    #[arg(long, value_name = "SIZE", default_value = "256MB", value_parser = memory_size)]
    pub(crate) maintenance_work_mem: String,
    /// Tables larger than this many MiB are copied in ranges.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) split_larger_than: u64,
    #[command(flatten)]
    pub(crate) source_limits: SourceLimits,
    #[command(flatten)]
    pub(crate) terms: TermsArguments,
    /// Keep the values of rows in conflict, in the target's table atalaya.conflicts: key, source's and target's row.
    #[arg(long)]
    pub(crate) conflict_values: bool,
    /// Let every commit on the target wait for its disk, instead of the acknowledgement only.
    #[arg(long)]
    pub(crate) synchronous_commit: bool,
    /// The folder with pg_dump and pg_restore of the target's version.
    #[arg(long, value_name = "DIR", env = "ATALAYA_CLIENT_TOOLS", hide_env_values = true)]
    pub(crate) client_tools: Option<PathBuf>,
    /// Seconds a new slot may wait for transactions that are open on the source.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) slot_timeout: u64,
    /// Give up the slot, and with it the move, rather than let it keep more of the source's log than this: a
    /// whole number with kB, MB, GB or TB, given to each `start` anew.
    /// Steps towards it are told; a run that begins beyond it gives up at once. Without it nothing is given up: only the
    /// DBA knows how much room the disk has.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub(crate) wal_limit: Option<u64>,
    /// Tries in a row without any progress between them, after which the run gives up: lost connections, deadlocks,
    /// cancelled statements. The pauses grow from half a second to 30 s.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) retries: u32,
    /// Seconds that a server may leave a question without an answer, before its connections count as lost.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) silence_timeout: u64,
    /// Room in the state folder for transactions that are larger than the source's `logical_decoding_work_mem` and not
    /// committed yet: a whole number with kB, MB, GB or TB. With `0MB` the source keeps them on its own disk.
    #[arg(long, value_name = "SIZE", default_value = "100GB", value_parser = parse_bytes)]
    pub(crate) spill_limit: u64,
}

impl RunArguments {
    /// The plan, with the endpoints it was made from.
    pub(crate) fn plan(&self, stop_when: StopWhen, context: &Context) -> Result<(Plan, Endpoints), Failure> {
        let endpoints = self.endpoints.resolve(context)?;
        let mut options = bare_options(&endpoints, context)?;
        options.stop_when = stop_when;
        options.workers = self.workers.map(usize::from).or(endpoints.workers).unwrap_or(options.workers);
        options.index_workers = usize::from(self.index_workers);
        options.maintenance_work_mem.clone_from(&self.maintenance_work_mem);
        options.split_bytes = self.split_larger_than << 20;
        options.existing_schema = self.terms.existing_schema;
        options.no_owner = self.terms.no_owner;
        options.large_objects = self.terms.moved_large_objects();
        options.conflicts = self.terms.conflict_rules(&endpoints);
        options.conflict_values = self.conflict_values;
        options.synchronous_commit = self.synchronous_commit;
        options.client_tools.clone_from(&self.client_tools);
        options.wal_limit = self.wal_limit;
        options.source_connections = self.source_limits.connections();
        options.source_load = self.source_limits.load();
        options.reconnects = self.retries;
        options.silence_timeout = std::time::Duration::from_secs(self.silence_timeout);
        options.spill_bytes = self.spill_limit;
        options.slot_timeout = std::time::Duration::from_secs(self.slot_timeout);
        Ok((plan_of(&endpoints, options), endpoints))
    }
}

/// Options as they are where nobody asks for anything else.
pub(super) fn bare_options(endpoints: &Endpoints, context: &Context) -> Result<Options, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    let holder = HolderCommand { program, arguments: vec!["hold-snapshot".into()] };
    let mut options = Options::new(context.state.join("migrations").join(endpoints.name.as_str()), holder);
    options.program_folders = Context::program_folders();
    options.failpoints = crate::failpoints::from_environment();
    Ok(options)
}

/// The plan of what the endpoints name.
pub(super) fn plan_of(endpoints: &Endpoints, options: Options) -> Plan {
    Plan {
        name: endpoints.name.clone(),
        id: MigrationId::new(endpoints.name.clone(), rand::rng().random()),
        source: endpoints.source.clone(),
        target: endpoints.target.clone(),
        tables: Box::new(endpoints.filter()),
        append_only: Box::new(endpoints.append_only_filter()),
        options,
    }
}

/// A number with one of Postgres's units of memory; nothing else may reach a SET.
fn memory_size(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(|each: char| each.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let known = ["kB", "MB", "GB", "TB"].contains(&unit);
    if known && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("a size is a whole number with kB, MB, GB or TB".to_owned())
    }
}
