//! Somebody's lock on a table of the target is waited for with a limit, and the run then goes on by itself.

use std::sync::Mutex;
use std::time::Duration;

use atalaya_data::{MigrationId, MigrationName};
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_replicate::{Event, HolderCommand, Observer, Options, Outcome, Plan, StopWhen, start};
use tokio::sync::Notify;

use crate::support::Move;

/// Keeps the reasons for which a run began anew.
#[derive(Default)]
struct Reasons {
    seen: Mutex<Vec<String>>,
    told: Notify,
}

impl Observer for Reasons {
    fn observe(&self, event: &Event) {
        if let Event::Reconnect { reason, .. } = event {
            self.seen.lock().unwrap().push(reason.clone());
            self.told.notify_one();
        }
    }
}

fn plan(shop: &Move) -> Plan {
    let program = env!("CARGO_BIN_EXE_atalaya").into();
    let holder = HolderCommand { program, arguments: vec!["hold-snapshot".into()] };
    let mut options = Options::new(shop.state().to_owned(), holder);
    options.stop_when = StopWhen::CaughtUp;
    options.existing_schema = true;
    options.lock_limit = Duration::from_millis(500);
    let name: MigrationName = "shop".parse().unwrap();
    Plan {
        name: name.clone(),
        id: MigrationId::new(name, 7),
        source: ConnectionUrl::parse(&shop.source_url).unwrap(),
        target: ConnectionUrl::parse(&shop.target_url).unwrap(),
        tables: Box::new(|_| true),
        append_only: Box::new(|_| false),
        options,
    }
}

/// Runs while somebody keeps the target's table from being written to (but not from being looked at), until the run has said that it begins anew because of it.
async fn runs_through_a_lock(plan: &Plan) {
    let other = Session::connect(&plan.target, "someone else").await.unwrap();
    other.batch("BEGIN; LOCK TABLE public.item IN SHARE MODE").await.unwrap();
    let reasons = Reasons::default();
    let unlocking = async {
        tokio::time::timeout(Duration::from_secs(60), reasons.told.notified()).await.expect("the run never gave up");
        other.batch("COMMIT").await.unwrap();
    };
    let (ended, ()) = tokio::join!(start(plan, &reasons), unlocking);
    assert_eq!(ended.unwrap(), Outcome::CaughtUp);
    let seen = reasons.seen.lock().unwrap();
    assert!(seen[0].contains("55P03") || seen[0].contains("lock timeout"), "{seen:?}");
}

#[test]
fn a_locked_table_of_the_target_holds_neither_copy_nor_apply_for_ever() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)").unwrap();
    shop.target.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY)").unwrap();
    let plan = plan(&shop);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = || shop.target.run_sql("shop", "SELECT count(*) FROM item").unwrap().trim().to_owned();
    runtime.block_on(runs_through_a_lock(&plan));
    assert_eq!(rows(), "2");
    shop.source.run_sql("shop", "INSERT INTO item VALUES (3)").unwrap();
    runtime.block_on(runs_through_a_lock(&plan));
    assert_eq!(rows(), "3");
    shop.assert_equal();
}
