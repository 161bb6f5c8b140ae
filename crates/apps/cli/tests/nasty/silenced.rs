//! Triggers and rules that the target's tables have already: off until the move ends, then exactly as before.

use atalaya_sandbox::Server;

use super::{caught_up, refused};
use crate::managed::act_as_managed_role;
use crate::support::{Move, eventually};

const TABLES: &str = "
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE tree (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (50); CREATE TABLE tree_2 PARTITION OF tree DEFAULT;";

const ROWS: &str = "CREATE TABLE wide (id int PRIMARY KEY, v text);
INSERT INTO t SELECT n, 'v' FROM generate_series(1, 99) n; INSERT INTO tree SELECT n, 'v' FROM generate_series(1, 99) n;
INSERT INTO wide SELECT n, 'v' FROM generate_series(1, 99) n";

const CHANGES: &str = "UPDATE t SET v = v || '!' WHERE id < 20; DELETE FROM t WHERE id > 90; INSERT INTO t VALUES (500, 'n');
UPDATE tree SET v = v || '!' WHERE id % 5 = 0; UPDATE tree SET id = id + 1000 WHERE id = 7; DELETE FROM tree WHERE id = 98;
UPDATE wide SET v = v || '!' WHERE id % 5 = 0; INSERT INTO wide VALUES (700, 'n'); DELETE FROM wide WHERE id = 60";

/// One of every kind and state, on a plain table, a tree with states of its own, and partitions that the source has not.
const ACTORS: &str = "
CREATE TABLE wide (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE wide_1 PARTITION OF wide FOR VALUES FROM (0) TO (50); CREATE TABLE wide_2 PARTITION OF wide DEFAULT;
CREATE TABLE audit (what text);
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.audit VALUES (TG_NAME); NEW.v := 'meddled'; RETURN NEW; END $$;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES (TG_NAME); RETURN NULL; END $$;
CREATE TRIGGER a_always BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
CREATE TRIGGER b_replica BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
CREATE TRIGGER c_origin BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
CREATE TRIGGER \"D off\" BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
CREATE CONSTRAINT TRIGGER e_deferred AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE t ENABLE ALWAYS TRIGGER a_always, ENABLE REPLICA TRIGGER b_replica, DISABLE TRIGGER \"D off\", ENABLE ALWAYS TRIGGER e_deferred;
CREATE RULE \"R still\" AS ON UPDATE TO t DO INSTEAD NOTHING; ALTER TABLE t ENABLE REPLICA RULE \"R still\";
CREATE RULE s_keep AS ON DELETE TO t DO INSTEAD NOTHING; CREATE RULE z_off AS ON INSERT TO t DO INSTEAD NOTHING;
ALTER TABLE t DISABLE RULE z_off;
CREATE TRIGGER g AFTER INSERT OR UPDATE ON tree FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER h AFTER INSERT OR UPDATE ON tree FOR EACH STATEMENT EXECUTE FUNCTION note();
ALTER TABLE tree ENABLE ALWAYS TRIGGER g, ENABLE ALWAYS TRIGGER h;
ALTER TABLE ONLY tree_1 ENABLE REPLICA TRIGGER g; ALTER TABLE ONLY tree_2 DISABLE TRIGGER g;
CREATE TRIGGER w AFTER INSERT OR UPDATE ON wide FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE ONLY wide_2 ENABLE ALWAYS TRIGGER w;";

/// Every trigger and rule with its state.
fn states(server: &Server) -> Vec<String> {
    let sql = "SELECT format('%s %s %s', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger
                WHERE tgrelid::regclass::text !~ '^(atalaya|pg_)' AND (tgparentid <> 0 OR NOT tgisinternal)
               UNION ALL SELECT format('%s %s %s', ev_class::regclass, rulename, ev_enabled) FROM pg_rewrite
                WHERE ev_class::regclass::text ~ '^(t|tree|wide)' ORDER BY 1";
    server.run_sql("shop", sql).unwrap().lines().map(str::to_owned).collect()
}

fn assert_same_rows(shop: &Move) {
    for table in ["t", "tree", "wide"] {
        let sql = format!("SELECT count(*), sum(hashtext(r::text)) FROM {table} r");
        assert_eq!(shop.source.run_sql("shop", &sql).unwrap(), shop.target.run_sql("shop", &sql).unwrap(), "{table}");
    }
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM audit").unwrap(), "0");
}

fn armed(from: u16, to: u16) -> Move {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", &format!("{TABLES}{ROWS}")).unwrap();
    shop.target.run_sql("shop", &format!("{TABLES}{ACTORS}")).unwrap();
    shop
}

const EXISTING: [&str; 1] = ["--existing-schema"];

fn off_then_as_before(from: u16, to: u16) {
    let shop = armed(from, to);
    let before = states(&shop.target);
    let ran = caught_up(&shop, &EXISTING);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = ["trigger `a_always` of public.t (ENABLE ALWAYS)", "rule `R still` of public.t (ENABLE REPLICA)"];
    assert!(told.iter().all(|told| ran.stderr.contains(told)), "{}", ran.stderr);
    let off = |state: &String| match state.strip_suffix(" A").or_else(|| state.strip_suffix(" R")) {
        // What fires for nobody's replica stays as it is; nothing of ours fires a tree's own statement trigger.
        Some(name) if name != "tree g" && name != "tree h" => format!("{name} D"),
        _ => state.clone(),
    };
    assert_eq!(states(&shop.target), before.iter().map(off).collect::<Vec<_>>());
    shop.source.run_sql("shop", CHANGES).unwrap();
    assert_eq!(caught_up(&shop, &EXISTING).code, Some(0));
    assert_same_rows(&shop);
    shop.done("finish", &EXISTING);
    assert_same_rows(&shop);
    assert_eq!(states(&shop.target), before);
}

#[test]
fn from_13_to_14_triggers_and_rules_of_every_state_are_off_and_then_as_before() {
    off_then_as_before(13, 14);
}

#[test]
fn from_14_to_18_triggers_and_rules_of_every_state_are_off_and_then_as_before() {
    off_then_as_before(14, 18);
}

#[test]
fn an_abort_sets_them_back_and_no_kill_forgets_what_they_were() {
    let shop = armed(15, 15);
    let before = states(&shop.target);
    let kill = |verb: &str, place: &str| {
        let more: &[&str] =
            if verb == "start" { &["--existing-schema", "--stop-when", "caught-up"] } else { &EXISTING };
        let killed = shop.spawn_with(verb, more, &[("ATALAYA_FAILPOINT", place)]).wait();
        assert_eq!(killed.signal, Some(9), "{place}: {}", killed.stderr);
    };
    kill("start", "triggers-off");
    let dry = shop.done("abort", &["--dry-run"]);
    assert!(dry.contains("would set back: trigger `a_always` of public.t (ENABLE ALWAYS)"), "{dry}");
    assert_ne!(states(&shop.target), before);
    shop.done("abort", &[]);
    assert_eq!(states(&shop.target), before);
    kill("start", "triggers-off");
    kill("start", "rows-copied");
    shop.source.run_sql("shop", CHANGES).unwrap();
    assert_eq!(caught_up(&shop, &EXISTING).code, Some(0));
    kill("finish", "schema-completed");
    assert_ne!(states(&shop.target), before);
    kill("finish", "triggers-set-back");
    assert_eq!(states(&shop.target), before);
    shop.source.run_sql("shop", "UPDATE t SET v = 'late' WHERE id = 30").unwrap();
    kill("finish", "finish-stored");
    assert_eq!(states(&shop.target), before);
    shop.done("finish", &EXISTING);
    assert_eq!(states(&shop.target), before);
    assert_same_rows(&shop);
}

#[test]
fn what_somebody_else_changes_meanwhile_is_seen_and_never_overwritten() {
    let shop = armed(15, 18);
    assert_eq!(caught_up(&shop, &EXISTING).code, Some(0));
    let mut running = shop.follow(&EXISTING);
    shop.target.run_sql("shop", "ALTER TABLE t ENABLE ALWAYS TRIGGER a_always").unwrap();
    eventually("the run's end", || !running.is_running());
    let again = "somebody has switched it on again";
    refused(&running.wait(), again);
    refused(&caught_up(&shop, &EXISTING), again);
    refused(&shop.run("finish", &EXISTING), again);
    shop.target.run_sql("shop", "ALTER TABLE ONLY t DISABLE TRIGGER a_always").unwrap();
    // Another one comes; one goes; one is made to fire for origins only, which no row of the move is.
    shop.target
        .run_sql(
            "shop",
            "CREATE TRIGGER fresh BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION meddle(); ALTER TABLE t ENABLE ALWAYS TRIGGER fresh;
             DROP RULE \"R still\" ON t; ALTER TABLE t ENABLE TRIGGER b_replica",
        )
        .unwrap();
    shop.source.run_sql("shop", CHANGES).unwrap();
    let ran = caught_up(&shop, &EXISTING);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("trigger `fresh` of public.t (ENABLE ALWAYS)"), "{}", ran.stderr);
    assert_same_rows(&shop);
    let ran = shop.run("finish", &EXISTING);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for told in [
        "trigger `b_replica` of public.t was ENABLE REPLICA before the move, and somebody has made it ENABLE since",
        "rule `R still` of public.t, which was ENABLE REPLICA before the move and off since, is gone",
    ] {
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    let after = states(&shop.target);
    for state in ["t a_always A", "t b_replica O", "t fresh A", "tree_1 g R", "wide_2 w A"] {
        assert!(after.iter().any(|line| line == state), "{state}: {after:?}");
    }
}

#[test]
fn an_owner_that_may_not_be_a_replica_has_plain_ones_off_and_foreign_keys_refused() {
    let mut shop = armed(13, 14);
    let key = "CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t, u int UNIQUE DEFERRABLE)";
    for server in [&shop.source, &shop.target] {
        server.run_sql("shop", key).unwrap();
    }
    act_as_managed_role(&mut shop);
    let before = states(&shop.target);
    refused(&caught_up(&shop, &EXISTING), "the role cannot switch foreign keys off");
    assert_eq!(states(&shop.target), before);
    shop.target.run_sql("shop", "ALTER TABLE child DROP CONSTRAINT child_t_fkey").unwrap();
    let ran = caught_up(&shop, &EXISTING);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    shop.source.run_sql("shop", CHANGES).unwrap();
    shop.source.run_sql("shop", "INSERT INTO child VALUES (1, 1, 1), (2, 2, 2)").unwrap();
    assert_eq!(caught_up(&shop, &EXISTING).code, Some(0));
    assert_same_rows(&shop);
    shop.done("finish", &EXISTING);
    assert_same_rows(&shop);
    assert_eq!(states(&shop.target), before);
}

#[test]
fn writes_after_the_proof_do_not_wake_what_finish_has_restored() {
    let shop = Move::between(13, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE audit (id serial PRIMARY KEY, what text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit (what) VALUES (TG_NAME); RETURN NULL; END $$;
             CREATE TRIGGER always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER always;
             CREATE RULE also AS ON INSERT TO t DO ALSO INSERT INTO audit (what) VALUES ('rule'); ALTER TABLE t ENABLE ALWAYS RULE also;
             INSERT INTO t SELECT n, 'v' FROM generate_series(1, 10) n",
        )
        .unwrap();
    assert_eq!(caught_up(&shop, &[]).code, Some(0));
    // Between the proof and the end, when triggers and rules of the source stand on the target, too.
    let mut finish = shop.spawn_with("finish", &[], &[("ATALAYA_FAILPOINT", "schema-completed:1:stop")]);
    finish.wait_for_halt();
    shop.source.run_sql("shop", "INSERT INTO t VALUES (5000, 'late')").unwrap();
    finish.go_on();
    let ran = finish.wait();
    refused(&ran, "changes were written to the source after");
    shop.assert_equal();
    shop.done("finish", &[]);
    shop.assert_equal();
    let always = "SELECT (SELECT tgenabled FROM pg_trigger WHERE tgname = 'always'), (SELECT ev_enabled FROM pg_rewrite WHERE rulename = 'also')";
    assert_eq!(shop.target.run_sql("shop", always).unwrap(), "A|A");
}
