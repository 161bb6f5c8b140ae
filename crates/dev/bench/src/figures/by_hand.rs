//! A copy as one would make it by hand: every table through `psql | psql`, one after the other, then every index and key,
//! one after the other. The schema is there before the clock starts; foreign keys and statistics are left out.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};

/// Each table with the columns that COPY may write.
const TABLES: &str = "
    SELECT c.oid::regclass || ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relkind = 'r' AND n.nspname IN ('public', 'shop') AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attgenerated = '' GROUP BY c.oid ORDER BY pg_relation_size(c.oid) DESC";

/// Copies everything into the empty target; how long rows and indexes took.
pub(super) fn copy(lab: &Lab) -> Result<Duration, Error> {
    let folder = tempfile::tempdir().map_err(|source| Error::Run { program: "mkdir".to_owned(), source })?;
    let dump = folder.path().join("schema.dump");
    let list = folder.path().join("indexes.list");
    child::time(lab.tool_at("pg_dump", &lab.source, DATABASE).args(["-Fc", "--schema-only", "-f"]).arg(&dump))?;
    let mut restore = lab.tool_at("pg_restore", &lab.target, DATABASE);
    child::time(restore.args(["--section=pre-data", "-d", DATABASE]).arg(&dump))?;
    let entries = run(lab.tool("pg_restore").args(["--section=post-data", "--list"]).arg(&dump))?;
    let indexes: String = entries.lines().filter(|line| is_index(line)).map(|line| format!("{line}\n")).collect();
    std::fs::write(&list, indexes).map_err(|source| Error::Run { program: "write".to_owned(), source })?;
    let tables = lab.source.run_sql(DATABASE, TABLES)?;
    lab.checkpoint()?;
    let begun = Instant::now();
    for table in tables.lines() {
        pipe(lab, table)?;
    }
    let mut restore = lab.tool_at("pg_restore", &lab.target, DATABASE);
    // As every DBA sets it for index builds, and as our own program does.
    restore.env("PGOPTIONS", "-c maintenance_work_mem=256MB");
    child::time(restore.args(["-d", DATABASE, "--use-list"]).arg(&list).arg(&dump))?;
    Ok(begun.elapsed())
}

fn is_index(line: &str) -> bool {
    let is = |kind: &str| line.contains(kind);
    (is(" INDEX ") || is(" CONSTRAINT ") || is(" INDEX ATTACH ")) && !is(" FK CONSTRAINT ") && !is(" COMMENT ")
}

fn pipe(lab: &Lab, table: &str) -> Result<(), Error> {
    let failed = |source| Error::Run { program: "psql".to_owned(), source };
    let copy = |direction: &str| format!("COPY {table} {direction} (FORMAT binary)");
    let mut reader = lab.tool_at("psql", &lab.source, DATABASE);
    let mut reader = reader.args(["-qXc", &copy("TO STDOUT")]).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let rows = reader.stdout.take().ok_or_else(|| Error::OtherWork("psql has no output".to_owned()))?;
    let mut writer = lab.tool_at("psql", &lab.target, DATABASE);
    let written = writer.args(["-qXc", &copy("FROM STDIN")]).stdin(rows).status().map_err(failed)?;
    let read = reader.wait().map_err(failed)?;
    if read.success() && written.success() {
        return Ok(());
    }
    Err(Error::OtherWork(format!("psql could not copy {table}")))
}

fn run(command: &mut std::process::Command) -> Result<String, Error> {
    let output = command.output().map_err(|source| Error::Run { program: "pg_restore".to_owned(), source })?;
    if !output.status.success() {
        return Err(Error::OtherWork("pg_restore could not read the schema's dump".to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
