//! Runs `validate` and reads what it proves.

use serde::Deserialize;

use crate::program::{Program, arguments};
use crate::report::{Found, Proof};
use crate::{Error, Event};

/// Exit codes of `validate`.
const EQUAL: i32 = 0;
const DIFFERENT: i32 = 3;

/// What the demo reads of a validation's report.
#[derive(Debug, Deserialize)]
pub(crate) struct Validation {
    fences: Vec<String>,
    tables: Vec<Table>,
    skipped: Vec<Skipped>,
    totals: Totals,
    seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Table {
    source: Name,
    status: String,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Name {
    schema: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Skipped {
    verdict: String,
}

#[derive(Debug, Deserialize)]
struct Totals {
    tables: u64,
    equal: u64,
    source_rows: u64,
    missing: u64,
    extra: u64,
    different: u64,
}

#[derive(Debug, Deserialize)]
struct Finding {
    kind: String,
    key: Vec<KeyColumn>,
    columns: Vec<Column>,
}

#[derive(Debug, Deserialize)]
struct KeyColumn {
    column: String,
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Column {
    column: String,
}

impl Validation {
    pub(crate) fn proof(self, name: &'static str) -> Proof {
        let unproven = self.tables.iter().filter(|table| !["equal", "different"].contains(&table.status.as_str()));
        let skipped = self.skipped.iter().filter(|skipped| skipped.verdict != "irrelevant");
        let unproven = unproven.count() + skipped.count();
        Proof {
            name,
            fences: self.fences,
            tables: self.totals.tables,
            tables_equal: self.totals.equal,
            tables_unproven: u64::try_from(unproven).unwrap_or(u64::MAX),
            rows: self.totals.source_rows,
            differences: self.totals.missing + self.totals.extra + self.totals.different,
            found: self.tables.iter().flat_map(found_in).collect(),
            seconds: self.seconds,
        }
    }
}

fn found_in(table: &Table) -> impl Iterator<Item = Found> {
    table.findings.iter().map(|finding| Found {
        kind: finding.kind.clone(),
        table: format!("{}.{}", table.source.schema, table.source.name),
        key: finding
            .key
            .iter()
            .map(|part| format!("{} = {}", part.column, part.value.as_deref().unwrap_or("NULL")))
            .collect::<Vec<_>>()
            .join(", "),
        columns: finding.columns.iter().map(|column| column.column.clone()).collect(),
    })
}

/// Compares both sides; differences are the caller's to judge.
pub(crate) async fn prove(program: &Program<'_>, name: &'static str, more: &[&str]) -> Result<Proof, Error> {
    let arguments = arguments(&["validate"], more);
    let answer = program.run(&arguments, &[EQUAL, DIFFERENT], tables_done(program)).await?;
    let proof = answer.read::<Validation>()?.proof(name);
    program.narrator.tell(&Event::Result { text: proof.summary() });
    Ok(proof)
}

/// Compares both sides, which must be equal.
pub(crate) async fn prove_equal(program: &Program<'_>, name: &'static str, more: &[&str]) -> Result<Proof, Error> {
    let proof = prove(program, name, more).await?;
    expect_equal(&proof)?;
    Ok(proof)
}

/// An error unless every table was compared and none differs.
pub(crate) fn expect_equal(proof: &Proof) -> Result<(), Error> {
    if proof.is_equal() { Ok(()) } else { Err(Error::Different { proof: proof.name, found: proof.summary() }) }
}

/// Turns a validation's progress into the demo's.
pub(crate) fn tables_done(program: &Program<'_>) -> impl FnMut(&serde_json::Value) {
    let (mut done, mut all) = (0, 0);
    move |event| {
        match event.get("event").and_then(serde_json::Value::as_str) {
            Some("surveyed") => {
                done = 0;
                all = event.get("tables").and_then(serde_json::Value::as_u64).unwrap_or_default();
            }
            Some("finished") => done += 1,
            _ => return,
        }
        program.narrator.tell(&Event::Progress { what: "tables compared".to_owned(), done, all, bytes: false });
    }
}
