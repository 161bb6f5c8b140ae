//! How many sessions a run has on the source at once.

use crate::Options;

/// Besides one for each worker of the copy: the run's own, the pulse, the watch over the slot's log, the snapshot's
/// holder, and the stream of changes.
///
/// Before the workers begin, `pg_dump` or the connection that makes the slot takes the place of one.
const BESIDE_WORKERS: usize = 5;

/// Workers of the copy that the limit of sessions leaves; those that read from a standby have none on the source.
pub(crate) fn workers_within(options: &Options) -> usize {
    if options.snapshot_from.is_some() {
        return options.workers.max(1);
    }
    let left = options.source_connections.map_or(usize::MAX, |limit| limit.saturating_sub(BESIDE_WORKERS));
    options.workers.min(left).max(1)
}
