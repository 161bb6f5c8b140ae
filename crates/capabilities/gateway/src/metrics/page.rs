//! The reference page of the metrics, from the definitions that the endpoint uses.

use std::fmt::Write;

use super::definitions::{METRICS, PREFIX};

/// Every metric of the gateway, as Markdown.
#[must_use]
pub fn render_metrics_reference() -> String {
    let mut page = String::from(INTRODUCTION);
    for metric in METRICS {
        let labels: Vec<String> = metric.source.labels().iter().map(|label| format!("`{label}`")).collect();
        // Writing to a text cannot fail.
        let _written = writeln!(
            page,
            "| `{PREFIX}{}` | {} | {} | {}. |",
            metric.name,
            metric.source.kind().word(),
            labels.join(", "),
            metric.meaning
        );
    }
    page
}

const INTRODUCTION: &str = "# Metrics of the gateway

`atalaya gateway run` serves them where `metrics` of the section `gateway` says, at `/metrics`, in Prometheus's text format
0.0.4. Nothing else is served there, without TLS and without a password: bind it to an address that only the scraper reaches.
No metric holds a statement, a value or a client's address. `database` is the gateway's name of a database, `user` the name by
which clients log in; a user's series begin with the first login. Counters begin at zero when the gateway starts, and keep
counting when a database moves to another server.

Buckets of histograms end at powers of two of microseconds, from 0.000001 to 67.108864 seconds.

| metric | type | labels | |
|---|---|---|---|
";
