//! Where the kills happen: a database with a table of every kind that a kill could hurt, and what the target's
//! own rows say after one.

use std::collections::BTreeMap;

use crate::support::{Move, Ran, eventually, ran};

/// `big` is copied in ranges of 1 MiB; `small_*` whole; `plain` has no key and holds equal rows, so that a
/// change that came twice would show.
const SCHEMA: &str = "
CREATE TABLE big (id bigint PRIMARY KEY, pad text NOT NULL, changed int NOT NULL DEFAULT 0);
INSERT INTO big SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 45000) i;
CREATE TABLE plain (what text, n int);
ALTER TABLE plain REPLICA IDENTITY FULL;
INSERT INTO plain SELECT 'equal', i % 3 FROM generate_series(1, 3000) i;
CREATE TABLE emptied (id int PRIMARY KEY, v text);
INSERT INTO emptied SELECT i, 'v' || i FROM generate_series(1, 2000) i;
CREATE TABLE keyed (id int PRIMARY KEY, v text UNIQUE, big text);
INSERT INTO keyed SELECT i, 'v' || i, repeat(md5(i::text), 300) FROM generate_series(1, 200) i;
CREATE TABLE bulk (id bigserial PRIMARY KEY, batch int NOT NULL, v text);
DO $$ BEGIN FOR t IN 1..10 LOOP
    EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, v text NOT NULL, parent int)', t);
    EXECUTE format('INSERT INTO small_%s SELECT i, repeat(md5(i::text), 4), NULL FROM generate_series(1, %s) i', t, 1000 + 100 * t);
END LOOP; END $$;
ALTER TABLE small_1 ADD FOREIGN KEY (parent) REFERENCES small_2;
CREATE INDEX small_9_late ON small_9 (v) WHERE id > 10;
";

/// Changes of every kind, in transactions of many rows; `{n}` makes each call's different.
const CHANGES: &str = "
INSERT INTO bulk (batch, v) SELECT {n}, 'row ' || i FROM generate_series(1, 10000) i;
BEGIN; UPDATE big SET changed = changed + 1 WHERE id % 97 = {n} % 97; DELETE FROM big WHERE id = {n} * 7;
INSERT INTO big SELECT 1000000 + {n} * 1000 + i, 'late' FROM generate_series(1, 50) i; COMMIT;
INSERT INTO plain SELECT 'equal', i % 3 FROM generate_series(1, 40) i;
UPDATE plain SET what = 'changed {n}' WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain WHERE what = 'equal' LIMIT 3));
DELETE FROM plain WHERE ctid = ANY (ARRAY(SELECT ctid FROM plain WHERE what = 'equal' LIMIT 5));
BEGIN; TRUNCATE emptied; INSERT INTO emptied SELECT i, 'batch {n}' FROM generate_series(1, 500) i; COMMIT;
BEGIN; UPDATE keyed SET id = id + 1000 WHERE id = (SELECT min(id) FROM keyed);
UPDATE keyed SET v = 'x' WHERE id = 150; UPDATE keyed SET v = 'v150 {n}' WHERE id = 150; COMMIT;
UPDATE small_3 SET v = 'changed {n}' WHERE id % 11 = {n} % 11; DELETE FROM small_4 WHERE id = {n};
BEGIN; INSERT INTO small_2 VALUES (100000 + {n}, 'parent', NULL); INSERT INTO small_1 VALUES (100000 + {n}, 'child', 100000 + {n}); COMMIT;
DELETE FROM bulk WHERE batch = {n} - 2;
";

/// A migration that is killed again and again.
pub(crate) struct Field {
    pub(crate) shop: Move,
    /// What every `start` is told besides.
    pub(crate) told: Vec<&'static str>,
    batches: u32,
}

/// What the target says of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) is_done: bool,
    pub(crate) start_lsn: String,
    pub(crate) bytes: u64,
    /// Names the table's file: another one after TRUNCATE, DROP or a rewrite.
    pub(crate) filenode: String,
}

/// What the target says of the migration, once every backend of a killed run is gone.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) phase: String,
    /// The stored position, in bytes of log since the source's beginning.
    pub(crate) applied: u64,
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) ranges_done: usize,
}

impl Standing {
    pub(crate) fn tables_done(&self) -> usize {
        self.tables.values().filter(|table| table.is_done).count()
    }

    /// Asserts that every table that was done before is the same file, with the same counters and start.
    pub(crate) fn assert_kept(&self, later: &Self) {
        for (name, table) in self.tables.iter().filter(|(_, table)| table.is_done) {
            assert_eq!(Some(table), later.tables.get(name), "{name} was finished and has changed");
        }
    }
}

impl Field {
    /// Fills the source.
    pub(crate) fn prepare(shop: Move) -> Self {
        shop.source.run_sql("shop", SCHEMA).unwrap();
        Self { shop, told: Vec::new(), batches: 0 }
    }

    /// Commits a batch of changes on the source, each with other rows; answers with the log's position after it.
    pub(crate) fn change(&mut self) -> u64 {
        self.batches += 1;
        self.shop.source.run_sql("shop", &CHANGES.replace("{n}", &self.batches.to_string())).unwrap();
        self.source_position()
    }

    /// What the source may have forgotten: everything before was acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        let sql = "SELECT confirmed_flush_lsn - '0/0'::pg_lsn FROM pg_replication_slots WHERE NOT temporary";
        self.shop.source.run_sql("shop", sql).unwrap().parse().unwrap()
    }

    pub(crate) fn source_position(&self) -> u64 {
        let sql = "SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn";
        self.shop.source.run_sql("shop", sql).unwrap().parse().unwrap()
    }

    /// Arguments of `start`.
    pub(crate) fn arguments(&self) -> Vec<&'static str> {
        [&["--stop-when", "caught-up", "--split-larger-than", "1"], self.told.as_slice()].concat()
    }

    /// Runs `start` with a failpoint to its end.
    pub(crate) fn start_with(&self, failpoint: &str) -> Ran {
        ran(self.shop.command(&Move::migrate("start", &self.arguments())).env("ATALAYA_FAILPOINT", failpoint))
    }

    /// Runs `start`, which must die by SIGKILL at the failpoint; answers with what the target says then.
    pub(crate) fn kill_at(&self, failpoint: &str) -> Standing {
        let ran = self.start_with(failpoint);
        assert_eq!(ran.signal, Some(9), "{failpoint}: {:?} {}", ran.code, ran.stderr);
        self.standing()
    }

    /// Lets the same command go on to its end.
    pub(crate) fn go_on(&self) {
        self.shop.done("start", &self.arguments());
    }

    /// What the target says, once no backend of a killed run is left that could still commit.
    pub(crate) fn standing(&self) -> Standing {
        let target = &self.shop.target;
        let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'atalaya%'";
        eventually("the killed run's backends are gone", || target.run_sql("shop", ours).unwrap() == "0");
        let migration = target
            .run_sql(
                "shop",
                "SELECT phase, coalesce((SELECT applied - '0/0'::pg_lsn FROM atalaya.progress
                                          WHERE migration = name AND writer = 0), 0),
                        (SELECT count(*) FROM atalaya.copy_ranges WHERE done)
                   FROM atalaya.migration WHERE name = 'shop'",
            )
            .unwrap();
        let migration: Vec<&str> = migration.split('|').collect();
        let tables = target
            .run_sql(
                "shop",
                "SELECT schema || '.' || name, state = 'done', coalesce(start_lsn::text, ''), copied_bytes,
                        coalesce(pg_relation_filenode(to_regclass(format('%I.%I', target_schema, target_name)))::text, '')
                   FROM atalaya.tables WHERE migration = 'shop'",
            )
            .unwrap();
        let tables = tables.lines().map(|line| {
            let columns: Vec<&str> = line.split('|').collect();
            let table = Table {
                is_done: columns[1] == "t",
                start_lsn: columns[2].to_owned(),
                bytes: columns[3].parse().unwrap(),
                filenode: columns[4].to_owned(),
            };
            (columns[0].to_owned(), table)
        });
        Standing {
            phase: migration[0].to_owned(),
            applied: migration[1].parse().unwrap(),
            ranges_done: migration[2].parse().unwrap(),
            tables: tables.collect(),
        }
    }

    /// Ends the migration: everything applied, proven by `finish`, and equal as psql sees it.
    pub(crate) fn finish(&self) {
        self.go_on();
        self.shop.assert_equal();
        let proof = ran(&mut self.shop.command(&[
            "validate",
            "--source",
            "env:SOURCE_URL",
            "--target",
            "env:TARGET_URL",
            "--name",
            "shop",
            "--quiesced",
        ]));
        assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
        self.shop.done("finish", &[]);
        self.shop.assert_equal();
    }
}
