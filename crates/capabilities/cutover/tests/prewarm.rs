//! A cache that is filled as the other one is, seen in the servers' own buffer maps.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use atalaya_cutover::preflight::{Status, preflight};
use atalaya_cutover::prewarm::{Prewarm, Prewarmed, Progress, Silent, Warming};
use atalaya_cutover::switch::prepare;
use atalaya_cutover::{Means, Outcome, Purpose};
use atalaya_sandbox::{Server, ServerOptions, StopMode};

use crate::ground::{Ground, OLD, Side, course};

/// What was told while it went on.
#[derive(Default)]
struct Told(Mutex<Vec<Warming>>);

impl Progress for Told {
    fn tell(&self, warming: &Warming) {
        self.0.lock().unwrap().push(warming.clone());
    }

    fn ended(&self) {}
}

fn asked(progress: Arc<dyn Progress>) -> Option<Prewarm> {
    Some(Prewarm { limit: Duration::from_secs(60), progress })
}

/// Rows of 100 bytes or so, of which each twentieth has a value that is stored apart.
const TABLE: &str = "
    CREATE TABLE log (id int PRIMARY KEY, pad text, \"far away\" text)
      WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false);
    ALTER TABLE log ALTER \"far away\" SET STORAGE EXTERNAL;
    INSERT INTO log SELECT n, repeat('x', 60), CASE WHEN n % 20 = 0 THEN repeat('y', 3000) END
      FROM generate_series(1, 100000) n;
    CREATE INDEX log_pad ON log (pad, id); VACUUM ANALYZE log";
const EXTENSIONS: &str =
    "CREATE EXTENSION pg_buffercache; CREATE SCHEMA tools; CREATE EXTENSION pg_prewarm SCHEMA tools";

/// Cached blocks of a relation's main fork, of how many, and the first of them.
fn cached(side: &Side, relation: &str) -> (u64, u64, u64) {
    let row = side.sql(&format!(
        "SELECT count(*), pg_relation_size('{relation}') / 8192, coalesce(min(relblocknumber), 0) FROM pg_buffercache
          WHERE relfilenode = pg_relation_filenode('{relation}') AND relforknumber = 0
            AND reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ));
    let mut numbers = row.trim().split('|').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap())
}

fn toast(side: &Side) -> String {
    side.sql("SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'log'").trim().to_owned()
}

/// Nothing of the table is in the cache any more. A buffer that the server's own processes are about to write is left
/// where it is, so nothing is left to be written, and who comes at the wrong moment comes again.
fn forget(side: &Side) {
    const TRIES: usize = 100;
    let evict = "SELECT pg_buffercache_evict_relation(oid) FROM pg_class WHERE relkind IN ('r', 'i', 't')";
    let relations = ["log".to_owned(), "log_pkey".to_owned(), "log_pad".to_owned(), toast(side)];
    side.sql("CHECKPOINT");
    for _ in 0..TRIES {
        side.sql(evict);
        if relations.iter().all(|relation| cached(side, relation).0 == 0) {
            return;
        }
    }
    panic!("something holds what is to be forgotten");
}

/// Both sides have the table; the old one has read its last tenth, and the new one nothing.
async fn ground() -> (Ground, Means) {
    let mut server = Server::start(ServerOptions::new(13)).unwrap();
    server.create_database("own_shop").unwrap();
    let prepared = format!("{TABLE}; {EXTENSIONS}");
    server.run_sql("own_shop", &prepared).unwrap();
    server.stop(StopMode::Fast).unwrap();
    server.start_again().unwrap();
    let ground = Ground::between(Side::of(Box::leak(Box::new(server)), "own_shop".to_owned()), Side::new(18), None);
    ground.new.sql(&prepared);
    forget(&ground.new);
    let last = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
                SELECT count(\"far away\" || pad) FROM log WHERE id > 90000";
    ground.old.sql(last);
    let gates = ground.gates().await;
    let means = ground.means("one", &gates).await;
    (ground, means)
}

fn done(report: Option<Prewarmed>) -> Prewarmed {
    report.unwrap_or_else(|| panic!("nothing was filled"))
}

#[tokio::test]
async fn the_part_that_is_used_is_in_the_other_cache_before_clients_are() {
    let (ground, mut means) = ground().await;
    let told = Arc::new(Told::default());
    means.prewarm = asked(Arc::clone(&told) as Arc<dyn Progress>);
    let report = preflight(&course(Purpose::Rehearse), &means).await.unwrap();
    let check = report.check("prewarm").unwrap();
    assert_eq!(check.status, Status::Pass, "{check:#?}");
    assert!(check.findings[0].seen.contains("would be read into the cache of `shop-green`"), "{check:#?}");
    assert_eq!(cached(&ground.new, "log").0, 0, "looking reads nothing");

    let report = prepare(course(Purpose::Rehearse), means).await.unwrap().run().await.unwrap().remove(0);
    assert_eq!(report.outcome, Outcome::Rehearsed);
    let prewarmed = done(report.prewarmed);
    assert_eq!((prewarmed.cut_short.as_deref(), prewarmed.loaded_bytes), (None, prewarmed.planned_bytes));
    for relation in ["log".to_owned(), "log_pkey".to_owned(), toast(&ground.new)] {
        let here = if relation.starts_with("pg_toast") { toast(&ground.old) } else { relation.clone() };
        let ((here, all_here, _), (there, all_there, first)) =
            (cached(&ground.old, &here), cached(&ground.new, &relation));
        assert!(here > 0 && here < all_here / 2, "{relation}: {here} of {all_here}");
        assert!(there * all_here >= here * all_there, "{relation}: {there} of {all_there}, here {here} of {all_here}");
        assert!(there <= all_there / 2, "{relation}: {there} of {all_there}");
        if relation == "log" {
            assert!(first * 10 >= all_there * 8, "{first} of {all_there} is the first that was read");
        }
    }
    let (unused, ..) = cached(&ground.new, "log_pad");
    assert!(unused <= 1, "only the planner has looked at it, not for {unused} blocks");
    let told = told.0.lock().unwrap();
    assert_eq!(told.last().unwrap().loaded_bytes, prewarmed.loaded_bytes);
    assert!(told.iter().any(|warming| warming.relation == "TOAST of public.log"), "{told:?}");
}

#[tokio::test]
async fn time_that_is_over_keeps_nobody_from_being_led_away() {
    let (ground, mut means) = ground().await;
    means.prewarm = Some(Prewarm { limit: Duration::from_millis(1), progress: Arc::new(Silent) });
    let report = prepare(course(Purpose::Rehearse), means).await.unwrap().run().await.unwrap().remove(0);
    assert_eq!(report.outcome, Outcome::Rehearsed);
    assert!(done(report.prewarmed).cut_short.is_some());
    assert_eq!(cached(&ground.new, "log_pad").0, 0);
}

#[tokio::test]
async fn a_relation_that_may_not_be_read_is_told_and_others_are_filled() {
    let (ground, mut means) = ground().await;
    let mover = ground.new.server.create_rds_shaped_role("warmer", &ground.new.database).unwrap();
    ground.new.sql(
        "GRANT USAGE ON SCHEMA tools TO warmer; CREATE TABLE seen (id int); INSERT INTO seen VALUES (1);
                    GRANT SELECT ON seen TO warmer",
    );
    ground.old.sql("CREATE TABLE seen (id int); INSERT INTO seen VALUES (1)");
    let url = ground.new.server.url_as(&mover, &ground.new.database);
    means.ends[0].places[1].1 = atalaya_estate::ConnectionUrl::parse(&url).unwrap();
    means.prewarm = asked(Arc::new(Silent));
    // What it may on this server, it may fence.
    ground.new.sql(&format!(
        "ALTER DATABASE \"{}\" OWNER TO warmer; ALTER SCHEMA public OWNER TO warmer",
        ground.new.database
    ));
    let report = prepare(course(Purpose::Rehearse), means).await.unwrap().run().await.unwrap().remove(0);
    let prewarmed = done(report.prewarmed);
    assert_eq!(prewarmed.relations, 1, "{prewarmed:?}");
    assert!(prewarmed.cut_short.unwrap().contains("public.log"));
}

#[tokio::test]
async fn what_it_takes_is_named_with_the_statement_that_makes_it() {
    let ground = Ground::sqlite();
    let gates = ground.gates().await;
    let mut means = ground.means("one", &gates).await;
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    assert_eq!(report.check("prewarm").unwrap().status, Status::Pass, "nobody has asked for it");
    means.prewarm = asked(Arc::new(Silent));
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    let check = report.check("prewarm").unwrap();
    assert_eq!(check.status, Status::Fail, "{check:#?}");
    let remedies: Vec<&str> = check.findings.iter().map(|finding| finding.remedy.as_deref().unwrap()).collect();
    for (place, extension) in [(OLD, "pg_buffercache"), ("shop-green", "pg_prewarm")] {
        let named = |finding: &&str| finding.ends_with(&format!("CREATE EXTENSION {extension}"));
        assert!(remedies.iter().any(named), "{check:#?}");
        assert!(check.findings.iter().any(|finding| finding.seen.starts_with(&format!("`{place}`"))), "{check:#?}");
    }
    ground.old.sql("CREATE EXTENSION pg_buffercache");
    ground.new.sql("CREATE EXTENSION pg_prewarm");
    let report = preflight(&course(Purpose::Flip), &means).await.unwrap();
    assert_eq!(report.check("prewarm").unwrap().status, Status::Pass, "{report:#?}");
}
