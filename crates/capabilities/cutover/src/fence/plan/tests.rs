//! Plans as they are written; that they do what they say is shown on real servers.

use super::*;
use crate::fence::statements;

fn role(name: &str) -> Grantee {
    Grantee::Role(name.to_owned())
}

fn entry(grantee: Grantee, grantor: &str, rights: &[(Privilege, Grantable)]) -> Entry {
    Entry { grantee, grantor: grantor.to_owned(), rights: rights.to_vec() }
}

fn rights(power: Power, entries: Vec<Entry>) -> Rights {
    Rights {
        database: "shop".to_owned(),
        owner: "own".to_owned(),
        text: Some("{}".to_owned()),
        entries,
        role: "mover".to_owned(),
        power,
    }
}

const CONNECT: (Privilege, Grantable) = (Privilege::Connect, Grantable::No);
const TEMPORARY: (Privilege, Grantable) = (Privilege::Temporary, Grantable::No);

#[test]
fn a_member_of_the_owner_lets_itself_in_and_revokes_as_the_owner() {
    let entries =
        vec![entry(Grantee::Public, "own", &[TEMPORARY, CONNECT]), entry(role("app"), "own", &[TEMPORARY, CONNECT])];
    let plan = Plan::of(rights(Power::Ordinary, entries));
    let by_owner = |statement: &str| format!("SET LOCAL ROLE \"own\"; {statement}; SET LOCAL ROLE NONE;");
    assert_eq!(
        plan.raising(),
        [
            by_owner("GRANT CONNECT ON DATABASE \"shop\" TO \"mover\""),
            by_owner("REVOKE CONNECT ON DATABASE \"shop\" FROM \"app\""),
            by_owner("REVOKE CONNECT ON DATABASE \"shop\" FROM PUBLIC"),
        ]
    );
    // No entry loses its place: only what was taken is given back.
    assert_eq!(
        plan.lifting(),
        [
            by_owner("REVOKE CONNECT ON DATABASE \"shop\" FROM \"mover\""),
            by_owner("GRANT CONNECT ON DATABASE \"shop\" TO PUBLIC"),
            format!(
                "IF pg_catalog.to_regrole('\"app\"') IS NOT NULL THEN {} END IF;",
                by_owner("GRANT CONNECT ON DATABASE \"shop\" TO \"app\"")
            ),
        ]
    );
}

#[test]
fn who_got_a_right_from_others_loses_it_first_and_gets_it_last() {
    let gives_on = (Privilege::Connect, Grantable::Yes);
    let entries = vec![
        entry(role("a"), "own", &[gives_on]),
        entry(role("b"), "a", &[gives_on]),
        entry(role("c"), "b", &[CONNECT]),
    ];
    let plan = Plan::of(rights(Power::Superuser, entries));
    let named = |statements: &[String], word: &str| -> Vec<String> {
        let of = statements.iter().filter(|statement| statement.contains(word));
        of.map(|statement| statement.rsplit('"').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(named(plan.raising(), "REVOKE CONNECT"), ["c", "b", "a"]);
    assert_eq!(named(plan.lifting(), "GRANT CONNECT"), ["a", "b", "c"]);
    assert_eq!(plan.grantors().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn what_lifts_the_fence_of_an_epoch_names_it_and_is_one_statement() {
    let plan = Plan::of(rights(Power::Superuser, vec![entry(Grantee::Public, "own", &[CONNECT])]));
    let lifting = statements::lifting(&plan, "it's", 7);
    assert!(lifting.starts_with("DO $fence$") && lifting.ends_with("$fence$"), "{lifting}");
    for part in ["database = 'it''s'", "mine.lifted < 7", "mine.raised = 7", "SET lifted = 7"] {
        assert!(lifting.contains(part), "{part}: {lifting}");
    }
}
