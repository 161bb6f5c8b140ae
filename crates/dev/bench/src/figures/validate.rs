//! A full comparison of equal tables beside the cheapest thing that looks at every value (a hashed count of both
//! sides at once), and beside reladiff.

use std::process::Command;

use super::Size;
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{Side, measure as measure_pairs};
use crate::report::{Figure, Goal, Measured};

const COUNT: &str = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM pgbench_accounts t";
const TABLE: &str = "pgbench_accounts";

pub(super) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let servers = [&lab.source, &lab.target];
    for server in servers {
        child::time(lab.tool_at("pgbench", server, DATABASE).args(["-i", "-q", "-s", &size.scale.to_string()]))?;
    }
    let ours = || {
        lab.checkpoint()?;
        child::time(&mut lab.atalaya(DATABASE, &["validate", "--quiesced", "--tables", "public.pgbench_accounts"]))
    };
    let count = measure_pairs(size.rounds, |side| match side {
        Side::Ours => ours(),
        Side::Peer => {
            lab.checkpoint()?;
            child::time_together(&mut servers.map(|server| {
                let mut psql = lab.tool_at("psql", server, DATABASE);
                psql.args(["-XAtc", COUNT]);
                psql
            }))
        }
    })?;
    let reladiff = measure_pairs(size.rounds, |side| match side {
        Side::Ours => ours(),
        Side::Peer => {
            lab.checkpoint()?;
            child::time(&mut reladiff(lab))
        }
    })?;
    let rows = u64::from(size.scale) * 100_000;
    Ok(vec![
        Figure {
            id: "validate",
            what: format!("full comparison of {rows} equal rows, 15 and 15, every column, finding rows by key"),
            measured: Measured::Seconds(count, "hashed count, both sides"),
            goal: Goal::RatioAtMost(1.3),
        },
        Figure {
            id: "validate-reladiff",
            what: "the same beside reladiff 0.6, all columns".to_owned(),
            measured: Measured::Seconds(reladiff, "reladiff"),
            goal: Goal::RatioAtMost(0.4),
        },
    ])
}

fn reladiff(lab: &Lab) -> Command {
    let mut command = Command::new(std::env::var_os("RELADIFF").unwrap_or_else(|| "reladiff".into()));
    let url = |server: &atalaya_sandbox::Server| {
        server.url(DATABASE).replace("postgres://", "postgresql://").replace("?sslmode=disable", "")
    };
    command.args([url(&lab.source).as_str(), TABLE, url(&lab.target).as_str(), TABLE]).args(["-k", "aid"]);
    command.args(["-c", "bid", "-c", "abalance", "-c", "filler"]);
    command
}
