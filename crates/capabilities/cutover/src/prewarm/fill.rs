//! Reads what was decided into the other side's cache, a chunk at a time over one session.

use atalaya_postgres::{Error, Session};
use tokio::time::Instant;

use super::plan::Load;
use super::{Bounds, Prewarmed, Warming, out_of_time};

/// As many blocks are read by one statement: 8 MiB, so that each ends soon.
const CHUNK_BLOCKS: u64 = 1024;
/// For a table that somebody changes just now.
const LOCK_LIMIT_MS: u32 = 500;

pub(super) async fn fill(
    session: &Session,
    schema: &str,
    load: &Load,
    bounds: &Bounds<'_>,
    done: &mut Prewarmed,
) -> Result<(), Error> {
    session.batch(&format!("SET lock_timeout = {LOCK_LIMIT_MS}")).await?;
    let sql = format!("SELECT {schema}.pg_prewarm($1::oid::regclass, 'buffer'::text, $2::text, $3::int8, $4::int8)");
    let statement = session.prepare(&sql).await?;
    let (mut refused, mut first) = (0_u64, None);
    for piece in &load.pieces {
        let mut was_read = false;
        'ranges: for range in &piece.ranges {
            let mut from = range.from;
            while from < range.to {
                if Instant::now() >= bounds.until {
                    done.relations += u64::from(was_read);
                    done.cut_short = Some(out_of_time(bounds.asked));
                    return Ok(());
                }
                let to = range.to.min(from + CHUNK_BLOCKS);
                let (begin, end) = (i64::try_from(from).unwrap_or(i64::MAX), i64::try_from(to - 1).unwrap_or(i64::MAX));
                let fork = range.fork.as_str();
                match session.query_prepared(&statement, &[&piece.oid, &fork, &begin, &end]).await {
                    Ok(_) => {}
                    // It became smaller, is gone, locked, or not ours to read: the next one may be well.
                    Err(error) if error.sqlstate().is_some_and(|state| !state.starts_with("57")) => {
                        refused += 1;
                        first.get_or_insert_with(|| (piece.name.clone(), atalaya_data::chain(&error)));
                        break 'ranges;
                    }
                    Err(error) => return Err(error),
                }
                was_read = true;
                done.loaded_bytes += (to - from) * load.block_bytes;
                bounds.asked.progress.tell(&Warming {
                    loaded_bytes: done.loaded_bytes,
                    planned_bytes: done.planned_bytes,
                    relation: piece.name.clone(),
                });
                from = to;
            }
        }
        done.relations += u64::from(was_read);
    }
    if let Some((name, why)) = first {
        done.cut_short = Some(format!("{refused} relations cannot be read: {name}: {why}, for one"));
    }
    Ok(())
}
