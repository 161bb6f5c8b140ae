//! The first copy beside `pgcopydb clone`: schema, rows, primary keys, VACUUM ANALYZE.

use super::Size;
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{Side, measure as measure_pairs};
use crate::report::{Figure, Goal, Measured};

const NAME: &str = "copy";
/// At once, on both sides.
const JOBS: &str = "2";
/// What a whole copy leaves behind: rows and valid indexes of the moved tables, all of them analysed.
const WORK_DONE: &str = "
    SELECT (SELECT count(*) FROM pgbench_accounts), (SELECT count(*) FROM pg_index JOIN pg_class c ON c.oid = indrelid
              WHERE c.relname LIKE 'pgbench%' AND indisvalid),
           (SELECT count(*) FROM pg_class WHERE relname LIKE 'pgbench%' AND relkind = 'r' AND reltuples >= 0)";

pub(super) fn measure(lab: &Lab, size: Size) -> Result<Vec<Figure>, Error> {
    let mut pgbench = lab.tool_at("pgbench", &lab.source, DATABASE);
    child::time(pgbench.args(["-i", "-q", "-s", &size.scale.to_string()]))?;
    let expected = format!("{}|3|4", u64::from(size.scale) * 100_000);
    let pairs = measure_pairs(size.rounds, |side| {
        lab.empty_target()?;
        lab.checkpoint()?;
        let elapsed = match side {
            Side::Peer => pgcopydb(lab)?,
            Side::Ours => {
                let words = [
                    "--workers",
                    JOBS,
                    "--index-workers",
                    JOBS,
                    "--stop-when",
                    "caught-up",
                    "--append-only",
                    "public.pgbench_history",
                ];
                child::time(&mut lab.migrate("start", NAME, DATABASE, &words))?
            }
        };
        let found = lab.target.run_sql(DATABASE, WORK_DONE)?;
        if found != expected {
            return Err(Error::OtherWork(format!("{side:?} left {found}, not {expected}")));
        }
        if side == Side::Ours {
            child::time(&mut lab.migrate("abort", NAME, DATABASE, &[]))?;
        }
        Ok(elapsed)
    })?;
    Ok(vec![Figure {
        id: "copy",
        what: format!(
            "{} pgbench rows, 15 to 15, schema, rows, primary keys and VACUUM ANALYZE, {JOBS} tables and {JOBS} indexes \
             at once, fsync on; ours also makes a slot and follows until it is caught up",
            u64::from(size.scale) * 100_000
        ),
        measured: Measured::Seconds(pairs, "pgcopydb clone"),
        goal: Goal::RatioAtMost(0.95),
    }])
}

fn pgcopydb(lab: &Lab) -> Result<std::time::Duration, Error> {
    let folder = tempfile::tempdir().map_err(|source| Error::Run { program: "mkdir".to_owned(), source })?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = std::process::Command::new("pgcopydb");
    command
        .args(["clone", "--table-jobs", JOBS, "--index-jobs", JOBS, "--dir"])
        .arg(folder.path().join("work"))
        // It runs psql, pg_dump and pg_restore by their names.
        .env("PATH", format!("{}:{path}", lab.tools.display()))
        .env("PGCOPYDB_SOURCE_PGURI", lab.source.url(DATABASE))
        .env("PGCOPYDB_TARGET_PGURI", lab.target.url(DATABASE));
    child::time(&mut command)
}
