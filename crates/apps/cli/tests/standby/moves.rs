//! Moves under writers: equal rows, and a source whose tables nobody has read.

use crate::managed::act_as_managed_role;
use crate::support::{Move, eventually};
use crate::writes::Writes;
use atalaya_sandbox::{Server, ServerOptions};

use super::field::{FROM_STANDBY, Spared, primary, standby_of};

/// Tables that no writer touches: whoever reads them is us.
fn reads(server: &Server) -> u64 {
    let sql = "SELECT sum(seq_scan + coalesce(idx_scan, 0)) FROM pg_stat_user_tables
                WHERE relname IN ('small_5', 'small_6', 'small_7', 'small_8')";
    server.run_sql("shop", sql).unwrap().parse().unwrap()
}

fn moves_and_spares_the_source(from: u16, to: u16) {
    let mut spared = Spared::prepare(from, to, &[("hot_standby_feedback", "on")]);
    let writes = Writes::start(&spared.field.shop.source_url, 3, 200);
    let before = (reads(&spared.field.shop.source), reads(&spared.standby));
    let arguments = spared.field.arguments();
    let halt = [("ATALAYA_FAILPOINT", "copy-passing:5:stop")];
    let mut run = spared.field.shop.spawn_with("start", &arguments, &halt);
    run.wait_for_halt();
    let shop = &spared.field.shop;
    // One of the two workers may be between two tables.
    let copying = (Spared::sessions(&shop.source, "copy"), Spared::sessions(&spared.standby, "copy"));
    assert!(copying.0 == 0 && (1..=2).contains(&copying.1), "{copying:?}");
    assert_eq!((Spared::sessions(&shop.source, "snapshot"), Spared::sessions(&spared.standby, "snapshot")), (1, 1));
    // The holder's session on the source holds back nothing there.
    let idle =
        "SELECT state, backend_xmin IS NULL FROM pg_stat_activity WHERE application_name = 'atalaya snapshot shop'";
    assert_eq!(shop.source.run_sql("shop", idle).unwrap(), "idle|t");
    spared.field.change();
    writes.wait_for_more(100);
    run.go_on();
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hot_standby_feedback"), "{}", ran.stderr);
    assert_eq!(reads(&spared.field.shop.source), before.0, "the source's tables were read");
    eventually("the standby's statistics are there", || reads(&spared.standby) >= before.1 + 4);
    spared.field.change();
    let written = writes.stop();
    spared.finish();
    written.assert_reconciled(&spared.field.shop.target_url);
}

#[test]
fn from_16_rows_are_read_from_the_standby_alone_while_clients_write() {
    moves_and_spares_the_source(16, 18);
}

#[test]
fn from_18_rows_are_read_from_the_standby_alone_while_clients_write() {
    moves_and_spares_the_source(18, 18);
}

#[test]
fn an_idle_source_and_a_role_that_may_only_replicate_are_enough() {
    let mut shop = Move::with(primary(17), ServerOptions::new(18));
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)").unwrap();
    act_as_managed_role(&mut shop);
    let standby = shop.source.start_standby(&[]).unwrap();
    shop.standby_url = shop.source_url.replace(&shop.source.port().to_string(), &standby.port().to_string());
    let arguments = [&["--stop-when", "caught-up"], FROM_STANDBY].concat();
    let ran = shop.run("start", &arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("hot_standby_feedback is off"), "{}", ran.stderr);
    shop.assert_equal();
    shop.done("finish", &[]);
}

#[test]
fn tables_that_come_later_are_read_from_the_standby_too() {
    let spared = Spared::prepare(18, 18, &[("hot_standby_feedback", "on")]);
    let shop = &spared.field.shop;
    let running = shop.follow(FROM_STANDBY);
    let sql =
        "CREATE TABLE late (id int PRIMARY KEY, v text); INSERT INTO late SELECT i, 'v' FROM generate_series(1, 500) i";
    shop.source.run_sql("shop", sql).unwrap();
    let scans = |server: &Server| {
        server.run_sql("shop", "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'late'").unwrap()
    };
    let before = scans(&shop.source);
    shop.done("add-table", &["--table", "public.late"]);
    assert_eq!(scans(&shop.source), before);
    shop.source.run_sql("shop", "UPDATE late SET v = 'w' WHERE id < 10").unwrap();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    spared.finish();
}

#[test]
fn tables_that_a_standby_cannot_serve_are_not_added_and_the_move_goes_on() {
    let mut spared = Spared::prepare(18, 18, &[("hot_standby_feedback", "on")]);
    let mut running = spared.field.shop.follow(FROM_STANDBY);
    let mut assert_not_added = |spared: &Spared, table: &str, because: &str| {
        let shop = &spared.field.shop;
        shop.source.run_sql("shop", &format!("CREATE TABLE {table} (id int PRIMARY KEY)")).unwrap();
        let ran = shop.run("add-table", &["--table", &format!("public.{table}")]);
        assert_ne!(ran.code, Some(0), "{}", ran.stdout);
        assert!(ran.stderr.contains(because), "{}", ran.stderr);
        shop.wait_until_following(&mut running);
        shop.source.run_sql("shop", &format!("DROP TABLE {table}")).unwrap();
    };
    spared.standby.kill().unwrap();
    assert_not_added(&spared, "unreached", "cannot connect");
    spared.standby.start_again().unwrap();
    assert_eq!(spared.standby.run_sql("shop", "SELECT pg_promote()").unwrap(), "t");
    assert_not_added(&spared, "unread", "is no standby, or was promoted");
    spared.field.change();
    spared.field.shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    spared.field.told.clear();
    spared.finish();
}

#[test]
fn the_estate_file_names_the_standby_and_the_command_line_takes_it_back() {
    let mut shop = Move::with(primary(16), ServerOptions::new(16));
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)").unwrap();
    let standby = standby_of(&mut shop, &[]);
    let estate = shop.state().join("atalaya.yaml");
    let text = "estate: shop
databases:
  old: { engine: postgres, url: \"${SOURCE_URL}\" }
  copy: { engine: postgres, url: \"${STANDBY_URL}\" }
  new: { engine: postgres, url: \"${TARGET_URL}\" }
migrations:
  shop: { source: old, target: new, snapshot_from: copy }
";
    std::fs::write(&estate, text).unwrap();
    let start = ["--estate", estate.to_str().unwrap(), "migrate", "start", "shop", "--stop-when", "caught-up"];
    let mut command = shop.command(&start);
    let ran = crate::support::ran(command.env("ATALAYA_FAILPOINT", "copy-begun"));
    assert_eq!(ran.signal, Some(9), "{}", ran.stderr);
    assert_eq!(Spared::sessions(&standby, "snapshot"), 1);
    // What is left is copied from the source, and the standby is left alone.
    let ran = crate::support::ran(&mut shop.command(&[&start[..], &["--snapshot-from", "source"]].concat()));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("held on another server"), "{}", ran.stderr);
    eventually("the standby holds nothing", || Spared::sessions(&standby, "snapshot") == 0);
    shop.assert_equal();
}
