//! What happens beside the way back: other moves of the same server, tables and columns that come.

use atalaya_sandbox::{Server, ServerOptions};

use super::field::{assert_comes_equal, assert_rests, done, wait_until_both_run, with_way_back, writes};
use crate::support::{Move, eventually, ran};

/// Two moves leave one server, each with a way back: what one brings back is a change like anybody's to the other.
#[test]
fn what_another_moves_way_back_writes_is_followed_like_anybodys() {
    let shop = Move::between(15, 16);
    let third = Server::start(ServerOptions::new(16)).unwrap();
    third.create_database("shop").unwrap();
    let third_url = third.url("shop");
    shop.source.run_sql("shop", "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')").unwrap();
    let mut running = shop.follow(&[]);
    let variables = [("TARGET_URL", third_url.as_str())];
    let mut other = shop.spawn_words(&Move::named("copy", "start", &[]), &variables);
    eventually("the other move follows", || {
        other.assert_alive();
        other.stderr().contains("\"event\":\"caught_up\"")
    });
    done(&shop, "make");
    let mut words = super::field::words("make");
    let name = words.iter().position(|word| *word == "shop").unwrap();
    words[name] = "copy";
    let made = ran(shop.command(&words).env("TARGET_URL", &third_url));
    assert_eq!(made.code, Some(0), "{}\n{}", made.stdout, made.stderr);
    wait_until_both_run(&shop, &mut running);

    let rows = |server: &Server| server.run_sql("shop", "SELECT string_agg(t::text, ' ' ORDER BY id) FROM t").unwrap();
    let everywhere = |what: &str, expected: &str| {
        eventually(what, || [&shop.source, &shop.target, &third].iter().all(|server| rows(server).trim() == expected));
    };
    shop.target.run_sql("shop", "INSERT INTO t VALUES (2, 'new server')").unwrap();
    everywhere("from the first new server", "(1,a) (2,\"new server\")");
    third.run_sql("shop", "UPDATE t SET v = 'third'").unwrap();
    everywhere("from the other new server", "(1,third) (2,third)");
    shop.source.run_sql("shop", "DELETE FROM t WHERE id = 1").unwrap();
    everywhere("from the old server", "(2,third)");
    assert_rests(&shop);
    running.assert_alive();
    other.assert_alive();
}

#[test]
fn columns_come_from_either_side_and_go_no_further() {
    let (shop, mut running) = with_way_back(14, 18);
    shop.source.run_sql("shop", "ALTER TABLE whole ADD extra int; UPDATE whole SET extra = id").unwrap();
    assert_comes_equal(&shop, &mut running);
    shop.target.run_sql("shop", "UPDATE whole SET extra = extra + 1; INSERT INTO whole VALUES (500, 'x', 7)").unwrap();
    assert_comes_equal(&shop, &mut running);
    shop.target
        .run_sql("shop", "ALTER TABLE parent ADD later text; UPDATE parent SET later = 'l' WHERE id < 9")
        .unwrap();
    assert_comes_equal(&shop, &mut running);
    shop.source.run_sql("shop", "UPDATE parent SET later = later || '!'").unwrap();
    assert_comes_equal(&shop, &mut running);
    assert_rests(&shop);
}

#[test]
fn a_table_that_is_added_is_missing_from_the_way_back_until_it_is_made_again() {
    let (shop, mut running) = with_way_back(16, 18);
    shop.source
        .run_sql("shop", "CREATE TABLE came (id int PRIMARY KEY, v text); INSERT INTO came VALUES (1, 'a')")
        .unwrap();
    shop.done("add-table", &["--table", "public.came"]);
    let status = done(&shop, "status");
    assert_eq!(status["possible"], false);
    assert!(status["why_not"][0].as_str().unwrap().ends_with("not part of it: public.came"), "{status}");
    assert_eq!(done(&shop, "make")["possible"], true);
    wait_until_both_run(&shop, &mut running);
    shop.target.run_sql("shop", &format!("UPDATE came SET v = 'b'; {}", writes(1))).unwrap();
    assert_comes_equal(&shop, &mut running);
    assert_rests(&shop);
}

/// Without the right to keep triggers from firing, the old server's foreign keys and triggers would act.
#[test]
fn a_role_that_may_not_silence_triggers_gets_no_way_back_where_there_are_any() {
    let shop = Move::between(14, 16);
    let made = "CREATE ROLE mover LOGIN REPLICATION PASSWORD 'm'; GRANT CREATE ON DATABASE shop TO mover;
                GRANT ALL ON SCHEMA public TO mover; SET ROLE mover;
                CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)";
    shop.source.run_sql("shop", made).unwrap();
    let mut running = shop.follow(&["--no-owner"]);
    let role = shop.source_url.replacen("postgres://", "", 1);
    let address = role.rsplit_once('@').map_or(role.as_str(), |(_, address)| address);
    let url = format!("postgres://mover:m@{address}");
    let refused = ran(shop.command(&super::field::words("make")).env("SOURCE_URL", &url));
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("a foreign key's trigger"), "{}", refused.stderr);
    assert!(refused.stderr.contains("session_replication_role"), "{}", refused.stderr);
    running.assert_alive();
}
