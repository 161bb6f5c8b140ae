//! What is said about wrong files: every problem, each at its place.

use proptest::prelude::*;

use crate::{parse, rendered};

/// `line:column code` of every problem.
fn places(text: &str) -> Vec<String> {
    let errors = parse(text).unwrap_err();
    errors
        .problems()
        .iter()
        .map(|problem| {
            format!("{}:{} {}", problem.line(), problem.column(), problem.code().trim_start_matches("estate::"))
        })
        .collect()
}

fn in_database(entry: &str) -> String {
    format!("estate: a\ndatabases:\n  x: {{ engine: postgres, url: '${{USERS_URL}}' }}\n  y: {entry}\n")
}

fn in_migration(rest: &str) -> String {
    format!(
        "{}migrations:\n  m: {{ source: x, target: y{rest} }}\n",
        in_database("{ engine: postgres, url: '${ORDERS_URL}' }")
    )
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_file() {
    let text = "estate: shop
databasess:
  orders: { engine: postgres }
databases:
  orders: { engine: postgress, url: '${NOWHERE}', color: red }
  orders: { engine: postgres, url: '${USERS_URL}' }
  green: { engine: postgres, url: '${USERS_URL}' }
migrations:
  m: { source: ordrs, target: green, tables: [], conflicts: win }
";
    assert_eq!(
        places(text),
        [
            "2:1 unknown_key",
            "5:21 unknown_engine",
            "5:37 missing_variable",
            "5:51 unknown_key",
            "6:3 duplicate_key",
            "9:16 unknown_database",
            "9:46 empty",
            "9:61 unknown_policy",
        ]
    );
    let errors = parse(text).unwrap_err().listing();
    for hint in
        ["did you mean `databases`?", "did you mean `postgres`?", "did you mean `orders`?", "`NOWHERE` is not set"]
    {
        assert!(errors.contains(hint), "{hint} in {errors}");
    }
    assert!(errors.starts_with("atalaya.yaml:2:1: unknown key `databasess` in the estate file"), "{errors}");
}

#[test]
fn a_report_shows_the_line_and_the_hint() {
    let report = rendered(&parse("estate: a\nmigration:\n  m: {}\n").unwrap_err());
    for part in ["atalaya.yaml:2:1", "migration:", "did you mean `migrations`?", "not known", "estate::unknown_key"] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

#[test]
fn a_cut_password_does_not_shift_the_place_in_a_report() {
    let text = "estate: a\ndatabases:\n  x: { engine: postgres, url: 'postgres://u:longpassword@h/d', colour: red }\n";
    let errors = parse(text).unwrap_err();
    let report = rendered(&errors);
    assert!(report.contains("atalaya.yaml:3:64") && report.contains("postgres://u:***@h/d', colour: red"), "{report}");
    assert_eq!(errors.to_string(), "1 problem in the estate file `atalaya.yaml`");
    assert!(errors.listing().starts_with("atalaya.yaml:3:64: unknown key `colour`"), "{}", errors.listing());
}

#[test]
fn cut_lines_do_not_shift_the_lines_of_a_report() {
    let text = "estate: a\ndatabases:\n  x:\n    password: |\n      one\n      two\n    colour: red\n  y: 1\n";
    let report = rendered(&parse(text).unwrap_err());
    for line in ["7 │     colour: red", "8 │   y: 1", "6 │       ***"] {
        assert!(report.contains(line), "{line} in {report}");
    }
}

#[test]
fn wrong_kinds_of_values_are_named() {
    assert_eq!(places("- a\n"), ["1:1 wrong_type"]);
    assert_eq!(places("estate: [a]\n"), ["1:9 wrong_type"]);
    assert_eq!(places("estate: 12\n"), ["1:9 wrong_type"]);
    assert_eq!(places("estate: a\nservices: 1\n"), ["2:11 wrong_type"]);
    assert_eq!(places(&in_migration(", tables: x")), ["6:38 wrong_type"]);
    assert_eq!(places(&in_migration(", workers: 0")), ["6:39 wrong_type"]);
    assert_eq!(places(&in_migration(", workers: many")), ["6:39 wrong_type"]);
    assert_eq!(places(&in_migration(", ddl_trigger: yes")), ["6:43 wrong_type"]);
    assert_eq!(places(&in_migration(", tables: [a b]")), ["6:39 pattern"]);
    assert_eq!(places(&in_migration(", tables: ['']")), ["6:39 pattern"]);
    assert_eq!(places(&in_database("postgres")), ["4:6 wrong_type"]);
    assert_eq!(places(&in_database("{ engine: postgres, url: 'mysql://h/d' }")), ["4:31 url"]);
}

#[test]
fn what_is_missing_is_named_where_it_belongs() {
    assert_eq!(places("services: {}\n"), ["1:1 missing_key"]);
    assert_eq!(places(&in_database("{ engine: postgres }")), ["4:3 missing_key"]);
    assert_eq!(places("estate: a\nservices:\n  s: { patterns: [CQRS] }\n"), ["3:3 missing_key"]);
    assert_eq!(places(""), ["1:1 empty"]);
    assert_eq!(places("# only a comment\n"), ["1:1 empty"]);
}

#[test]
fn contradictions_are_refused() {
    assert_eq!(places(&in_migration("").replace("target: y", "target: x")), ["6:27 contradiction"]);
    assert_eq!(places(&in_migration("").replace("ORDERS_URL", "USERS_URL")), ["6:27 contradiction"]);
    assert_eq!(places(&in_migration(", tables: [a], exclude: ['\"a\"']")), ["6:39 contradiction"]);
    let other_engine = in_migration("").replace("y: { engine: postgres", "y: { engine: mysql");
    assert_eq!(places(&other_engine), ["6:27 unsupported_engine"]);
}

#[test]
fn services_name_a_database_or_an_engine() {
    let text = "estate: a\nservices:\n  s: { database: redshfit }\n";
    assert_eq!(places(text), ["3:18 unknown_database"]);
    assert!(parse(text).unwrap_err().listing().contains("did you mean `redshift`?"));
}

#[test]
fn broken_yaml_is_placed_and_bounded() {
    assert_eq!(places("estate: a\ndatabases: {\n"), ["2:12 syntax"]);
    assert_eq!(places("estate: a\n---\nestate: b\n"), ["2:1 syntax"]);
    assert_eq!(places("estate: *a\n"), ["1:9 syntax"]);
    assert_eq!(places("estate: !x a\n")[0], "1:12 syntax");
    assert_eq!(places(&format!("estate: {}", "[".repeat(100_000))).len(), 1);
    assert_eq!(places(&"#".repeat(2 * 1024 * 1024)), ["1:1 too_large"]);
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = level - 1;
        bomb += &format!("a{level}: &a{level} [{}*a{below}]\n", format!("*a{below}, ").repeat(9));
    }
    let large = format!("a: &a {}\nb: [{}*a]\n", "x".repeat(500_000), "*a, ".repeat(40_000));
    for text in [bomb, large] {
        let found = places(&text);
        assert!(matches!(found.as_slice(), [one] if one.ends_with(" syntax")), "{found:?}");
    }
}

#[test]
fn columns_count_characters_even_after_a_byte_order_mark() {
    assert_eq!(places("\u{feff}estat: a\n"), ["1:1 unknown_key", "1:1 missing_key"]);
    assert_eq!(
        places("estate: a\ndatabases:\n  größe: { engin: postgres }\n"),
        ["3:3 missing_key", "3:12 unknown_key"]
    );
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_rendered(text in "([a-z]{1,8}|[:{}\\[\\]*&!|>'\"#\\n \\-,?%@$]|é|\\PC){0,60}") {
        if let Err(errors) = parse(&text) {
            rendered(&errors);
        }
    }

    #[test]
    fn a_broken_estate_is_read_without_panic_and_rendered(cut in 0usize..230, junk in "[:{}\\[\\]*&!|>'\"#\\n \\-,a]{0,5}") {
        let text = in_migration(", tables: ['public.*', \"x\"], append_only: [a]");
        let text = format!("{}{junk}{}", &text[..cut.min(text.len())], &text[cut.min(text.len())..]);
        if let Err(errors) = parse(&text) {
            rendered(&errors);
        }
    }
}
