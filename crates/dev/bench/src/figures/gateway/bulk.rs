//! Large transfers through the gateway beside the same over a direct connection: a result of many rows, COPY to the client,
//! COPY from it. pgbouncer stands beside them.
//!
//! The reader counts bytes and throws them away: psql would be slower than the gateway, and hide it. Rows are of a
//! kilobyte, which the server makes faster than small ones, so the gateway has less time for each byte.

use std::time::Instant;

use super::client::Client;
use super::pgbouncer;
use super::ways::{DIRECT, PGBOUNCER, Pool, Turns, Way, Ways};
use crate::error::Error;
use crate::figures::Size;
use crate::lab::{DATABASE, Lab};
use crate::report::{Figure, Goal, Measured, Unit};

/// Of a row's text; with its number and what stands around it about a kilobyte.
const BODY_BYTES: usize = 1000;
const ROWS_PER_MEGABYTE: u64 = 1000;
const PREPARE: &str = "
    CREATE UNLOGGED TABLE bulk (id bigint, body text);
    ALTER TABLE bulk ALTER body SET STORAGE PLAIN;
    INSERT INTO bulk SELECT n, rpad(md5(n::text), {bytes}, 'x') FROM generate_series(1, {rows}) n;
    CREATE UNLOGGED TABLE arriving (LIKE bulk INCLUDING STORAGE);
    VACUUM ANALYZE bulk";

#[derive(Clone, Copy)]
enum Work {
    Select,
    CopyOut,
    CopyIn,
}

pub(in crate::figures) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let rows = u64::from(size.gateway_megabytes) * ROWS_PER_MEGABYTE;
    let prepare = PREPARE.replace("{bytes}", &BODY_BYTES.to_string()).replace("{rows}", &rows.to_string());
    lab.source.run_sql(DATABASE, &prepare)?;
    let ways = Ways::open(lab, Pool::TRANSACTION)?;
    let version = pgbouncer::version()?;
    [Work::Select, Work::CopyOut, Work::CopyIn]
        .into_iter()
        .map(|work| {
            let mut seen = None;
            let turns = Turns::take(size.rounds, |way| {
                lab.source.run_sql(DATABASE, "TRUNCATE arriving")?;
                lab.checkpoint()?;
                let (bytes, seconds) = transfer(lab, &ways, way, work, rows)?;
                // All of it on every way, or the times say nothing.
                if *seen.get_or_insert(bytes) != bytes {
                    return Err(Error::OtherWork(format!("{bytes} bytes came over {}", way.name())));
                }
                Ok(bytes as f64 / 1e6 / seconds)
            })?;
            let (pairs, pgbouncer) = turns.beside_direct();
            Ok(Figure {
                id: work.id(),
                what: format!("{rows} rows of {BODY_BYTES} bytes, {}; one client, one worker; {version}", work.text()),
                measured: Measured::Beside {
                    unit: Unit::MegabytesPerSecond,
                    pairs,
                    names: [Way::Ours.name(), DIRECT],
                    others: vec![(PGBOUNCER, pgbouncer)],
                },
                goal: Goal::RatioAtLeast(0.95),
            })
        })
        .collect()
}

/// How many bytes went over the way, and in how many seconds.
fn transfer(lab: &Lab, ways: &Ways<'_>, way: Way, work: Work, rows: u64) -> Result<(u64, f64), Error> {
    let failed = |source| Error::Client { of: way.name(), source };
    let mut client = Client::connect(ways.port(way), lab.source.superuser()).map_err(failed)?;
    // The pool's session with the server is there.
    client.query("SELECT 1").map_err(failed)?;
    let block = block();
    let begun = Instant::now();
    let bytes = match work {
        Work::Select => client.query("SELECT * FROM bulk").map_err(failed)?,
        Work::CopyOut => client.query("COPY (SELECT * FROM bulk) TO STDOUT").map_err(failed)?,
        Work::CopyIn => {
            let times = rows / BLOCK_ROWS;
            client.copy_in("COPY arriving FROM STDIN", block.as_bytes(), times).map_err(failed)?;
            times * block.len() as u64
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    if let Work::CopyIn = work {
        let stored = lab.source.run_sql(DATABASE, "SELECT count(*) FROM arriving")?;
        if stored != (rows / BLOCK_ROWS * BLOCK_ROWS).to_string() {
            return Err(Error::OtherWork(format!("{stored} rows arrived over {}", way.name())));
        }
    }
    Ok((bytes, seconds))
}

/// As many as libpq's clients send at once, about: 8 KiB.
const BLOCK_ROWS: u64 = 8;

fn block() -> String {
    let body = "x".repeat(BODY_BYTES);
    (1..=BLOCK_ROWS).map(|row| format!("{row}\t{body}\n")).collect()
}

impl Work {
    fn id(self) -> &'static str {
        match self {
            Self::Select => "gateway-bulk-select",
            Self::CopyOut => "gateway-bulk-copy-out",
            Self::CopyIn => "gateway-bulk-copy-in",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Select => "by one SELECT",
            Self::CopyOut => "by COPY to the client",
            Self::CopyIn => "by COPY from the client into an unlogged table",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_whole_rows() {
        let block = block();
        assert_eq!(block.lines().count() as u64, BLOCK_ROWS);
        assert!(block.ends_with('\n') && block.len() > 8 * BODY_BYTES);
    }
}
