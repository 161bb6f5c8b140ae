//! What was proven, written down on the target; one proof of a migration at a time.

use atalaya_control::touched::KeyBlock;
use atalaya_data::Lsn;
use atalaya_postgres::Session;

use super::standing::Standing;
use crate::moment::APPLICATION_NAME;
use crate::unit::Unit;
use crate::{Error, Plan};

/// Classifies our advisory locks of proofs, so that they meet nobody else's: "prof" in ASCII.
const LOCK_CLASS: i32 = 0x7072_6F66;
/// So many are noted of any table. One that begins small may be written fast while it is compared for the first time, and
/// its estimate is old by then; a proof at rest, in a cutover's pause, can only look at keys.
const KEYS_LEAST: f64 = 300_000.0;
/// A lookup by key costs about as much as a look at ten rows in a scan.
const SHARE_OF_ROWS: f64 = 0.1;
const KEYS_MOST: f64 = 500_000.0;

/// What is known of a table after a comparison.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Every row was compared, and is equal.
    FullEqual,
    /// Every row was compared, and not all are equal.
    FullDifferent,
    /// The noted keys were compared; these stay noted, since rows of theirs differ.
    Keys(Vec<KeyBlock>),
}

/// Writes down what is proven; its session holds the lock.
pub(crate) struct Ledger {
    session: Session,
    migration: String,
}

impl Ledger {
    /// Takes the lock; none when another proof of the migration has it, or the migration was begun by a version that
    /// notes nothing.
    pub(crate) async fn open(plan: &Plan, migration: &str) -> Result<Option<Self>, Error> {
        let session = Session::connect_for_control(&plan.target, APPLICATION_NAME).await?;
        let known: bool =
            session.query_one("SELECT pg_catalog.to_regclass('atalaya.touched') IS NOT NULL", &[]).await?.get(0);
        if !known {
            return Ok(None);
        }
        let sql = "SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext($2))";
        let locked: bool = session.query_one(sql, &[&LOCK_CLASS, &migration]).await?.get(0);
        Ok(locked.then(|| Self { session, migration: migration.to_owned() }))
    }

    /// Has the keys of these tables noted from the fence on at which the replicator stands now. A table that is not
    /// what it was has to be proven anew; one that has grown has more of them noted.
    pub(crate) async fn arm(&self, standing: &Standing, units: &[Unit]) -> Result<(), Error> {
        let is_new = |unit: &&Unit| {
            let known = standing.of(&unit.target_name);
            known.is_none_or(|table| table.shape != unit.shape || table.keys_max < keys_max(unit.estimated_rows))
        };
        let new: Vec<&Unit> = units.iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let of = |text: fn(&Unit) -> &str| new.iter().map(|unit| text(unit)).collect::<Vec<&str>>();
        let keys_max: Vec<i64> = new.iter().map(|unit| keys_max(unit.estimated_rows)).collect();
        self.session
            .execute(
                "INSERT INTO atalaya.proof_tables (migration, schema, name, shape, keys_max)
                 SELECT $1, t.* FROM unnest($2::text[], $3::text[], $4::text[], $5::int8[]) AS t
                 ON CONFLICT (migration, schema, name) DO UPDATE
                    SET shape = excluded.shape, keys_max = excluded.keys_max,
                        full_lsn = CASE WHEN proof_tables.shape = excluded.shape THEN proof_tables.full_lsn END,
                        full_at = CASE WHEN proof_tables.shape = excluded.shape THEN proof_tables.full_at END",
                &[
                    &self.migration,
                    &of(|unit| &unit.target_name.schema),
                    &of(|unit| &unit.target_name.name),
                    &of(|unit| &unit.shape),
                    &keys_max,
                ],
            )
            .await?;
        Ok(())
    }

    /// Writes down what a comparison at a fence has shown, in one statement: the notes go with the verdict.
    pub(crate) async fn judge(
        &self,
        unit: &Unit,
        standing: &Standing,
        fence: Lsn,
        verdict: &Verdict,
    ) -> Result<(), Error> {
        const GONE: &str = "WITH gone AS (DELETE FROM atalaya.touched
                                           WHERE migration = $1 AND schema = $2 AND name = $3 AND id <= $4)";
        const WHERE: &str = "WHERE migration = $1 AND schema = $2 AND name = $3";
        let (migration, name) = (&self.migration, &unit.target_name);
        match verdict {
            Verdict::FullEqual => {
                let sql = format!(
                    "{GONE} UPDATE atalaya.proof_tables SET full_lsn = ($5::text)::pg_lsn, full_at = ($6::text)::timestamptz
                     {WHERE} AND shape = $7"
                );
                let fence = fence.to_string();
                self.session
                    .execute(
                        &sql,
                        &[migration, &name.schema, &name.name, &standing.last_note, &fence, &standing.at, &unit.shape],
                    )
                    .await?;
            }
            Verdict::FullDifferent => {
                let sql = format!("UPDATE atalaya.proof_tables SET full_lsn = NULL, full_at = NULL {WHERE}");
                self.session.execute(&sql, &[migration, &name.schema, &name.name]).await?;
            }
            Verdict::Keys(open) => {
                let blocks: Vec<&[u8]> = open.iter().map(KeyBlock::bytes).collect();
                let counts: Vec<i64> =
                    open.iter().map(|block| i64::try_from(block.keys()).unwrap_or(i64::MAX)).collect();
                let sql = format!(
                    "{GONE} INSERT INTO atalaya.touched (migration, schema, name, keys_count, keys)
                     SELECT $1, $2, $3, t.* FROM unnest($5::int8[], $6::bytea[]) AS t"
                );
                self.session
                    .execute(&sql, &[migration, &name.schema, &name.name, &standing.last_note, &counts, &blocks])
                    .await?;
            }
        }
        Ok(())
    }

    /// Takes tables for compared row by row at a position, so long ago. Notes stay: they may be of rows that were compared.
    /// A table whose keys are not noted is left alone. Written by another session than that of the lock.
    pub(crate) async fn take_for_proven(
        &self,
        writing: &Session,
        standing: &Standing,
        units: &[Unit],
        at: Lsn,
        age: std::time::Duration,
    ) -> Result<(), Error> {
        let known: Vec<&Unit> = units
            .iter()
            .filter(|unit| standing.of(&unit.target_name).is_some_and(|table| table.shape == unit.shape))
            .collect();
        let of = |text: fn(&Unit) -> &str| known.iter().map(|unit| text(unit)).collect::<Vec<&str>>();
        writing
            .execute(
                "UPDATE atalaya.proof_tables p
                    SET full_lsn = ($4::text)::pg_lsn, full_at = pg_catalog.now() - pg_catalog.make_interval(secs => $5)
                   FROM unnest($2::text[], $3::text[]) AS t (schema, name)
                  WHERE p.migration = $1 AND p.schema = t.schema AND p.name = t.name",
                &[
                    &self.migration,
                    &of(|unit| &unit.target_name.schema),
                    &of(|unit| &unit.target_name.name),
                    &at.to_string(),
                    &age.as_secs_f64(),
                ],
            )
            .await?;
        Ok(())
    }

    /// Writes down that a pass over every table is over, and how many of them it left unproven.
    pub(crate) async fn passed(&self, fence: Lsn, at: &str, unproven: usize) -> Result<(), Error> {
        self.session
            .execute(
                "INSERT INTO atalaya.proof (migration, passed_lsn, passed_at, unproven, clean_lsn, clean_at)
                 SELECT $1, p.lsn, p.at, $4, CASE WHEN $4 = 0 THEN p.lsn END, CASE WHEN $4 = 0 THEN p.at END
                   FROM (SELECT ($2::text)::pg_lsn AS lsn, ($3::text)::timestamptz AS at) AS p
                 ON CONFLICT (migration) DO UPDATE
                    SET passed_lsn = excluded.passed_lsn, passed_at = excluded.passed_at, unproven = excluded.unproven,
                        clean_lsn = coalesce(excluded.clean_lsn, proof.clean_lsn),
                        clean_at = coalesce(excluded.clean_at, proof.clean_at)",
                &[&self.migration, &fence.to_string(), &at, &i32::try_from(unproven).unwrap_or(i32::MAX)],
            )
            .await?;
        Ok(())
    }
}

/// Has no table of a migration taken for compared. Whoever holds the lock meanwhile has a fence of its own to rest on.
pub(crate) async fn forget_proven(target: &Session, migration: &str) -> Result<(), Error> {
    let known: bool =
        target.query_one("SELECT pg_catalog.to_regclass('atalaya.proof_tables') IS NOT NULL", &[]).await?.get(0);
    if known {
        let sql = "UPDATE atalaya.proof_tables SET full_lsn = NULL, full_at = NULL WHERE migration = $1";
        target.execute(sql, &[&migration]).await?;
    }
    Ok(())
}

/// How many keys are noted of a table with so many rows, before a comparison of every row is the cheaper way.
fn keys_max(estimated_rows: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds above")]
    let keys = (estimated_rows * SHARE_OF_ROWS).clamp(KEYS_LEAST, KEYS_MOST) as i64;
    keys
}
