//! From a transaction's commit on the source to its commit on the target, by both servers' own times, on one clock.

use super::Size;
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::report::{Figure, Goal, Measured};

const NAME: &str = "lag";
const RATE: u32 = 1000;
const CLIENTS: u32 = 8;
/// When each transaction was committed there, by the row that it added.
const COMMITTED: &str =
    "SELECT id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 FROM pgbench_history ORDER BY id";

pub(super) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    child::time(lab.tool_at("pgbench", &lab.source, DATABASE).args(["-i", "-q", "-s", &size.scale.to_string()]))?;
    // A key of its own tells which row of the target is which of the source.
    lab.source
        .run_sql(DATABASE, "ALTER TABLE pgbench_history ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")?;
    child::time(&mut lab.migrate("start", NAME, DATABASE, &["--stop-when", "caught-up"]))?;
    lab.checkpoint()?;
    let following = child::background(&mut lab.migrate("start", NAME, DATABASE, &[]))?;
    // The first transactions meet a run that is still starting.
    write(lab, 5)?;
    let from = lab.source.run_sql(DATABASE, "SELECT coalesce(max(id), 0) FROM pgbench_history")?;
    write(lab, size.lag_seconds)?;
    child::time(&mut lab.migrate("stop", NAME, DATABASE, &[]))?;
    drop(following);
    child::time(&mut lab.migrate("start", NAME, DATABASE, &["--stop-when", "caught-up"]))?;
    let lags = lags(lab, number(&from)?)?;
    child::time(&mut lab.migrate("abort", NAME, DATABASE, &[]))?;
    let wanted = u64::from(RATE) * u64::from(size.lag_seconds) * 9 / 10;
    if (lags.len() as u64) < wanted {
        return Err(Error::OtherWork(format!("only {} transactions in {} s", lags.len(), size.lag_seconds)));
    }
    let figure = |id, percent: u32, most| Figure {
        id,
        what: format!(
            "from a commit on the source to its commit on the target, {RATE} TPC-B transactions/s by {CLIENTS} clients for {} s, \
             15 to 15, synchronous_commit = off on the target",
            size.lag_seconds
        ),
        measured: Measured::Percentile { percent, milliseconds: percentile(&lags, percent), of: lags.len() as u64 },
        goal: Goal::MillisecondsAtMost(most),
    };
    Ok(vec![figure("lag-p50", 50, 20.0), figure("lag-p99", 99, 100.0)])
}

fn write(lab: &Lab, seconds: u32) -> Result<(), Error> {
    let mut pgbench = lab.tool_at("pgbench", &lab.source, DATABASE);
    pgbench.args(["-n", "-M", "prepared", "-j", "2", "-c", &CLIENTS.to_string()]);
    child::time(pgbench.args(["-R", &RATE.to_string(), "-T", &seconds.to_string()]))?;
    Ok(())
}

/// Milliseconds of each transaction after `from`, in rising order.
fn lags(lab: &Lab, from: f64) -> Result<Vec<f64>, Error> {
    let (source, target) = (lab.source.run_sql(DATABASE, COMMITTED)?, lab.target.run_sql(DATABASE, COMMITTED)?);
    let mut lags = Vec::new();
    for (here, there) in source.lines().zip(target.lines()) {
        let (Some((id, committed)), Some((same, applied))) = (here.split_once('|'), there.split_once('|')) else {
            return Err(Error::OtherWork("a row without a time of commit".to_owned()));
        };
        if id != same {
            return Err(Error::OtherWork(format!("row {id} of the source is {same} on the target")));
        }
        if number(id)? > from {
            lags.push(number(applied)? - number(committed)?);
        }
    }
    lags.sort_by(f64::total_cmp);
    Ok(lags)
}

fn number(text: &str) -> Result<f64, Error> {
    text.trim().parse().map_err(|_| Error::OtherWork(format!("{text} is no number")))
}

/// The nearest rank.
fn percentile(sorted: &[f64], percent: u32) -> f64 {
    let rank = (sorted.len() * percent as usize).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_ranks() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 99)), (50.0, 99.0));
        assert_eq!(percentile(&[7.0], 99), 7.0);
    }
}
