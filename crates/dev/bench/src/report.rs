//! Figures as lines for people and as JSON.

use std::fmt::Write;

use crate::pairs::{Pairs, summary};

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// The ratio of our seconds to the peer's.
    RatioAtMost(f64),
    /// Mebibytes at the peak.
    MebibytesUnder(f64),
    /// Milliseconds of one percentile.
    MillisecondsAtMost(f64),
    /// So many of what is counted, each second.
    PerSecondAtLeast(f64),
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
    fn value(&self) -> f64 {
        match &self.measured {
            Measured::Seconds(pairs, _) => summary(&pairs.ours).median / summary(&pairs.peer).median,
            Measured::Peak(bytes, _) => *bytes as f64 / f64::from(1 << 20),
            Measured::Percentile { milliseconds, .. } => *milliseconds,
            Measured::Rate { count, seconds } => *count as f64 / seconds,
        }
    }

    /// Nothing where there is no goal.
    fn is_reached(&self) -> Option<bool> {
        match self.goal {
            Goal::RatioAtMost(most) | Goal::MillisecondsAtMost(most) => Some(self.value() <= most),
            Goal::MebibytesUnder(most) => Some(self.value() < most),
            Goal::PerSecondAtLeast(least) => Some(self.value() >= least),
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
            Measured::Percentile { percent, of, .. } => writeln!(
                text,
                "  {:<24} {:>8.1} ms for {percent} of 100 transactions, of {of}; {verdict}",
                "atalaya",
                self.value()
            ),
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
            Measured::Rate { count, seconds } => serde_json::json!({ "count": count, "seconds": seconds }),
            Measured::Peak(bytes, processes) => serde_json::json!({ "peak_bytes": bytes, "processes": processes }),
        };
        serde_json::json!({ "id": self.id, "what": self.what, "measured": measured, "value": self.value(),
                            "goal": self.goal.text(), "reached": self.is_reached() })
    }
}

impl Goal {
    fn text(self) -> String {
        match self {
            Self::RatioAtMost(most) => format!("at most {most}"),
            Self::MebibytesUnder(most) => format!("under {most} MiB"),
            Self::MillisecondsAtMost(most) => format!("at most {most} ms"),
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
}
