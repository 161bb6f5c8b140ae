//! A move whose copy lasts until a test lets it end, while changes are written to its source.

use std::path::PathBuf;

use serde_json::Value;

use crate::held::Held;
use crate::support::{Move, Ran, Running, eventually};

/// The copy begins with the larger table and waits for the smaller. Without a key, equal rows: a change that came twice
/// would show.
const TABLES: &str = "CREATE TABLE large (id int PRIMARY KEY, v text); CREATE TABLE plain (v text);
    CREATE TABLE small (id int PRIMARY KEY, v text); ALTER TABLE plain REPLICA IDENTITY FULL";
const ROWS: &str = "INSERT INTO large SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 2000) n;
    INSERT INTO plain SELECT 'equal' FROM generate_series(1, 300);
    INSERT INTO small SELECT n, 'v' FROM generate_series(1, 7) n; ANALYZE";

/// Changes of every kind; `{n}` makes each call's different.
const CHANGES: &str =
    "INSERT INTO large SELECT 10000 * {n} + i, repeat(md5(i::text), 10) FROM generate_series(1, 500) i;
    BEGIN; UPDATE large SET v = 'changed {n}' WHERE id % 50 = {n} % 50; DELETE FROM large WHERE id = {n} * 7; COMMIT;
    INSERT INTO plain SELECT 'equal' FROM generate_series(1, 20);
    DELETE FROM plain WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain WHERE v = 'equal' LIMIT 5));
    BEGIN; UPDATE plain SET v = 'changed {n}' WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain LIMIT 3)); ROLLBACK;
    UPDATE large SET id = id + 5000 WHERE id = 1900 - {n}";

/// The move.
pub(crate) struct Field {
    pub(crate) shop: Move,
    changes: u32,
}

impl Field {
    pub(crate) fn new(shop: Move) -> Self {
        shop.source.run_sql("shop", TABLES).unwrap();
        shop.source.run_sql("shop", ROWS).unwrap();
        shop.target.run_sql("shop", TABLES).unwrap();
        Self { shop, changes: 0 }
    }

    /// Starts the move and waits until changes go to its spool; its copy cannot end before the lock that comes with it
    /// is dropped.
    pub(crate) fn copying(&self, more: &[&str]) -> (Running, Held) {
        let lock = self.lock();
        let mut run = self.start(more, "");
        eventually("changes go to the spool", || {
            run.assert_alive();
            let status = self.shop.run("status", &["--output", "json"]);
            status.code == Some(0) && status.stdout.contains("\"written_lsn\":\"")
        });
        (run, lock)
    }

    /// Starts the move, with a failpoint where one is named.
    pub(crate) fn start(&self, more: &[&str], failpoint: &str) -> Running {
        let mut all = vec!["--workers", "1", "--existing-schema"];
        all.extend_from_slice(more);
        self.shop.spawn_with("start", &all, &[("ATALAYA_FAILPOINT", failpoint)])
    }

    /// Keeps the smaller table from being copied.
    pub(crate) fn lock(&self) -> Held {
        Held::open(&self.shop.target_url, "BEGIN; LOCK TABLE public.small IN EXCLUSIVE MODE")
    }

    /// Writes to the source; answers with the log's position afterwards.
    pub(crate) fn change(&mut self) -> u64 {
        self.changes += 1;
        self.shop.source.run_sql("shop", &CHANGES.replace("{n}", &self.changes.to_string())).unwrap();
        self.source("pg_current_wal_flush_lsn()")
    }

    /// Writes a little to the source until a run has ended.
    pub(crate) fn write_until_it_ends(&self, mut run: Running) -> Ran {
        eventually("the run's end", || {
            self.shop.source.run_sql("shop", "INSERT INTO plain VALUES ('equal')").unwrap();
            !run.is_running()
        });
        run.wait()
    }

    /// What the target's tables hold by now, as far as it can be told.
    pub(crate) fn target_rows(&self) -> Vec<String> {
        Move::digests(&self.shop.target)
    }

    /// A position that the source tells, in bytes.
    fn source(&self, lsn: &str) -> u64 {
        self.shop.source.run_sql("shop", &format!("SELECT {lsn} - '0/0'::pg_lsn")).unwrap().parse().unwrap()
    }

    /// What the source was told that it may forget.
    pub(crate) fn confirmed(&self) -> u64 {
        self.source("(SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE NOT temporary)")
    }

    /// Where the log begins that the source keeps for the move.
    pub(crate) fn kept_from(&self) -> u64 {
        self.source("(SELECT restart_lsn FROM pg_replication_slots WHERE NOT temporary)")
    }

    /// A position of `atalaya.progress`; 0 where there is none.
    pub(crate) fn stored(&self, column: &str) -> u64 {
        let sql = format!("SELECT coalesce(max({column}) - '0/0'::pg_lsn, 0) FROM atalaya.progress");
        self.shop.target.run_sql("shop", &sql).unwrap().parse().unwrap()
    }

    /// Waits until the spool holds everything up to a position.
    pub(crate) fn wait_until_spooled(&self, run: &mut Running, position: u64) {
        eventually("the changes are in the spool", || {
            run.assert_alive();
            let status = self.shop.status();
            status["spool"]["written_lsn"].as_str().is_some_and(|lsn| bytes(lsn) >= position)
        });
    }

    /// Waits until the target knows that everything up to a position is in the spool, and the source, too.
    pub(crate) fn wait_until_received(&self, run: &mut Running, position: u64) {
        eventually("the changes are received", || {
            run.assert_alive();
            self.stored("received") >= position && self.confirmed() >= position
        });
    }

    /// The spool's folder; none when there is none.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        let migration = self.shop.state().join("migrations/shop");
        let mut entries = std::fs::read_dir(migration).ok()?.map(|entry| entry.unwrap().path());
        entries.find(|path| path.extension().is_some_and(|suffix| suffix == "spool"))
    }

    /// The spool's segments, in order.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let Some(folder) = self.folder() else { return Vec::new() };
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "segment")).collect();
        found.sort();
        found
    }

    /// Lets the move go on to its end, proves it, and looks for what must be gone.
    pub(crate) fn finish(&self, more: &[&str]) {
        let mut all = vec!["--stop-when", "caught-up", "--existing-schema"];
        all.extend_from_slice(more);
        self.shop.done("start", &all);
        self.shop.assert_equal();
        let proof = self.shop.validate(&["--quiesced"]);
        assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
        self.shop.done("finish", &["--existing-schema"]);
        self.shop.assert_equal();
        assert_eq!(self.folder(), None, "the spool is still there");
    }
}

/// A position as the servers write it, in bytes.
pub(crate) fn bytes(lsn: &str) -> u64 {
    let (high, low) = lsn.split_once('/').unwrap();
    u64::from_str_radix(high, 16).unwrap() << 32 | u64::from_str_radix(low, 16).unwrap()
}

/// A field of the status that is a number.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}
