//! Makes a shop: tables bare, rows, then keys, indexes, views and triggers.

use atalaya_postgres::Session;

use super::fill::fillings;
use super::size::RowCounts;
use super::{ShopProgress, ShopSize, ShopTotals};
use crate::Error;

/// Row steps in one statement: bounds how long one runs, and how often progress is told.
const STEPS_PER_STATEMENT: u64 = 100_000;

/// Makes a shop in the schema `shop` of the session's database, which must not have one.
///
/// # Errors
/// The server's, a lost connection, a schema `shop` that is already there.
pub async fn create(session: &Session, size: ShopSize) -> Result<ShopTotals, Error> {
    create_with_progress(session, size, |_| ()).await
}

/// As [`create`], and tells how far it is at each table and during large ones.
///
/// # Errors
/// As [`create`].
pub async fn create_with_progress(
    session: &Session,
    size: ShopSize,
    mut on_progress: impl FnMut(ShopProgress),
) -> Result<ShopTotals, Error> {
    let tools = include_str!("sql/tools.sql").replace("{seed}", &size.seed.to_string());
    session.batch(include_str!("sql/before.sql")).await?;
    session.batch(&tools).await?;
    session.batch(include_str!("sql/odd_values.sql")).await?;
    for filling in fillings(RowCounts::of(size)) {
        let mut done = 0;
        while done < filling.steps {
            on_progress(ShopProgress { stage: filling.table, done, total: filling.steps });
            let until = (done + STEPS_PER_STATEMENT).min(filling.steps);
            session.batch(&filling.statement(done + 1, until)).await?;
            done = until;
        }
    }
    on_progress(ShopProgress { stage: "keys and indexes", done: 0, total: 1 });
    session.batch(include_str!("sql/after.sql")).await?;
    session
        .batch(
            "DROP TABLE noise; DROP FUNCTION pg_temp.pick(bigint, bigint, bigint);
             DROP FUNCTION pg_temp.token(bigint, bigint);
             RESET jit; RESET synchronous_commit; RESET maintenance_work_mem",
        )
        .await?;
    totals(session).await
}

async fn totals(session: &Session) -> Result<ShopTotals, Error> {
    let tables = session
        .query(
            "SELECT c.oid::regclass::text, pg_total_relation_size(c.oid) FROM pg_class c
             WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'r'",
            &[],
        )
        .await?;
    let mut totals = ShopTotals::default();
    for table in tables {
        let (name, bytes): (String, i64) = (table.get(0), table.get(1));
        let count = format!("SELECT count(*) FROM {name}");
        let rows: i64 = session.query_one(&count, &[]).await?.get(0);
        totals.tables += 1;
        totals.rows += u64::try_from(rows).unwrap_or_default();
        totals.bytes += u64::try_from(bytes).unwrap_or_default();
    }
    Ok(totals)
}
