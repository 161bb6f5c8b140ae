//! A cutover that looks at plans first and fills the new server's cache, as an operator does it.

use atalaya_postgres::Session;
use atalaya_sandbox::ServerOptions;

use crate::cutover::Front;
use crate::support::Move;

const LINES: &str = "
    CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_buffercache;
    CREATE TABLE ledger.lines (id int PRIMARY KEY, account int, note text);
    INSERT INTO ledger.lines SELECT n, n % 5000, 'note ' || n FROM generate_series(1, 50000) n;
    CREATE INDEX lines_account ON ledger.lines (account); ANALYZE ledger.lines; GRANT ALL ON ledger.lines TO clerk";
const CACHED: &str = "SELECT count(*) FROM pg_buffercache WHERE relfilenode = pg_relation_filenode('ledger.lines')
                         AND reldatabase = (SELECT oid FROM pg_database WHERE datname = 'shop')";

#[test]
fn plans_that_got_worse_are_told_or_forbid_it_and_the_cache_is_filled_before_clients_come() {
    let counting = |major| ServerOptions::new(major).setting("shared_preload_libraries", "pg_stat_statements");
    let front = Front::before(Move::with(counting(14), counting(18)), &[], LINES);
    let (source, target) = (&front.shop.source, &front.shop.target);
    front.runtime.block_on(async {
        let session = Session::connect(&front.url("shop"), "clerk").await.unwrap();
        for _ in 0..3 {
            session.query("SELECT note FROM ledger.lines WHERE account = 4711", &[]).await.unwrap();
        }
    });
    target.run_sql("shop", "DROP INDEX ledger.lines_account").unwrap();
    let id = "SELECT queryid FROM pg_stat_statements WHERE query LIKE 'SELECT note FROM ledger.lines%'";
    let id = source.run_sql("shop", id).unwrap().trim().to_owned();

    let looked = front.ask(&["migrate", "cutover", "shop-to-18", "--dry-run", "--prewarm"]);
    assert_eq!(looked.code, Some(4), "{}\n{}", looked.stdout, looked.stderr);
    assert!(looked.stdout.contains("CREATE EXTENSION pg_prewarm"), "{}", looked.stdout);
    assert!(!looked.stdout.contains("CREATE EXTENSION pg_buffercache"), "{}", looked.stdout);
    let refused = front.ask(&["migrate", "cutover", "shop-to-18", "--prewarm"]);
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("CREATE EXTENSION pg_prewarm"), "{}", refused.stderr);

    target.run_sql("shop", "CREATE EXTENSION pg_prewarm").unwrap();
    let looked = front.ask(&["migrate", "cutover", "shop-to-18", "--dry-run", "--prewarm"]);
    assert_eq!(looked.code, Some(0), "{}\n{}", looked.stdout, looked.stderr);
    assert!(looked.stdout.contains("our role is a superuser on `shop`"), "{}", looked.stdout);
    assert!(!looked.stdout.contains(&id), "{}", looked.stdout);
    let looked = front.ask(&["migrate", "cutover", "shop-to-18", "--dry-run", "--prewarm", "--plan-check", "warn"]);
    assert_eq!(looked.code, Some(0), "{}\n{}", looked.stdout, looked.stderr);
    assert!(looked.stdout.contains("would be read into the cache of `shop-green`"), "{}", looked.stdout);
    let told = looked.stdout.lines().find(|line| line.contains(&format!("statement {id} (3 calls")));
    assert!(told.is_some_and(|line| line.contains("ledger.lines read whole")), "{}", looked.stdout);

    let refused = front.ask(&["migrate", "cutover", "shop-to-18", "--plan-check", "fail"]);
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains(&id) && refused.stderr.contains("it is forbidden by: plans"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("4711"), "{}", refused.stderr);
    assert!(front.version("shop").starts_with("14."));

    target.run_sql("shop", "SELECT pg_buffercache_evict_relation('ledger.lines')").unwrap();
    assert_eq!(target.run_sql("shop", CACHED).unwrap(), "0");
    let report = front.led(&["migrate", "cutover", "shop-to-18", "--prewarm", "--prewarm-timeout", "120s"]);
    assert_eq!(report["outcome"], "flipped");
    assert!(front.version("shop").starts_with("18."));
    let filled = &report["prewarmed"];
    assert!(filled["loaded_bytes"].as_u64().unwrap() > 0, "{filled}");
    assert_eq!(filled["cut_short"], serde_json::Value::Null);
    assert_ne!(target.run_sql("shop", CACHED).unwrap(), "0");
    // Going back asks for none of it.
    let back = front.led(&["migrate", "rollback", "shop-to-18"]);
    assert_eq!(back["prewarmed"], serde_json::Value::Null);
}
