//! A gateway's numbers as text.

use std::sync::Arc;

use super::definitions::{METRICS, Metric, Source, Value};
use super::exposition::Exposition;
use crate::database::Database;
use crate::gateway::Gateway;
use crate::pool::{PoolCounts, PoolLimits};

/// All metrics of all that is served now.
pub(super) fn render(gateway: &Gateway) -> String {
    let databases = gateway.databases();
    let pools = pools_of(&databases);
    let mut text = Exposition::default();
    for metric in METRICS {
        text.head(metric.name, metric.source.kind(), metric.meaning);
        samples(&mut text, metric, gateway, &databases, &pools);
    }
    text.into_text()
}

fn samples(
    text: &mut Exposition,
    metric: &Metric,
    gateway: &Gateway,
    databases: &[Arc<Database>],
    pools: &[PoolNow<'_>],
) {
    match metric.source {
        Source::Gateway(read) => text.sample(metric.name, &[], read(gateway)),
        Source::Database(_, read) => {
            for database in databases {
                text.sample(metric.name, &[("database", &database.name)], read(database));
            }
        }
        Source::Durations(read) => {
            for database in databases {
                text.histogram(metric.name, &[("database", &database.name)], read(database));
            }
        }
        Source::Pool(read) => {
            for pool in pools {
                let labels = [("database", pool.database), ("user", pool.user.as_str())];
                text.sample(metric.name, &labels, Value::Count(read(&pool.counts, &pool.limits) as u64));
            }
        }
    }
}

/// A pool at one moment, so that its numbers belong together.
struct PoolNow<'a> {
    database: &'a str,
    user: String,
    counts: PoolCounts,
    limits: PoolLimits,
}

/// Ordered by their labels.
fn pools_of(databases: &[Arc<Database>]) -> Vec<PoolNow<'_>> {
    let mut all: Vec<PoolNow<'_>> = Vec::new();
    for database in databases {
        all.extend(database.pools().into_iter().map(|pool| PoolNow {
            database: &database.name,
            user: pool.user.clone(),
            counts: pool.counts(),
            limits: pool.limits(),
        }));
    }
    all.sort_by(|one, other| (one.database, &one.user).cmp(&(other.database, &other.user)));
    all
}
