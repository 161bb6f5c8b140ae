//! What whoever leads clients over asks: is everything applied, did others write, and are both sides equal at rest.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_replicate::{CarriedSequences, MarkerAnswer, MarkerPassed, NotesAnswer, pass_marker, renew_notes};
use atalaya_sandbox::Server;
use atalaya_validate::{Beyond, Method, Plan, RestProof, Scope, beyond_rest, note_from_now_on, take_for_proven};

use super::field::{assert_comes_equal, with_way_back, writes};
use crate::support::Move;

pub(super) const LIMIT: Duration = Duration::from_secs(60);

fn url(text: &str) -> ConnectionUrl {
    ConnectionUrl::parse(text).unwrap()
}

pub(super) async fn session(text: &str) -> Session {
    Session::connect_for_control(&url(text), "test").await.unwrap()
}

fn position(server: &Server, sql: &str) -> Lsn {
    server.run_sql("shop", &format!("SELECT {sql}")).unwrap().trim().parse().unwrap()
}

fn marker(server: &Server) -> Lsn {
    position(server, "pg_logical_emit_message(true, 'atalaya', 'marker')")
}

#[tokio::test]
async fn a_marker_tells_what_others_have_committed_since_the_door_was_shut() {
    let (shop, _running) = with_way_back(13, 18);
    for (read, written) in [(&shop.source, &shop.target_url), (&shop.target, &shop.source_url)] {
        let mut applying = session(written).await;
        let fenced_at = position(read, "pg_current_wal_insert_lsn()");
        let passed = pass_marker(&mut applying, "shop", fenced_at, marker(read), LIMIT).await.unwrap();
        assert_eq!(passed, MarkerAnswer::Passed(MarkerPassed { foreign: 0 }));
        // Of what is committed meanwhile only changes of published tables count, and none of our own.
        read.run_sql("shop", "UPDATE whole SET v = 'a' WHERE id = 1").unwrap();
        read.run_sql("shop", "INSERT INTO log VALUES (1, 'x')").unwrap();
        read.run_sql("shop", "CREATE TABLE IF NOT EXISTS unmoved (); COMMENT ON TABLE unmoved IS 'x'").unwrap();
        read.run_sql(
            "shop",
            "BEGIN; UPDATE atalaya.progress SET marker = marker + 1 WHERE migration = 'shop' AND writer = 0;
             UPDATE whole SET v = v WHERE id = 2; COMMIT",
        )
        .unwrap();
        let at = marker(read);
        let passed = pass_marker(&mut applying, "shop", fenced_at, at, LIMIT).await.unwrap();
        assert_eq!(passed, MarkerAnswer::Passed(MarkerPassed { foreign: 2 }));
        // From before the run nobody knows.
        let unknown = pass_marker(&mut applying, "shop", Lsn(1), at, LIMIT).await.unwrap();
        assert!(matches!(unknown, MarkerAnswer::Unknown(_)), "{unknown:?}");
        // One that is not there yet is waited for, and no longer than asked.
        let never = pass_marker(&mut applying, "shop", fenced_at, Lsn(u64::MAX), Duration::from_millis(50)).await;
        assert!(matches!(never, Err(atalaya_postgres::Error::Timeout { .. })), "{never:?}");
    }
}

/// 13 and 14 send them, too: transactions without a change, as of VACUUM and of our own REVOKE.
#[tokio::test]
async fn what_a_fence_and_a_vacuum_commit_is_nobodys_write_where_it_is_sent_as_well() {
    for major in [13, 14] {
        let (shop, _running) = with_way_back(major, 18);
        let mut applying = session(&shop.target_url).await;
        let slot = "SELECT count(*) FROM pg_create_logical_replication_slot('peeking', 'pgoutput')";
        shop.source.run_sql("shop", &format!("UPDATE whole SET v = v; {slot}")).unwrap();
        let fenced_at = position(&shop.source, "pg_current_wal_insert_lsn()");
        let commits = "VACUUM (ANALYZE) whole; VACUUM (FREEZE) big; ANALYZE plain;
                       REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO PUBLIC";
        shop.source.run_sql("shop", commits).unwrap();
        let at = marker(&shop.source);
        let sent =
            "SELECT count(*) FROM pg_logical_slot_get_binary_changes('peeking', NULL, NULL, 'proto_version', '1',
                        'publication_names', (SELECT string_agg(quote_ident(pubname), ',') FROM pg_publication))
                     WHERE get_byte(data, 0) = ascii('B');
                    SELECT pg_drop_replication_slot('peeking')";
        let sent = shop.source.run_sql("shop", sent).unwrap();
        assert!(sent.trim().parse::<u32>().unwrap() >= 4, "{major} sent {sent}");
        let passed = pass_marker(&mut applying, "shop", fenced_at, at, LIMIT).await.unwrap();
        assert_eq!(passed, MarkerAnswer::Passed(MarkerPassed { foreign: 0 }), "{major}");
    }
}

pub(super) fn plan(source: &str, target: &str) -> Plan {
    let mut plan = Plan::new(url(source), url(target), Scope::Drained { name: "shop".to_owned() });
    plan.method = Method::Touched { full_age_max: Duration::from_secs(3600) };
    plan
}

/// What a proof at rest could not tell of.
async fn beyond(plan: &Plan) -> Vec<(String, Beyond)> {
    let mut beyond: Vec<_> =
        beyond_rest(plan, 0).await.unwrap().into_iter().map(|beyond| (beyond.table.name, beyond.why)).collect();
    beyond.sort_by(|left, right| left.0.cmp(&right.0));
    beyond
}

#[tokio::test]
async fn at_rest_only_what_was_written_since_is_compared_in_either_direction() {
    let (shop, mut running) = with_way_back(15, 17);
    let (forward, back) = (plan(&shop.source_url, &shop.target_url), plan(&shop.target_url, &shop.source_url));
    note_from_now_on(&back).await.unwrap();
    let mut applying_back = session(&shop.source_url).await;
    let noted = renew_notes(&mut applying_back, "shop", LIMIT).await.unwrap();
    assert_eq!(noted, NotesAnswer::Noted);
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    assert_eq!(beyond(&forward).await, [("log".to_owned(), Beyond::NoKey), ("plain".to_owned(), Beyond::NoKey)]);

    let mut at_rest = RestProof::prepare(forward.clone(), 0).await.unwrap();
    let idle = at_rest.pass(LIMIT).await.unwrap();
    assert!(idle.is_clean() && idle.keys == 0 && idle.rows == 0, "{idle:?}");
    shop.source.run_sql("shop", &writes(1)).unwrap();
    assert_comes_equal(&shop, &mut running);
    let found = at_rest.pass(LIMIT).await.unwrap();
    assert!(found.different.is_empty() && found.keys > 10 && found.rows < 100, "{found:?}");
    // Without a key, or emptied: only all of their rows can tell.
    let unproven: Vec<&str> = found.unproven.iter().map(|name| name.name.as_str()).collect();
    assert_eq!(unproven, ["gone", "log", "plain"]);
    let written = [("log".to_owned(), Beyond::NoKeyWritten), ("plain".to_owned(), Beyond::NoKeyWritten)];
    assert_eq!(beyond(&forward).await, written);
    let mut at_rest = RestProof::prepare(forward, 10_000).await.unwrap();
    let clean = at_rest.pass(LIMIT).await.unwrap();
    assert!(clean.is_clean(), "{clean:?}");

    // A difference that nobody's change explains.
    let plant = |value: &str| {
        format!(
            "BEGIN; UPDATE atalaya.progress SET marker = marker + 1 WHERE migration = 'shop' AND writer = 0;
             UPDATE whole SET v = '{value}' WHERE id = 2; COMMIT"
        )
    };
    let right = shop.source.run_sql("shop", "SELECT v FROM whole WHERE id = 2").unwrap();
    shop.target.run_sql("shop", &plant("planted")).unwrap();
    let planted = at_rest.pass(LIMIT).await.unwrap();
    assert_eq!(planted.different.len(), 1);
    assert_eq!((planted.different[0].target.name.as_str(), planted.different[0].different), ("whole", 1));
    shop.target.run_sql("shop", &plant(right.trim())).unwrap();
    let clean = at_rest.pass(LIMIT).await.unwrap();
    assert!(clean.is_clean(), "{clean:?}");

    // Clients are on the new server; the way back's proof rests on the one that was just passed.
    let at = position(&shop.target, "pg_current_wal_insert_lsn()");
    take_for_proven(&back, &session(&shop.source_url).await, at, Duration::from_secs_f64(clean.full_age_seconds))
        .await
        .unwrap();
    shop.target.run_sql("shop", &writes(2)).unwrap();
    assert_comes_equal(&shop, &mut running);
    let mut at_rest = RestProof::prepare(back, 0).await.unwrap();
    let found = at_rest.pass(LIMIT).await.unwrap();
    assert!(found.different.is_empty() && found.keys > 10 && found.rows < 100, "{found:?}");
    let unproven: Vec<&str> = found.unproven.iter().map(|name| name.name.as_str()).collect();
    assert_eq!(unproven, ["gone", "log", "plain"]);
}

#[tokio::test]
async fn sequences_are_carried_to_the_side_that_clients_are_led_to() {
    let (shop, _running) = with_way_back(14, 18);
    let (source, target) = (session(&shop.source_url).await, session(&shop.target_url).await);
    let plan = super::field::plan(&shop);
    let mut carried = CarriedSequences::prepare(&plan, &source, &target).await.unwrap();
    let next = "SELECT nextval('serial_id_seq')";
    let draw = |server: &Server| server.run_sql("shop", next).unwrap().trim().to_owned();
    for _ in 0..5 {
        draw(&shop.source);
    }
    assert_eq!(carried.carry(&source, &target).await.unwrap(), 2);
    assert_eq!(draw(&shop.target), "26");
    draw(&shop.target);
    carried.carry(&target, &source).await.unwrap();
    assert_eq!(draw(&shop.source), "28");
}

#[tokio::test]
async fn the_new_server_is_made_ready_while_changes_are_followed() {
    let (shop, mut running) = with_way_back(14, 18);
    let plan = super::field::plan(&shop);
    atalaya_replicate::ready_target(&plan).await.unwrap();
    atalaya_replicate::ready_target(&plan).await.unwrap();
    let there = "SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND connamespace = 'public'::regnamespace),
                        (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)";
    assert_eq!(shop.target.run_sql("shop", there).unwrap().trim(), "1|1");
    // What is followed fires nothing; what clients write does.
    let audited = |server: &Server| server.run_sql("shop", "SELECT count(*) FROM audit").unwrap();
    shop.source.run_sql("shop", &writes(1)).unwrap();
    assert_comes_equal(&shop, &mut running);
    let before = audited(&shop.target);
    shop.target.run_sql("shop", "INSERT INTO child VALUES (5000, 4711, 'orphan')").unwrap_err();
    let sequence = "SELECT setval(pg_get_serial_sequence('audit', 'id'), 9000)";
    shop.target.run_sql("shop", &format!("{sequence}; UPDATE parent SET v = 'noted' WHERE id = 1")).unwrap();
    assert_ne!(audited(&shop.target), before);
    assert_comes_equal(&shop, &mut running);
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    let _still: &Move = &shop;
}

#[test]
fn a_move_whose_clients_were_led_over_is_finished_without_another_comparison() {
    let (shop, mut running) = with_way_back(16, 17);
    super::field::lead_over(&shop);
    let status = shop.status();
    assert_eq!((&status["serving"], &status["way_back"]["possible"]), (&"target".into(), &true.into()), "{status}");
    shop.target.run_sql("shop", "SELECT setval('serial_id_seq', 900); INSERT INTO whole VALUES (77, 'new')").unwrap();
    assert_comes_equal(&shop, &mut running);
    drop(running);
    // What comes now is on the new server alone.
    shop.target.run_sql("shop", "INSERT INTO whole VALUES (78, 'new')").unwrap();
    shop.done("finish", super::field::START);
    let left =
        "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya') + (SELECT count(*) FROM pg_publication)
                     + (SELECT count(*) FROM pg_replication_slots)";
    for server in [&shop.source, &shop.target] {
        assert_eq!(server.run_sql("shop", left).unwrap().trim(), "0");
    }
    let at = "SELECT last_value, (SELECT count(*) FROM whole), (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) FROM serial_id_seq";
    assert_eq!(shop.target.run_sql("shop", at).unwrap().trim(), "900|22|1");
}

#[tokio::test]
async fn a_proof_at_rest_goes_on_at_no_server_for_longer_than_it_may() {
    let (shop, _running) = with_way_back(15, 17);
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    let forward = plan(&shop.source_url, &shop.target_url);
    let mut at_rest = RestProof::prepare(forward.clone(), 10_000).await.unwrap();
    let holding = session(&shop.target_url).await;
    let touched =
        "INSERT INTO atalaya.touched (migration, schema, name, keys_count) VALUES ('shop', 'public', 'whole', 0)";
    holding.batch(touched).await.unwrap();
    holding.batch("BEGIN; LOCK TABLE public.whole IN ACCESS EXCLUSIVE MODE").await.unwrap();
    // Whoever holds the table holds it until the proof has ended.
    let passed = at_rest.pass(Duration::from_millis(300)).await;
    assert!(!passed.is_ok_and(|report| report.is_clean()));
    holding.batch("COMMIT").await.unwrap();
    let mut at_rest = RestProof::prepare(forward, 10_000).await.unwrap();
    let clean = at_rest.pass(LIMIT).await.unwrap();
    assert!(clean.is_clean(), "{clean:?}");
}
