//! The certificate as one page: no script, no foreign resource, readable in print. Names may hold anything, HTML too, and
//! are escaped by the template; the data it carries cannot end its own element.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::cutover::cutovers;
use super::document::{Certificate, CertifiedServer, Occasion, StandsAt};
use crate::{Problem, Severity};

/// Before the data.
pub(crate) const DATA_START: &str = "<script type=\"application/json\" id=\"certificate\">";
/// After it.
pub(crate) const DATA_END: &str = "</script>";

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #bbb; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: #555; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #e4e4e4; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } code, .mono { font-family: ui-monospace, monospace; font-size: .85em;
overflow-wrap: anywhere; white-space: pre-wrap; } .good { color: #14622f; font-weight: 600; } .bad { color: #9d1c1c; font-weight: 600; }
p.small { color: #555; font-size: .9em; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } tr { break-inside: avoid; } }
";

/// The whole page, with the sealed JSON in it.
pub(crate) fn render_page(certificate: &Certificate, seal: &str, json: &str) -> String {
    // `<` can be written so in JSON, and then nothing ends the element.
    let data = json.replace('<', "\\u003c");
    let title = format!("Certificate of {}", certificate.migration.as_deref().unwrap_or("two databases"));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (verdict(certificate))
                (circumstances(certificate))
                (tables(certificate))
                (sequences(certificate))
                (cutovers(certificate))
                (schema(certificate))
                (conflicts(certificate))
                (left_out(certificate))
                (again(certificate, seal))
                (PreEscaped(DATA_START)) (PreEscaped(&data)) (PreEscaped(DATA_END))
            }
        }
    };
    page.into_string()
}

fn verdict(certificate: &Certificate) -> Markup {
    let equal = certificate.tables.iter().filter(|table| table.is_equal()).count();
    let rows: u64 = certificate.tables.iter().map(|table| table.target.rows).sum();
    html! {
        p class=(if certificate.rows_are_equal() { "good" } else { "bad" }) {
            (equal) " of " (certificate.tables.len()) " tables equal, " (rows) " rows on the target, every row hashed on both sides; "
            (certificate.schema.differences.len()) " differences of the schemas"
        }
        p.small {
            (match certificate.occasion {
                Occasion::Finish if certificate.moment == "way_back" => "Made by the end of the move, with clients on the target.",
                Occasion::Finish => "Made by the end of the move, while nothing wrote to either side.",
                Occasion::Validate => "Made by a comparison.",
            })
            " " (match certificate.moment.as_str() {
                "fence" => "Both sides stood at one position of the source's log.",
                "way_back" => "Both sides stood at one position of the target's log.",
                "quiesced" => "Nothing was left to apply.",
                _ => "The sides were looked at one after the other: what was written between differs.",
            })
        }
    }
}

fn circumstances(certificate: &Certificate) -> Markup {
    html! {
        h2 { "Circumstances" }
        table {
            tr { th { "" } th { "source" } th { "target" } }
            (pair("database", certificate, |server| server.side.database.clone()))
            (pair("PostgreSQL", certificate, |server| server.side.server_version.clone()))
            (pair("system identifier", certificate, |server| server.system_identifier.clone()))
            (pair("timeline", certificate, |server| server.timeline.to_string()))
            (pair("encoding", certificate, |server| server.encoding.clone()))
        }
        table {
            @if let Some(began_at) = &certificate.began_at { tr { th { "move began" } td { (began_at) } } }
            tr { th { "made at" } td { (certificate.made_at) } }
            tr { th { "made by" } td { (certificate.product) } }
            @if let Some(fence) = &certificate.fence { tr { th { "fence" } td.mono { (fence) } } }
            @if let Some(position) = &certificate.position {
                tr { th { "applied up to" } td.mono { (position.applied) } }
                tr { th { "copied rows" } td { (position.copied_rows) } }
                tr { th { "applied" } td { (position.changes) " changes of " (position.transactions) " transactions" } }
            }
            @if let Some(proof) = &certificate.proof {
                tr { th { "proof before" } td {
                    (proof.equal) " of " (proof.tables) " tables equal, method " (proof.method) ", " (proof.moment)
                    @for fence in &proof.fences { " " span.mono { (fence) } }
                    ", " (proof.duration_ms) " ms"
                } }
            }
        }
    }
}

fn pair(name: &str, certificate: &Certificate, of: impl Fn(&CertifiedServer) -> String) -> Markup {
    html! { tr { th { (name) } td { (of(&certificate.source)) } td { (of(&certificate.target)) } } }
}

fn tables(certificate: &Certificate) -> Markup {
    html! {
        h2 { "Tables" }
        table {
            tr { th { "table" } th { "rows on the source" } th { "rows on the target" } th { "sum of hashes" } th { "" } }
            @for table in &certificate.tables {
                tr {
                    td.mono { (table.name.to_string()) }
                    td.n { (table.source.rows) }
                    td.n { (table.target.rows) }
                    td.mono {
                        (table.source.hash)
                        @if table.source.hash != table.target.hash { br; (table.target.hash) }
                    }
                    td { @if table.is_equal() { span.good { "equal" } } @else { span.bad { "different" } } }
                }
            }
            @for table in &certificate.accepted {
                tr { td.mono { (table.to_string()) } td colspan="4" { "differences were accepted: its conflict policy decides" } }
            }
            @for table in &certificate.not_read {
                tr { td.mono { (table.what) } td colspan="3" { (table.reason) } td { span.bad { "not read" } } }
            }
        }
    }
}

fn sequences(certificate: &Certificate) -> Markup {
    let stands = |at: &StandsAt| match at.is_called {
        true => at.last_value.clone(),
        false => format!("{} (not given out)", at.last_value),
    };
    html! {
        h2 { "Sequences" }
        @if certificate.sequences.is_empty() { p { "none" } } @else {
            table {
                tr { th { "sequence" } th { "source" } th { "target" } th { "" } }
                @for sequence in &certificate.sequences {
                    tr {
                        td.mono { (sequence.name.to_string()) }
                        td { (stands(&sequence.source)) }
                        td { @if let Some(at) = &sequence.target { (stands(at)) } @else { "missing" } }
                        td { @if sequence.is_equal() { span.good { "equal" } } @else { span.bad { "different" } } }
                    }
                }
            }
        }
    }
}

fn schema(certificate: &Certificate) -> Markup {
    let schema = &certificate.schema;
    html! {
        h2 { "Schema" }
        p {
            @for (position, (kind, count)) in schema.compared.iter().enumerate() {
                @if position > 0 { ", " }
                (kind) " " (count)
            }
            " compared; " (schema.differences.len()) " differences, " (schema.pending) " pending until the move's end"
        }
        @if !schema.differences.is_empty() {
            table {
                tr { th { "weight" } th { "object" } th { "difference" } }
                @for difference in &schema.differences {
                    tr {
                        td { (match difference.severity {
                            Severity::Data => "data",
                            Severity::Behaviour => "behaviour",
                            Severity::Performance => "performance",
                            Severity::Cosmetic => "cosmetic",
                        }) }
                        td { (difference.kind) " " span.mono { (difference.identity) } }
                        td { (match difference.problem {
                            Problem::Missing => "missing on the target",
                            Problem::Extra => "on the target only",
                            Problem::Different => difference.attribute.as_deref().unwrap_or("different"),
                        }) }
                    }
                }
            }
        }
    }
}

fn conflicts(certificate: &Certificate) -> Markup {
    html! {
        h2 { "Conflicts" }
        @if certificate.conflicts.is_empty() { p { "none" } } @else {
            table {
                tr { th { "kind" } th { "resolution" } th { "rows" } }
                @for conflict in &certificate.conflicts {
                    tr { td { (conflict.kind) } td { (conflict.resolution) } td.n { (conflict.count) } }
                }
            }
        }
    }
}

fn left_out(certificate: &Certificate) -> Markup {
    html! {
        h2 { "What this does not speak of" }
        ul {
            @for left in &certificate.not_certified { li { span.mono { (left.what) } ": " (left.reason) } }
            @for what in &certificate.schema.not_compared { li { (what) } }
        }
    }
}

fn again(certificate: &Certificate, seal: &str) -> Markup {
    html! {
        h2 { "To check it again" }
        p { code { "atalaya validate --against FILE --target URL" } }
        p.small {
            "Without it: a session with the settings that the data names, and each table's statement. Hash: "
            (certificate.hash.algorithm) "; seed " span.mono { (certificate.hash.seed) } "."
        }
        @for table in &certificate.tables {
            details { summary.mono { (table.name.to_string()) } code { (table.target_sql) } }
        }
        p.small {
            "SHA-256 of the data: " span.mono { (seal) } ". It shows that the file was changed by mistake or by somebody who did "
            "not know; it is no signature. Keep it apart, or sign the file, where that matters."
        }
    }
}
