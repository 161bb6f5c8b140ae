//! Peak memory: copying rows of 50 MB, and applying one transaction of five million changes, which the source sends
//! before it is committed.

use super::Size;
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::report::{Figure, Goal, Measured};

const NAME: &str = "memory";
const STOP: [&str; 2] = ["--stop-when", "caught-up"];
/// Twelve rows of 50 MB, stored as they are, beside many small ones.
const ROWS: &str = "
    CREATE TABLE large (id int PRIMARY KEY, body text);
    ALTER TABLE large ALTER body SET STORAGE EXTERNAL;
    INSERT INTO large SELECT n, repeat(md5(n::text), 50 * 1024 * 1024 / 32) FROM generate_series(1, 12) n;
    CREATE TABLE small (id int PRIMARY KEY, body text);
    INSERT INTO small SELECT n, md5(n::text) FROM generate_series(1, {rows}) n";
/// How often the transaction changes each small row.
const CHANGES: u32 = 5;
/// Small rows for each hundred thousand that pgbench would have: a million unless told otherwise.
const ROWS_PER_SCALE: u32 = 20_000;

pub(super) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let rows = size.scale * ROWS_PER_SCALE;
    lab.source.run_sql(DATABASE, &ROWS.replace("{rows}", &rows.to_string()))?;
    let copy = child::watch(&mut lab.migrate("start", NAME, DATABASE, &STOP), &lab.program)?;
    let updates = "UPDATE small SET body = md5(body);".repeat(usize::try_from(CHANGES).unwrap_or_default());
    lab.source.run_sql(DATABASE, &format!("BEGIN; {updates} COMMIT"))?;
    let apply = child::watch(&mut lab.migrate("start", NAME, DATABASE, &STOP), &lab.program)?;
    let sum = "SELECT count(*), sum(hashtextextended(s::text, 0)) FROM small s";
    if lab.source.run_sql(DATABASE, sum)? != lab.target.run_sql(DATABASE, sum)? {
        return Err(Error::OtherWork("the large transaction did not arrive".to_owned()));
    }
    let sent = "SELECT count(*) FROM pg_stat_replication_slots WHERE stream_count > 1";
    if lab.source.run_sql(DATABASE, sent)?.trim() != "1" {
        return Err(Error::OtherWork("the source kept the large transaction until its commit".to_owned()));
    }
    child::time(&mut lab.migrate("abort", NAME, DATABASE, &[]))?;
    Ok(vec![
        Figure {
            id: "memory-copy",
            what: format!("copy of 12 rows of 50 MB and {rows} small ones, all processes together, holder included"),
            measured: Measured::Peak(copy.bytes, copy.processes),
            goal: Goal::MebibytesUnder(200.0),
        },
        Figure {
            id: "memory-apply",
            what: format!("apply of one transaction of {} changes, sent before its commit", rows * CHANGES),
            measured: Measured::Peak(apply.bytes, apply.processes),
            goal: Goal::MebibytesUnder(300.0),
        },
    ])
}
