//! A move with a way back, and a look at both directions at once.

use atalaya_sandbox::Server;
use serde_json::Value;

use crate::support::{Move, Ran, Running, eventually, ran};

/// Every kind of identity, a foreign key, a trigger, a tree, an append-only table, a generated column.
pub(super) const TABLES: &str = "
    CREATE TABLE parent (id int PRIMARY KEY, v text);
    CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent, v text);
    CREATE TABLE big (id int PRIMARY KEY, n int, body text); ALTER TABLE big ALTER body SET STORAGE EXTERNAL;
    CREATE TABLE plain (a int, b text); ALTER TABLE plain REPLICA IDENTITY FULL;
    CREATE TABLE whole (id int PRIMARY KEY, v text); ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE log (at int, what text);
    CREATE TABLE made (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
    CREATE TABLE tree (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (100);
    CREATE TABLE tree_2 PARTITION OF tree FOR VALUES FROM (100) TO (1000);
    CREATE TABLE gone (id int PRIMARY KEY);
    CREATE TABLE serial (id serial PRIMARY KEY, v text);
    CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.audit (what) VALUES (TG_OP); RETURN NULL; END $$;
    CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION note();
    INSERT INTO parent SELECT i, 'p' FROM generate_series(1, 50) i;
    INSERT INTO child SELECT i, i % 50 + 1, 'c' FROM generate_series(1, 200) i;
    INSERT INTO big SELECT i, 0, repeat('x', 5000) FROM generate_series(1, 20) i;
    INSERT INTO plain SELECT i % 10, 'b' FROM generate_series(1, 100) i;
    INSERT INTO whole SELECT i, 'w' FROM generate_series(1, 20) i;
    INSERT INTO log SELECT i, 'l' FROM generate_series(1, 20) i;
    INSERT INTO made (id, n) SELECT i, i FROM generate_series(1, 20) i;
    INSERT INTO tree SELECT i, 't' FROM generate_series(1, 200) i;
    INSERT INTO gone SELECT generate_series(1, 20);
    INSERT INTO serial (v) SELECT 's' FROM generate_series(1, 20)";

/// What an application writes, on whichever side it is; `round` makes its rows its own.
pub(super) fn writes(round: u32) -> String {
    let r = round * 1000;
    format!(
        "INSERT INTO parent VALUES ({r}, 'new'); INSERT INTO child VALUES ({r}, {r}, 'new');
         UPDATE parent SET v = 'r{round}' WHERE id <= 5; DELETE FROM child WHERE id = {round} * 3;
         UPDATE big SET n = {round}; UPDATE big SET body = repeat('y', 4000 + {round}) WHERE id = {round};
         UPDATE big SET id = {r} + id WHERE id BETWEEN 10 + {round} AND 11 + {round};
         BEGIN; INSERT INTO plain VALUES (1, 'r{round}'), (1, 'r{round}'); UPDATE plain SET b = 'u{round}' WHERE a = {round};
         DELETE FROM plain WHERE ctid = (SELECT ctid FROM plain WHERE a = 9 LIMIT 1); COMMIT;
         UPDATE whole SET v = v || '{round}' WHERE id % 2 = 0; DELETE FROM whole WHERE id = {round};
         INSERT INTO log VALUES ({r}, 'new'), ({r}, 'new'); UPDATE made SET n = n + 1 WHERE id < 10;
         INSERT INTO made (id, n) VALUES ({r}, 1); UPDATE tree SET id = id + 500 WHERE id = {round};
         UPDATE tree SET v = 'r{round}' WHERE id BETWEEN 90 AND 110;
         BEGIN; TRUNCATE gone; INSERT INTO gone VALUES ({r}); COMMIT;
         INSERT INTO serial (id, v) VALUES ({r}, 'new');
         BEGIN; SAVEPOINT a; INSERT INTO whole VALUES ({r} + 1, 'undone'); ROLLBACK TO a; INSERT INTO whole VALUES ({r}, 'kept'); COMMIT"
    )
}

/// Arguments that every start of the move has.
pub(super) const START: &[&str] = &["--append-only", "public.log"];

/// Runs a verb of `migrate way-back`.
pub(super) fn way_back(shop: &Move, deed: &str) -> Ran {
    ran(&mut shop.command(&words(deed)))
}

pub(super) fn words(deed: &str) -> Vec<&str> {
    let ends = ["--source", "env:SOURCE_URL", "--target", "env:TARGET_URL", "--name", "shop", "--output", "json"];
    [["migrate", "way-back", deed].as_slice(), &ends].concat()
}

/// The same, which must succeed.
pub(super) fn done(shop: &Move, deed: &str) -> Value {
    let ran = way_back(shop, deed);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// A move that follows its source, with a way back that runs.
pub(super) fn with_way_back(from: u16, to: u16) -> (Move, Running) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", TABLES).unwrap();
    let mut running = shop.follow(START);
    let made = done(&shop, "make");
    assert_eq!((&made["state"], &made["possible"]), (&"made".into(), &true.into()), "{made}");
    wait_until_both_run(&shop, &mut running);
    (shop, running)
}

pub(super) fn wait_until_both_run(shop: &Move, running: &mut Running) {
    eventually("both directions", || {
        running.assert_alive();
        let status = done(shop, "status");
        status["running"] == true && status["slot"]["active"] == true
    });
}

/// Waits until both sides hold the same rows.
pub(super) fn assert_comes_equal(shop: &Move, running: &mut Running) {
    eventually("both sides equal", || {
        running.assert_alive();
        let said = running.stderr();
        assert!(!said.contains("way back: it has stopped"), "{said}");
        Move::digests(&shop.source) == Move::digests(&shop.target)
    });
    shop.assert_equal();
}

/// What a direction has applied: changes and how often it has begun a transaction.
pub(super) fn applied(server: &Server) -> String {
    let sql = "SELECT changes || ' ' || marker || ' ' || applied FROM atalaya.progress WHERE migration = 'shop' AND writer = 0";
    server.run_sql("shop", sql).unwrap().trim().to_owned()
}

/// Waits until each direction has read everything that is written by now, both ways, so that whatever one had to write
/// because of the other is written.
pub(super) fn let_both_read(shop: &Move) {
    for (read, by) in [(&shop.source, &shop.target), (&shop.target, &shop.source)] {
        let position = read.run_sql("shop", "SELECT pg_logical_emit_message(true, 'test', '')").unwrap();
        let reached = format!(
            "SELECT (report ->> 'applied_lsn')::pg_lsn >= '{}' FROM atalaya.activity WHERE migration = 'shop'",
            position.trim()
        );
        eventually("a direction has read the other's log", || by.run_sql("shop", &reached).unwrap().trim() == "t");
    }
}

/// Asserts that nothing goes round: both directions read on, and neither writes anything because of it.
pub(super) fn assert_rests(shop: &Move) {
    let_both_read(shop);
    let before = (applied(&shop.source), applied(&shop.target));
    for _ in 0..3 {
        let_both_read(shop);
    }
    assert_eq!((applied(&shop.source), applied(&shop.target)), before);
}

/// The move as a plan, for what no verb of the program does alone.
pub(crate) fn plan(shop: &Move) -> atalaya_replicate::Plan {
    let program = env!("CARGO_BIN_EXE_atalaya").into();
    let holder = atalaya_replicate::HolderCommand { program, arguments: vec!["hold-snapshot".into()] };
    let mut options = atalaya_replicate::Options::new(shop.state().join("migrations").join("shop"), holder);
    options.client_tools = Some(atalaya_sandbox::client_tools(shop.target.version()).unwrap());
    let name: atalaya_data::MigrationName = "shop".parse().unwrap();
    atalaya_replicate::Plan {
        name: name.clone(),
        id: atalaya_data::MigrationId::new(name, 7),
        source: atalaya_estate::ConnectionUrl::parse(&shop.source_url).unwrap(),
        target: atalaya_estate::ConnectionUrl::parse(&shop.target_url).unwrap(),
        tables: Box::new(|_| true),
        append_only: Box::new(|name| name.name == "log"),
        options,
    }
}

/// Writes down that clients are on the new server, as a process does that leads them.
pub(super) fn lead_over(shop: &Move) {
    let plan = plan(shop);
    // With a runtime of its own, so that the lock has gone with its connections when this returns.
    std::thread::scope(|scope| {
        let led = scope.spawn(|| {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let leading = atalaya_replicate::Leading::take(&plan).await.unwrap();
                leading.serve("shop", atalaya_replicate::Side::Target).await.unwrap();
            });
        });
        led.join().unwrap();
    });
}
