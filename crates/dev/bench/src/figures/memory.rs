//! Peak memory: copying rows of 50 MB, and applying one transaction of a million changes.

use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::report::{Figure, Goal, Measured};

const NAME: &str = "memory";
const STOP: [&str; 2] = ["--stop-when", "caught-up"];
/// Twelve rows of 50 MB, stored as they are, beside a million small ones.
const ROWS: &str = "
    CREATE TABLE large (id int PRIMARY KEY, body text);
    ALTER TABLE large ALTER body SET STORAGE EXTERNAL;
    INSERT INTO large SELECT n, repeat(md5(n::text), 50 * 1024 * 1024 / 32) FROM generate_series(1, 12) n;
    CREATE TABLE small (id int PRIMARY KEY, body text);
    INSERT INTO small SELECT n, md5(n::text) FROM generate_series(1, 1000000) n";
const TRANSACTION: &str = "UPDATE small SET body = md5(body)";

pub(super) fn measure(lab: &Lab) -> Result<Vec<Figure>, Error> {
    lab.source.run_sql(DATABASE, ROWS)?;
    let copy = child::watch(&mut lab.migrate("start", NAME, DATABASE, &STOP), &lab.program)?;
    lab.source.run_sql(DATABASE, TRANSACTION)?;
    let apply = child::watch(&mut lab.migrate("start", NAME, DATABASE, &STOP), &lab.program)?;
    let sum = "SELECT count(*), sum(hashtextextended(s::text, 0)) FROM small s";
    if lab.source.run_sql(DATABASE, sum)? != lab.target.run_sql(DATABASE, sum)? {
        return Err(Error::OtherWork("the large transaction did not arrive".to_owned()));
    }
    child::time(&mut lab.migrate("abort", NAME, DATABASE, &[]))?;
    Ok(vec![
        Figure {
            id: "memory-copy",
            what: "copy of 12 rows of 50 MB and a million small ones, all processes together, holder included"
                .to_owned(),
            measured: Measured::Peak(copy.bytes, copy.processes),
            goal: Goal::MebibytesUnder(200.0),
        },
        Figure {
            id: "memory-apply",
            what: "apply of one transaction of a million changes".to_owned(),
            measured: Measured::Peak(apply.bytes, apply.processes),
            goal: Goal::MebibytesUnder(300.0),
        },
    ])
}
