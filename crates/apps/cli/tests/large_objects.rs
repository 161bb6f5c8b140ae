//! Large objects: refused unless decided, brought over when asked for, and never left behind changed.

use crate::support::Move;

const OBJECTS: &str = "
CREATE ROLE clerk; CREATE ROLE reader;
CREATE TABLE scan (id int PRIMARY KEY, object oid);
SELECT lo_create(n) FROM generate_series(70001, 71200) n;
SELECT lo_put(n::oid, 0, convert_to('object ' || n, 'UTF8')) FROM generate_series(70001, 71199) n;
SELECT lo_from_bytea(80001, decode(repeat('00ff10', 1100000), 'hex'));
INSERT INTO scan VALUES (1, 80001), (2, 70001);
ALTER LARGE OBJECT 70001 OWNER TO clerk; GRANT SELECT ON LARGE OBJECT 70001 TO reader;
";
const ROLES: &str = "CREATE ROLE clerk; CREATE ROLE reader";
/// Everything about every large object, as psql sees it.
const DIGESTS: &str = "SELECT count(*), md5(string_agg(format('%s %s %s %s', oid, md5(lo_get(oid)),
    pg_get_userbyid(lomowner), (SELECT string_agg(a::text, ',' ORDER BY a::text)
    FROM (SELECT pg_get_userbyid(grantee), privilege_type FROM aclexplode(lomacl) WHERE grantee <> lomowner) a)),
    ',' ORDER BY oid)) FROM pg_largeobject_metadata";
const CAUGHT_UP: &[&str] = &["--stop-when", "caught-up"];
const COPIED: &[&str] = &["--copy-large-objects", "--stop-when", "caught-up"];

fn shop(from: u16, to: u16) -> Move {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", OBJECTS).unwrap();
    shop.target.run_sql("shop", ROLES).unwrap();
    shop
}

fn assert_same(shop: &Move) {
    let source = shop.source.run_sql("shop", DIGESTS).unwrap();
    assert!(source.starts_with("1201|"), "{source}");
    assert_eq!(shop.target.run_sql("shop", DIGESTS).unwrap(), source);
}

#[test]
fn large_objects_arrive_with_owners_and_grants_and_one_that_changes_keeps_the_move_from_its_end() {
    let shop = shop(13, 18);
    let undecided = shop.run("start", CAUGHT_UP);
    assert_eq!(undecided.code, Some(4), "{}", undecided.stderr);
    assert!(undecided.stderr.contains("large-objects: 1201 large objects"), "{}", undecided.stderr);
    // Killed after some of them, the same command brings the rest.
    let killed = shop.spawn_with("start", COPIED, &[("ATALAYA_FAILPOINT", "large-object-brought:600")]).wait();
    assert_eq!(killed.signal, Some(9), "{}", killed.stderr);
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM pg_largeobject_metadata").unwrap(), "600");
    let ran = shop.run("start", COPIED);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains(r#""objects":601"#), "{}", ran.stderr);
    assert_same(&shop);

    shop.source.run_sql("shop", "SELECT lo_put(80001, 3000000, 'q7-unmistakable')").unwrap();
    let refused = shop.run("finish", &[]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("1 large objects are not the same"), "{}", refused.stderr);
    assert!(refused.stderr.contains("80001"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("q7-unmistakable"), "{}", refused.stderr);
    // One that only the target has is not removed for anybody.
    shop.target.run_sql("shop", "SELECT lo_create(90001)").unwrap();
    let refused = shop.run("finish", &["--copy-large-objects"]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("90001"), "{}", refused.stderr);
    shop.target.run_sql("shop", "SELECT lo_unlink(90001)").unwrap();
    shop.done("finish", &[]);
    assert_same(&shop);
    shop.assert_equal();
}

#[test]
fn large_objects_that_are_excluded_stay_behind() {
    let shop = shop(16, 17);
    shop.done("start", &["--exclude-large-objects", "--stop-when", "caught-up"]);
    shop.done("finish", &["--exclude-large-objects"]);
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM pg_largeobject_metadata").unwrap(), "0");
}
