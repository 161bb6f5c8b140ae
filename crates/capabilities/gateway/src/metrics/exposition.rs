//! Prometheus's text format, version 0.0.4.
//!
//! Written here and not by a library: the numbers stand in the gateway's own atomics already, and the crate that is
//! usual for it (`prometheus-client`) keeps its own, and writes another format, OpenMetrics.

use std::fmt::{self, Display, Write};

use super::definitions::{Kind, PREFIX, Value};
use crate::statistics::{BUCKETS, Histogram};

/// The media type that says so.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text so far.
#[derive(Default)]
pub(super) struct Exposition(String);

/// Names and values of labels.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Exposition {
    /// What comes before a metric's samples.
    pub(super) fn head(&mut self, name: &str, kind: Kind, meaning: &str) {
        self.line(format_args!("# HELP {PREFIX}{name} {}.", Escaped::help(meaning)));
        self.line(format_args!("# TYPE {PREFIX}{name} {}", kind.word()));
    }

    /// One number.
    pub(super) fn sample(&mut self, name: &str, labels: Labels<'_>, value: Value) {
        self.line(format_args!("{PREFIX}{name}{} {value}", Braces { labels, upper_end: None }));
    }

    /// A histogram's buckets, each with all that is below its upper end, its sum and its count.
    ///
    /// Bucket `n` of the gateway's holds what is shorter than `2^n` microseconds, and the last one all the rest. One read
    /// of the buckets makes all lines, so that they never contradict each other; the sum may be a moment younger.
    pub(super) fn histogram(&mut self, name: &str, labels: Labels<'_>, histogram: &Histogram) {
        let mut below = 0_u64;
        for (place, count) in histogram.counts().into_iter().enumerate() {
            below = below.saturating_add(count);
            let upper_end = if place + 1 == BUCKETS { UpperEnd::None } else { UpperEnd::PowerOfTwo(place) };
            let braces = Braces { labels, upper_end: Some(upper_end) };
            self.line(format_args!("{PREFIX}{name}_bucket{braces} {below}"));
        }
        let braces = Braces { labels, upper_end: None };
        self.line(format_args!("{PREFIX}{name}_sum{braces} {}", histogram.sum_seconds()));
        self.line(format_args!("{PREFIX}{name}_count{braces} {below}"));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _written = self.0.write_fmt(text);
        self.0.push('\n');
    }
}

impl Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(formatter, "{count}"),
            Self::Time(duration) => write!(formatter, "{}", duration.as_secs_f64()),
        }
    }
}

/// The upper end of a bucket, in seconds.
#[derive(Clone, Copy)]
enum UpperEnd {
    /// Of microseconds.
    PowerOfTwo(usize),
    None,
}

impl Display for UpperEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOfTwo(power) => {
                write!(formatter, "{}", std::time::Duration::from_micros(1 << power).as_secs_f64())
            }
            Self::None => formatter.write_str("+Inf"),
        }
    }
}

struct Braces<'a> {
    labels: Labels<'a>,
    upper_end: Option<UpperEnd>,
}

impl Display for Braces<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lead = '{';
        for (name, value) in self.labels {
            write!(formatter, "{lead}{name}=\"{}\"", Escaped::label(value))?;
            lead = ',';
        }
        if let Some(upper_end) = self.upper_end {
            write!(formatter, "{lead}le=\"{upper_end}\"")?;
            lead = ',';
        }
        if lead == ',' { formatter.write_char('}') } else { Ok(()) }
    }
}

/// A text in which what would end it is written otherwise.
struct Escaped<'a> {
    text: &'a str,
    quote: &'static str,
}

impl<'a> Escaped<'a> {
    fn label(text: &'a str) -> Self {
        Self { text, quote: "\\\"" }
    }

    fn help(text: &'a str) -> Self {
        Self { text, quote: "\"" }
    }
}

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for each in self.text.chars() {
            match each {
                '\\' => formatter.write_str("\\\\")?,
                '\n' => formatter.write_str("\\n")?,
                '"' => formatter.write_str(self.quote)?,
                each => formatter.write_char(each)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_would_end_a_label_is_escaped() {
        let mut text = Exposition::default();
        text.head("clients", Kind::Gauge, "Clients \\ \"all\"");
        text.sample("clients", &[("database", "a\"b\\c\nd"), ("user", "é")], Value::Count(3));
        text.sample("clients", &[], Value::Time(Duration::from_micros(1)));
        assert_eq!(
            text.into_text(),
            "# HELP atalaya_gateway_clients Clients \\\\ \"all\".\n\
             # TYPE atalaya_gateway_clients gauge\n\
             atalaya_gateway_clients{database=\"a\\\"b\\\\c\\nd\",user=\"é\"} 3\n\
             atalaya_gateway_clients 0.000001\n"
        );
    }

    #[test]
    fn buckets_add_up_and_the_last_has_no_end() {
        let histogram = Histogram::default();
        for microseconds in [0, 1, 3, 1_000, 100_000_000] {
            histogram.add(Duration::from_micros(microseconds));
        }
        let mut text = Exposition::default();
        text.histogram("wait_time_seconds", &[("database", "shop")], &histogram);
        let text = text.into_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), BUCKETS + 2);
        assert_eq!(lines[0], "atalaya_gateway_wait_time_seconds_bucket{database=\"shop\",le=\"0.000001\"} 1");
        assert_eq!(lines[1], "atalaya_gateway_wait_time_seconds_bucket{database=\"shop\",le=\"0.000002\"} 2");
        assert_eq!(lines[10], "atalaya_gateway_wait_time_seconds_bucket{database=\"shop\",le=\"0.001024\"} 4");
        assert_eq!(lines[26], "atalaya_gateway_wait_time_seconds_bucket{database=\"shop\",le=\"67.108864\"} 4");
        assert_eq!(lines[27], "atalaya_gateway_wait_time_seconds_bucket{database=\"shop\",le=\"+Inf\"} 5");
        assert_eq!(lines[28], "atalaya_gateway_wait_time_seconds_sum{database=\"shop\"} 100.001004");
        assert_eq!(lines[29], "atalaya_gateway_wait_time_seconds_count{database=\"shop\"} 5");
    }
}
