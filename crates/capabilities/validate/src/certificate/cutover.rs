//! How clients were led from one server to the other and back, as a certificate says it. Names of the estate, numbers and
//! positions only: no host, and nothing that a command has said.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::document::Certificate;

/// One time that clients were led to the other server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedCutover {
    /// When it was written down, in UTC, by the journal's clock.
    pub at: String,
    /// `forward`, to where the move goes; `back`, to where it came from.
    pub direction: String,
    /// The epoch of the route in the journal.
    pub epoch: u64,
    /// The estate's name of where clients were.
    pub from: String,
    /// The estate's name of where they were led.
    pub to: String,
    /// The major version of the server that they were on, where it was seen.
    pub from_major: Option<u32>,
    /// The major version of the server that they were led to.
    pub to_major: Option<u32>,
    /// Who led them, such as `atalaya 0.1.0`.
    pub program: Option<String>,
    /// Whether it was brought to its end by another process than the one that began it: then what that one has measured is
    /// missing, and pause and stages say nothing.
    pub resumed: bool,
    /// How long clients were held, as a whole.
    pub pause_us: u64,
    /// The stages of that time, in the order in which they ended.
    pub stages: Vec<CertifiedStage>,
    /// Each gateway.
    pub gateways: Vec<CertifiedGateway>,
    /// The operator's commands in place of gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CertifiedCommand>,
    /// Sessions of the server that was left that were ended.
    pub sessions_ended: u64,
    /// Rows that were compared with both sides at rest.
    pub rows_proven: u64,
    /// Tables that were not proven then, by decision.
    pub unproven: Vec<String>,
    /// Sequences that were carried over.
    pub sequences: u64,
    /// Behind which position of the log nobody who is kept out has written.
    pub fenced_at: Option<String>,
    /// Up to which position everything was applied.
    pub marker: Option<String>,
}

/// A stage of the time in which clients were held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedStage {
    /// Its name.
    pub stage: String,
    /// When it began.
    pub began_us: u64,
    /// How long it took.
    pub took_us: u64,
}

/// What a gateway has measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedGateway {
    /// Clients that it held.
    pub clients_held: u64,
    /// Clients that it ended, since they were tied to their server.
    pub clients_ended: u64,
    /// Transactions that failed, since they had waited for it for too long; 0 in files of earlier versions, which do not say.
    #[serde(default)]
    pub failed: u64,
    /// The longest that a client waited.
    pub longest_wait_us: u64,
    /// How long it was closed.
    pub paused_us: u64,
}

/// A command in place of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedCommand {
    /// `hold`, `switch` or `release`.
    pub step: String,
    /// How long it took.
    pub took_us: u64,
    /// Its exit code, where it came to one.
    pub exit_code: Option<i32>,
}

/// The part of the page; nothing where nobody was led.
pub(super) fn cutovers(certificate: &Certificate) -> Markup {
    html! {
        @if !certificate.cutovers.is_empty() {
            h2 { "Cutovers" }
            table {
                tr {
                    th { "when" } th { "clients led" } th { "pause" } th { "longest wait" } th { "held, ended" } th { "proven" }
                    th { "fenced at, applied up to" }
                }
                @for cutover in &certificate.cutovers { (row(cutover)) }
            }
            @for cutover in &certificate.cutovers { (stages(cutover)) }
        }
    }
}

fn row(cutover: &CertifiedCutover) -> Markup {
    let sum = |of: fn(&CertifiedGateway) -> u64| cutover.gateways.iter().map(of).fold(0, u64::saturating_add);
    let longest_us = cutover.gateways.iter().map(|gateway| gateway.longest_wait_us).max();
    html! {
        tr {
            td { (cutover.at) }
            td {
                (if cutover.direction == "back" { "back" } else { "over" }) " from " span.mono { (cutover.from) }
                (major(cutover.from_major)) " to " span.mono { (cutover.to) } (major(cutover.to_major))
                ", epoch " (cutover.epoch)
            }
            td.n { @if cutover.resumed { "not measured" } @else { (milliseconds(cutover.pause_us)) } }
            td.n { @if let Some(longest_us) = longest_us { (milliseconds(longest_us)) } }
            td {
                @if cutover.gateways.is_empty() { "by command" } @else {
                    (sum(|gateway| gateway.clients_held)) " held, " (sum(|gateway| gateway.clients_ended)) " ended, " (sum(|gateway| gateway.failed)) " failed"
                }
                ", " (cutover.sessions_ended) " sessions ended on the server"
            }
            td {
                (cutover.rows_proven) " rows, " (cutover.sequences) " sequences"
                @if !cutover.unproven.is_empty() {
                    ", " span.bad { "not proven by decision: " (cutover.unproven.join(", ")) }
                }
            }
            td.mono {
                (cutover.fenced_at.as_deref().unwrap_or("not measured")) " "
                (cutover.marker.as_deref().unwrap_or_default())
            }
        }
    }
}

fn stages(cutover: &CertifiedCutover) -> Markup {
    html! {
        @if !cutover.stages.is_empty() || !cutover.commands.is_empty() {
            p.small {
                "Epoch " (cutover.epoch) ":"
                @for stage in &cutover.stages {
                    " " (stage.stage) " " (milliseconds(stage.took_us)) " from " (milliseconds(stage.began_us)) ";"
                }
                @for command in &cutover.commands {
                    " command to " (command.step) " " (milliseconds(command.took_us))
                    @if command.exit_code != Some(0) { " " span.bad { "failed" } }
                    ";"
                }
                @if let Some(program) = &cutover.program { " by " (program) }
            }
        }
    }
}

fn major(version: Option<u32>) -> String {
    version.map_or_else(String::new, |version| format!(" (PostgreSQL {version})"))
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}
