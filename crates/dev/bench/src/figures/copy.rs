//! The first copy beside `pgcopydb clone`: schema, rows, indexes and keys, VACUUM ANALYZE. Once of one large table, and
//! once of a shop of many; the second also beside the least that a copy by hand takes.

use std::os::unix::process::CommandExt;

use atalaya_estate::ConnectionUrl;
use atalaya_load::shop::{ShopSize, create};
use atalaya_postgres::Session;

use super::{Size, by_hand};
use crate::child;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{Pairs, Side, measure as measure_pairs};
use crate::report::{Figure, Goal, Measured};

const NAME: &str = "copy";
/// At once, on both sides.
const JOBS: &str = "2";
/// What a whole copy leaves behind: rows, valid indexes, and statistics of every table that has rows.
const WORK_DONE: &str = "
    SELECT sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM ONLY %s', c.oid::regclass),
                      false, true, '')))[1]::text::bigint),
           (SELECT count(*) FROM pg_index i JOIN pg_class x ON x.oid = i.indrelid JOIN pg_namespace m ON m.oid = x.relnamespace
             WHERE i.indisvalid AND m.nspname IN ('public', 'shop')),
           count(*) FILTER (WHERE reltuples < 0)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname IN ('public', 'shop')";

/// pgcopydb does not quote names that have quotes in them, and builds a primary key twice beside an exclusion constraint:
/// with either it gives the whole copy up.
const ONLY_WHAT_BOTH_COPY: &str = r#"
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = 'shop' AND c.relkind = 'r' AND (c.relname ~ '[^a-z0-9_]'
                       OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'x')) LOOP
            EXECUTE 'DROP TABLE ' || name || ' CASCADE';
        END LOOP;
    END $$"#;

/// One large table and three small ones.
pub(super) fn measure_one_table(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let mut pgbench = lab.tool_at("pgbench", &lab.source, DATABASE);
    child::time(pgbench.args(["-i", "-q", "-s", &size.scale.to_string()]))?;
    let pairs = measure_beside(lab, size, &["--append-only", "public.pgbench_history"], pgcopydb)?;
    Ok(vec![Figure {
        id: "copy",
        what: format!(
            "{} pgbench rows, 15 to 15, schema, rows, primary keys and VACUUM ANALYZE, {JOBS} tables and {JOBS} indexes \
             at once, fsync on; ours also makes a slot and follows until it is caught up",
            u64::from(size.scale) * 100_000
        ),
        measured: Measured::Seconds(pairs, "pgcopydb clone"),
        goal: Goal::RatioAtMost(0.8),
    }])
}

/// Many tables with several indexes each.
pub(super) fn measure_shop(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let megabytes = fill_shop(lab, size)?;
    let identities = ["--append-only", "shop.audit_log", "--append-only", "shop.session_event"];
    let pgcopydb = measure_beside(lab, size, &identities, pgcopydb)?;
    let by_hand = measure_beside(lab, size, &identities, by_hand::copy)?;
    let what = format!(
        "a shop of {megabytes} MB with its indexes, 15 to 15, {JOBS} tables and {JOBS} indexes at once, fsync on; ours also \
         makes a slot and follows until it is caught up"
    );
    Ok(vec![
        Figure {
            id: "copy-shop",
            what: what.clone(),
            measured: Measured::Seconds(pgcopydb, "pgcopydb clone"),
            goal: Goal::RatioAtMost(0.8),
        },
        Figure {
            id: "copy-by-hand",
            what: format!(
                "{what}, restores foreign keys and vacuums; beside it rows by psql | psql, one table after the other, and \
                 then one index after the other"
            ),
            measured: Measured::Seconds(by_hand, "COPY pipe + indexes"),
            goal: Goal::RatioAtMost(1.0),
        },
    ])
}

fn fill_shop(lab: &Lab, size: &Size) -> Result<u64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Error::Run { program: "tokio".to_owned(), source })?;
    let url = ConnectionUrl::parse(&lab.source.url(DATABASE)).map_err(Error::shop)?;
    let totals = runtime.block_on(async {
        let session = Session::connect(&url, "bench").await.map_err(Error::shop)?;
        create(&session, ShopSize::of_bytes(size.shop_megabytes << 20)).await.map_err(Error::shop)
    })?;
    lab.source.run_sql(DATABASE, ONLY_WHAT_BOTH_COPY)?;
    Ok(totals.bytes >> 20)
}

fn measure_beside(
    lab: &Lab,
    size: &Size,
    identities: &[&str],
    peer: fn(&Lab) -> Result<std::time::Duration, Error>,
) -> Result<Pairs, Error> {
    let expected = lab.source.run_sql(DATABASE, WORK_DONE)?;
    // Statistics are the target's own affair.
    let expected = expected.rsplit_once('|').map_or(expected.as_str(), |(rows_and_indexes, _)| rows_and_indexes);
    measure_pairs(size.rounds, |side| {
        lab.empty_target()?;
        let elapsed = match side {
            Side::Peer => peer(lab)?,
            Side::Ours => {
                lab.checkpoint()?;
                let words = ["--workers", JOBS, "--index-workers", JOBS, "--stop-when", "caught-up"];
                child::time(&mut lab.migrate("start", NAME, DATABASE, &[&words, identities].concat()))?
            }
        };
        let found = lab.target.run_sql(DATABASE, WORK_DONE)?;
        let wanted = match side {
            Side::Ours => format!("{expected}|0"),
            Side::Peer => expected.to_owned(),
        };
        if !found.starts_with(&wanted) {
            return Err(Error::OtherWork(format!("{side:?} left {found}, not {wanted}")));
        }
        if side == Side::Ours {
            child::time(&mut lab.migrate("abort", NAME, DATABASE, &[]))?;
        }
        Ok(elapsed)
    })
}

fn pgcopydb(lab: &Lab) -> Result<std::time::Duration, Error> {
    let folder = tempfile::tempdir().map_err(|source| Error::Run { program: "mkdir".to_owned(), source })?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = std::process::Command::new("pgcopydb");
    command
        .args(["clone", "--table-jobs", JOBS, "--index-jobs", JOBS, "--dir"])
        .arg(folder.path().join("work"))
        // Where it fails, it ends every process of its group.
        .process_group(0)
        // It runs psql, pg_dump and pg_restore by their names.
        .env("PATH", format!("{}:{path}", lab.tools.display()))
        .env("PGCOPYDB_SOURCE_PGURI", lab.source.url(DATABASE))
        .env("PGCOPYDB_TARGET_PGURI", lab.target.url(DATABASE));
    lab.checkpoint()?;
    child::time(&mut command)
}
