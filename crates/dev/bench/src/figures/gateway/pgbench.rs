//! One run of `pgbench -S`, and what it says.

use std::process::Command;

use crate::child;
use crate::error::Error;

/// How pgbench sends its statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mode {
    Simple,
    Extended,
    Prepared,
}

impl Mode {
    /// In pgbench's own words.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Extended => "extended",
            Self::Prepared => "prepared",
        }
    }
}

/// What a client's login takes at most, mostly the client's own hashing: pgbench logs in one after the other, and counts
/// that as part of its seconds, though not of its rate.
const LOGIN_MILLISECONDS: u32 = 20;

/// Transactions each second of so many clients on a way, without the time that they take to connect.
pub(super) fn run(mut pgbench: Command, way: &str, mode: Mode, clients: u32, seconds: u16) -> Result<f64, Error> {
    pgbench.args(["-n", "-S", "-j", "1", "-M", mode.word()]);
    let seconds = u32::from(seconds) + (clients * LOGIN_MILLISECONDS).div_ceil(1000);
    pgbench.args(["-c", &clients.to_string(), "-T", &seconds.to_string()]);
    let said = child::said(&mut pgbench)?;
    rate(&said).ok_or_else(|| Error::OtherWork(format!("pgbench over {way} did not work all through:\n{said}")))
}

/// The rate in what pgbench 14 and later say; none when a transaction failed or there was no whole run.
fn rate(said: &str) -> Option<f64> {
    let after = |start: &str| said.lines().find_map(|line| line.trim().strip_prefix(start));
    let failed = after("number of failed transactions: ").map_or(Some("0"), |rest| rest.split_whitespace().next())?;
    let processed: u64 = after("number of transactions actually processed: ")?.trim().parse().ok()?;
    let rate: f64 = after("tps = ")?.strip_suffix("(without initial connection time)")?.trim().parse().ok()?;
    (failed == "0" && processed > 0 && rate.is_finite()).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::rate;

    const SAID: &str = "pgbench (15.18)
transaction type: <builtin: select only>
scaling factor: 10
query mode: simple
number of clients: 1
number of threads: 1
maximum number of tries: 1
duration: 5 s
number of transactions actually processed: 61234
number of failed transactions: 0 (0.000%)
latency average = 0.082 ms
initial connection time = 3.104 ms
tps = 12246.812345 (without initial connection time)";

    #[test]
    fn the_rate_is_the_one_without_connecting() {
        assert_eq!(rate(SAID), Some(12_246.812_345));
        let of_14 = SAID.replace("number of failed transactions: 0 (0.000%)\n", "");
        assert_eq!(rate(&of_14), Some(12_246.812_345));
    }

    #[test]
    fn a_run_with_a_failure_or_without_an_end_has_no_rate() {
        assert_eq!(rate(&SAID.replace("transactions: 0 (0", "transactions: 3 (0")), None);
        assert_eq!(rate(&SAID.replace("processed: 61234", "processed: 0")), None);
        assert_eq!(rate(&SAID.replace("12246.812345", "nan")), None);
        assert_eq!(rate(&SAID.replace("without initial", "including")), None);
        assert_eq!(rate("pgbench: error: client 0 aborted"), None);
        assert_eq!(rate(""), None);
    }
}
