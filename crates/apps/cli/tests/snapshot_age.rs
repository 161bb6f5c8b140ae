//! A proof takes a new fence for each group of tables, so that no snapshot keeps vacuum back for longer than it may.

use std::sync::Mutex;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_validate::{Event, Plan, Progress, Scope, validate};

use crate::busy::runtime;
use crate::support::{Move, eventually};

const LIMIT: Duration = Duration::from_secs(6);

const TABLES: &str = "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int);
    CREATE TABLE c (id int PRIMARY KEY, v int); INSERT INTO a SELECT n, 0 FROM generate_series(1, 100) n;
    INSERT INTO b SELECT * FROM a; INSERT INTO c SELECT * FROM a; ANALYZE";

/// The age in seconds of the oldest snapshot that the proof holds on either side.
fn oldest(shop: &Move) -> f64 {
    let age = "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
                WHERE application_name = 'atalaya validate' AND backend_xmin IS NOT NULL AND state <> 'active'";
    let of = |server: &atalaya_sandbox::Server| server.run_sql("shop", age).unwrap().parse::<f64>().unwrap();
    of(&shop.source).max(of(&shop.target))
}

/// Writes to the source during each table, and keeps the proof at it until its snapshots are not young any more.
struct Slow<'all> {
    shop: &'all Move,
    ages: Mutex<Vec<f64>>,
}

impl Progress for Slow<'_> {
    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Started { .. } => self.ages.lock().unwrap().push(oldest(self.shop)),
            Event::Finished { .. } => {
                self.shop
                    .source
                    .run_sql("shop", "UPDATE a SET v = v + 1; UPDATE b SET v = v + 1; UPDATE c SET v = v + 1")
                    .unwrap();
                eventually("snapshots of half the age", || oldest(self.shop) > LIMIT.as_secs_f64() / 2.0);
            }
            _ => {}
        }
    }
}

#[test]
fn each_group_of_tables_has_a_fence_of_its_own_and_none_is_begun_in_an_old_snapshot() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let _running = shop.follow(&[]);
    let url = |text: &str| ConnectionUrl::parse(text).unwrap();
    let scope = Scope::Migration { name: "shop".to_owned() };
    let mut plan = Plan::new(url(&shop.source_url), url(&shop.target_url), scope);
    plan.workers = 1;
    plan.snapshot_age_limit = LIMIT;
    let slow = Slow { shop: &shop, ages: Mutex::default() };
    let report = runtime().block_on(validate(&plan, &slow)).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.tables.len(), report.fences.len()), (3, 3));
    assert!(report.fences.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", report.fences);
    let ages = slow.ages.into_inner().unwrap();
    assert_eq!(ages.len(), 3);
    assert!(ages.iter().all(|age| *age < LIMIT.as_secs_f64()), "{ages:?}");
    // Nothing is held any more.
    eventually("no snapshot", || oldest(&shop) == 0.0);
}
