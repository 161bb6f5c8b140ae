//! Runs `validate` and reads what it proves.

use serde::{Deserialize, Serialize};

use crate::{Error, Event, Program, grouped};

/// Exit codes of `validate`.
const EQUAL: i32 = 0;
const DIFFERENT: i32 = 3;

/// One comparison of both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// When it was made.
    pub name: &'static str,
    /// The positions both sides stood at.
    pub fences: Vec<String>,
    /// Tables compared.
    pub tables: u64,
    /// Of these, equal.
    pub tables_equal: u64,
    /// Tables that could not be compared.
    pub tables_unproven: u64,
    /// Rows compared.
    pub rows: u64,
    /// Rows that are missing, extra or different.
    pub differences: u64,
    /// The rows that differ.
    pub found: Vec<Found>,
    /// How long it took.
    pub seconds: f64,
}

/// One row that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// `missing`, `extra` or `different`.
    pub kind: String,
    /// Its table.
    pub table: String,
    /// Its key, as `column = value`.
    pub key: String,
    /// The columns that differ.
    pub columns: Vec<String>,
}

impl Proof {
    /// Whether every table was compared and no row differs.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.tables > 0 && self.differences == 0 && self.tables_unproven == 0 && self.tables_equal == self.tables
    }

    /// One line: numbers, tables, keys and columns, no other value.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = format!(
            "{} of {} tables equal, {} rows, {} different",
            self.tables_equal,
            self.tables,
            grouped(self.rows),
            self.differences
        );
        if self.tables_unproven > 0 {
            text.push_str(&format!(", {} not compared", self.tables_unproven));
        }
        for found in self.found.iter().take(3) {
            text.push_str(&format!("; {found}"));
        }
        text
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {} {}", self.kind, self.table, self.key)?;
        if self.columns.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.columns.join(", ")) }
    }
}

/// What is read of a validation's report.
#[derive(Debug, Deserialize)]
pub struct Validation {
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
    /// What it comes to, under a name for it.
    #[must_use]
    pub fn proof(self, name: &'static str) -> Proof {
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
///
/// # Errors
/// When `validate` fails.
pub async fn prove(program: &Program, name: &'static str, more: &[&str]) -> Result<Proof, Error> {
    let arguments = program.arguments(&["validate"], more);
    let answer = program.run(&arguments, &[EQUAL, DIFFERENT], tables_done(program)).await?;
    let proof = answer.read::<Validation>()?.proof(name);
    program.narrator.tell(&Event::Result { text: proof.summary() });
    Ok(proof)
}

/// Compares both sides, which must be equal.
///
/// # Errors
/// When `validate` fails or finds differences.
pub async fn prove_equal(program: &Program, name: &'static str, more: &[&str]) -> Result<Proof, Error> {
    let proof = prove(program, name, more).await?;
    expect_equal(&proof)?;
    Ok(proof)
}

/// An error unless every table was compared and none differs.
///
/// # Errors
/// [`Error::Different`].
pub fn expect_equal(proof: &Proof) -> Result<(), Error> {
    if proof.is_equal() { Ok(()) } else { Err(Error::Different { proof: proof.name, found: proof.summary() }) }
}

/// Tells a validation's progress.
pub fn tables_done(program: &Program) -> impl FnMut(&serde_json::Value) {
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
