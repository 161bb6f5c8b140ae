//! Figures as lines for people and as JSON.

use std::fmt::Write;

use crate::pairs::{Pairs, summary};

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// The ratio of our number to the peer's, where less is better.
    RatioAtMost(f64),
    /// The same, where more is better.
    RatioAtLeast(f64),
    /// Mebibytes at the peak.
    MebibytesUnder(f64),
    /// Milliseconds of one percentile.
    MillisecondsAtMost(f64),
    /// The same, and not quite that long.
    MillisecondsUnder(f64),
    /// So many of what is counted, each second.
    PerSecondAtLeast(f64),
    /// None of what is counted.
    Zero,
    /// Nothing: it is there to be looked at.
    None,
}

/// One figure, measured.
#[derive(Debug)]
pub(crate) struct Figure {
    /// A stable name.
    pub(crate) id: &'static str,
    /// What was done, in full.
    pub(crate) what: String,
    /// The measurements.
    pub(crate) measured: Measured,
    /// What it should be.
    pub(crate) goal: Goal,
}

/// What the numbers of [`Measured::Beside`] are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// More is better.
    TransactionsPerSecond,
    /// Of a million bytes; more is better.
    MegabytesPerSecond,
    /// Less is better.
    Microseconds,
}

/// Seconds of two sides, or bytes of ours.
#[derive(Debug)]
pub(crate) enum Measured {
    /// Side by side, with the peer's name.
    Seconds(Pairs, &'static str),
    /// The peak of all our processes together, and their names.
    Peak(u64, Vec<String>),
    /// One percentile of so many times in milliseconds.
    Percentile {
        /// Such as 99.
        percent: u32,
        /// The milliseconds.
        milliseconds: f64,
        /// Of how many.
        of: u64,
    },
    /// Side by side in a unit: our name and the peer's, and others that only stand beside them. The ratio is the median of
    /// the pairs' own ratios, since a machine that slows down for a while slows both sides of a pair.
    Beside {
        /// What the numbers are.
        unit: Unit,
        /// Both sides.
        pairs: Pairs,
        /// What ours is called, and what it is held against.
        names: [&'static str; 2],
        /// Further columns.
        others: Vec<(&'static str, Vec<f64>)>,
    },
    /// The geometric mean of other figures' ratios.
    GeometricMean(Vec<f64>),
    /// Memory that is resident while so many clients wait.
    Resident {
        /// Ours.
        bytes: u64,
        /// How many.
        clients: u32,
        /// The peer's.
        peer: Option<(&'static str, u64)>,
    },
    /// How long clients were held.
    Pause {
        /// Which of the pauses, in rising order, or what else was timed.
        which: &'static str,
        /// How long it was.
        milliseconds: f64,
        /// Of how many.
        of: usize,
        /// What the pauses were made of: each stage with its median and its longest, in milliseconds.
        stages: Vec<(String, f64, f64)>,
    },
    /// So many that should not be, of so many.
    Count {
        /// How many.
        count: u64,
        /// Of how many.
        of: u64,
        /// Of what, in words.
        things: &'static str,
    },
    /// So many events in a time.
    Rate {
        /// How many.
        count: u64,
        /// In how long.
        seconds: f64,
    },
}

impl Figure {
    /// The number the goal speaks of.
    pub(crate) fn value(&self) -> f64 {
        match &self.measured {
            Measured::Seconds(pairs, _) => summary(&pairs.ours).median / summary(&pairs.peer).median,
            Measured::Beside { pairs, .. } => median_ratio(pairs),
            Measured::GeometricMean(ratios) => geometric_mean(ratios),
            Measured::Peak(bytes, _) | Measured::Resident { bytes, .. } => mebibytes(*bytes),
            Measured::Percentile { milliseconds, .. } | Measured::Pause { milliseconds, .. } => *milliseconds,
            Measured::Count { count, .. } => *count as f64,
            Measured::Rate { count, seconds } => *count as f64 / seconds,
        }
    }

    /// Nothing where there is no goal.
    fn is_reached(&self) -> Option<bool> {
        match self.goal {
            Goal::RatioAtMost(most) | Goal::MillisecondsAtMost(most) => Some(self.value() <= most),
            Goal::MebibytesUnder(most) | Goal::MillisecondsUnder(most) => Some(self.value() < most),
            Goal::Zero => Some(self.value() == 0.0),
            Goal::PerSecondAtLeast(least) | Goal::RatioAtLeast(least) => Some(self.value() >= least),
            Goal::None => None,
        }
    }

    fn verdict(&self) -> String {
        match self.is_reached() {
            Some(true) => format!("goal {}: reached", self.goal.text()),
            Some(false) => format!("goal {}: MISSED", self.goal.text()),
            None => "no goal".to_owned(),
        }
    }

    /// Lines for people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.id, self.what);
        let verdict = self.verdict();
        // Writing to a string cannot fail.
        let _infallible = match &self.measured {
            Measured::Seconds(pairs, peer) => {
                let line = |name: &str, numbers: &[f64]| {
                    let all = summary(numbers);
                    let (median, least, greatest) = (all.median, all.least, all.greatest);
                    format!("  {name:<24} {median:>8.2} s   ({least:.2} to {greatest:.2}, {} runs)\n", numbers.len())
                };
                text += &line("atalaya", &pairs.ours);
                text += &line(peer, &pairs.peer);
                writeln!(text, "  ratio {:>27.2}     {verdict}", self.value())
            }
            Measured::Beside { unit, pairs, names: [ours, peer], others } => {
                let sides = [(*ours, &pairs.ours), (*peer, &pairs.peer)];
                for (name, numbers) in sides.into_iter().chain(others.iter().map(|(name, numbers)| (*name, numbers))) {
                    text += &unit.line(name, numbers);
                }
                writeln!(text, "  ratio {:>27.3}     {verdict}", self.value())
            }
            Measured::GeometricMean(ratios) => {
                writeln!(text, "  ratio {:>27.3}     of {} cells; {verdict}", self.value(), ratios.len())
            }
            Measured::Resident { clients, peer, .. } => {
                let line =
                    |name: &str, mebibytes: f64| format!("  {name:<24} {mebibytes:>8.0} MiB with {clients} clients");
                if let Some((name, bytes)) = peer {
                    text += &format!("{}\n", line(name, mebibytes(*bytes)));
                }
                writeln!(text, "{}; {verdict}", line("atalaya", self.value()))
            }
            Measured::Percentile { percent, of, .. } => writeln!(
                text,
                "  {:<24} {:>8.1} ms for {percent} of 100 transactions, of {of}; {verdict}",
                "atalaya",
                self.value()
            ),
            Measured::Pause { which, of, stages, .. } => {
                let line = format!("  {:<24} {:>8.1} ms, {which} of {of}; {verdict}\n", "atalaya", self.value());
                let stage = |(name, median, longest): &(String, f64, f64)| {
                    format!("    {name:<22} {median:>8.1} ms ({longest:.1} at most)\n")
                };
                text += &line;
                stages.iter().map(stage).for_each(|line| text += &line);
                Ok(())
            }
            Measured::Count { of, things, .. } => {
                writeln!(text, "  {:<24} {:>8.0} of {of} {things}; {verdict}", "atalaya", self.value())
            }
            Measured::Rate { count, seconds } => writeln!(
                text,
                "  {:<24} {:>8.0} a second, {count} in {seconds:.1} s; {verdict}",
                "atalaya",
                self.value()
            ),
            Measured::Peak(_, processes) => writeln!(
                text,
                "  {:<24} {:>8.0} MiB at the peak, of {}; {verdict}",
                "atalaya",
                self.value(),
                processes.join(", ")
            ),
        };
        text
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let measured = match &self.measured {
            Measured::Seconds(pairs, peer) => {
                serde_json::json!({ "peer": peer, "seconds": pairs.ours, "peer_seconds": pairs.peer })
            }
            Measured::Percentile { percent, milliseconds, of } => {
                serde_json::json!({ "percent": percent, "milliseconds": milliseconds, "of": of })
            }
            Measured::Beside { unit, pairs, names, others } => {
                let others: serde_json::Map<_, _> =
                    others.iter().map(|(name, numbers)| ((*name).to_owned(), serde_json::json!(numbers))).collect();
                serde_json::json!({ "unit": unit.text(), "names": names, "ours": pairs.ours, "peer": pairs.peer,
                                    "others": others })
            }
            Measured::GeometricMean(ratios) => serde_json::json!({ "ratios": ratios }),
            Measured::Resident { bytes, clients, peer } => {
                serde_json::json!({ "resident_bytes": bytes, "clients": clients, "peer": peer.map(|(name, _)| name),
                                    "peer_resident_bytes": peer.map(|(_, bytes)| bytes) })
            }
            Measured::Pause { which, milliseconds, of, stages } => {
                serde_json::json!({ "which": which, "milliseconds": milliseconds, "of": of, "stages": stages })
            }
            Measured::Count { count, of, things } => {
                serde_json::json!({ "count": count, "of": of, "things": things })
            }
            Measured::Rate { count, seconds } => serde_json::json!({ "count": count, "seconds": seconds }),
            Measured::Peak(bytes, processes) => serde_json::json!({ "peak_bytes": bytes, "processes": processes }),
        };
        serde_json::json!({ "id": self.id, "what": self.what, "measured": measured, "value": self.value(),
                            "goal": self.goal.text(), "reached": self.is_reached() })
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The median of each pair's own ratio.
fn median_ratio(pairs: &Pairs) -> f64 {
    let ratios: Vec<f64> = pairs.ours.iter().zip(&pairs.peer).map(|(ours, peer)| ours / peer).collect();
    summary(&ratios).median
}

fn geometric_mean(ratios: &[f64]) -> f64 {
    let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (logarithms / ratios.len() as f64).exp()
}

impl Unit {
    fn text(self) -> &'static str {
        match self {
            Self::TransactionsPerSecond => "transactions/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Microseconds => "us",
        }
    }

    fn line(self, name: &str, numbers: &[f64]) -> String {
        let all = summary(numbers);
        let decimals = match self {
            Self::Microseconds => 1,
            Self::TransactionsPerSecond | Self::MegabytesPerSecond => 0,
        };
        format!(
            "  {name:<24} {:>8.decimals$} {} ({:.decimals$} to {:.decimals$}, {} runs)\n",
            all.median,
            self.text(),
            all.least,
            all.greatest,
            numbers.len()
        )
    }
}

impl Goal {
    fn text(self) -> String {
        match self {
            Self::RatioAtLeast(least) => format!("at least {least}"),
            Self::RatioAtMost(most) => format!("at most {most}"),
            Self::MebibytesUnder(most) => format!("under {most} MiB"),
            Self::MillisecondsAtMost(most) => format!("at most {most} ms"),
            Self::MillisecondsUnder(most) => format!("under {most} ms"),
            Self::Zero => "0".to_owned(),
            Self::PerSecondAtLeast(least) => format!("at least {least} a second"),
            Self::None => "none".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_is_said() {
        let pairs = Pairs { ours: vec![2.0, 3.0, 4.0], peer: vec![2.0, 2.0, 2.0] };
        let figure = |most| Figure {
            id: "copy",
            what: "a copy".to_owned(),
            measured: Measured::Seconds(Pairs { ours: pairs.ours.clone(), peer: pairs.peer.clone() }, "peer"),
            goal: Goal::RatioAtMost(most),
        };
        assert!(figure(1.0).text().contains("goal at most 1: MISSED"), "{}", figure(1.0).text());
        assert!(figure(1.5).text().contains("goal at most 1.5: reached"));
        assert_eq!(figure(1.5).json()["value"], 1.5);
    }

    #[test]
    fn without_a_goal_nothing_is_reached_or_missed() {
        let measured = Measured::Rate { count: 10, seconds: 2.0 };
        let figure = Figure { id: "sagas", what: "sagas".to_owned(), measured, goal: Goal::None };
        assert!(figure.text().ends_with("5 a second, 10 in 2.0 s; no goal\n"), "{}", figure.text());
        assert_eq!(figure.json()["reached"], serde_json::Value::Null);
    }

    fn beside(ours: &[f64], peer: &[f64], goal: Goal) -> Figure {
        let pairs = Pairs { ours: ours.to_vec(), peer: peer.to_vec() };
        let others = vec![("direct", vec![30.0, 10.0])];
        let unit = Unit::TransactionsPerSecond;
        let measured = Measured::Beside { unit, pairs, names: ["atalaya", "peer"], others };
        Figure { id: "rate", what: "a rate".to_owned(), measured, goal }
    }

    #[test]
    fn a_ratio_of_rates_is_the_median_of_the_pairs_and_more_is_better() {
        // The machine was ten times slower for one pair: the medians of both sides would tell of that pair alone.
        let figure = beside(&[9.0, 0.9, 12.0], &[10.0, 1.0, 10.0], Goal::RatioAtLeast(0.97));
        assert!((figure.value() - 0.9).abs() < 1e-9);
        let text = figure.text();
        assert!(text.contains("goal at least 0.97: MISSED"), "{text}");
        assert!(text.contains("  direct                         20 transactions/s (10 to 30, 2 runs)\n"), "{text}");
        assert!(beside(&[11.0], &[10.0], Goal::RatioAtLeast(1.1)).text().contains(": reached"));
        assert_eq!(figure.json()["measured"]["others"]["direct"], serde_json::json!([30.0, 10.0]));
    }

    #[test]
    fn a_geometric_mean_takes_a_half_and_a_double_as_even() {
        let measured = Measured::GeometricMean(vec![0.5, 2.0]);
        let figure =
            Figure { id: "mean", what: "a mean".to_owned(), measured, goal: Goal::RatioAtLeast(1.0 - f64::EPSILON) };
        assert!(figure.text().contains("1.000     of 2 cells; goal"), "{}", figure.text());
        assert!(figure.text().contains(": reached"), "{}", figure.text());
    }

    #[test]
    fn resident_memory_is_said_beside_the_peers() {
        let measured = Measured::Resident { bytes: 300 << 20, clients: 10_000, peer: Some(("peer", 20 << 20)) };
        let figure = Figure { id: "idle", what: "idle".to_owned(), measured, goal: Goal::MebibytesUnder(300.0) };
        let text = figure.text();
        assert!(text.contains("peer                           20 MiB with 10000 clients\n"), "{text}");
        assert!(text.contains("300 MiB with 10000 clients; goal under 300 MiB: MISSED"), "{text}");
    }
}
