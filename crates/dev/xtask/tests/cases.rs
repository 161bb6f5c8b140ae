//! `docs/cases.md` names every case, and tests that exist.

use std::collections::BTreeSet;

use crate::sources::{root, sources};

/// Case 20 is another database's.
const CASES: [u32; 24] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25];

/// Rows of the table: the case's number, and the tests in backquotes of the last column.
fn rows(text: &str) -> Vec<(u32, Vec<String>, bool)> {
    text.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
            let number = cells.first()?.parse().ok()?;
            let last = cells.get(2)?;
            let tests = last.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).map(str::to_owned);
            Some((number, tests.collect(), last.contains("open")))
        })
        .collect()
}

/// Every `fn` that follows a `#[test]` or `#[tokio::test]`, in the files of a module's last folder or file.
fn exists(test: &str, sources: &[(String, String)]) -> bool {
    let parts: Vec<&str> = test.split("::").collect();
    let [modules @ .., name] = parts.as_slice() else { return false };
    let file = format!("/{}", modules.join("/"));
    sources.iter().any(|(path, text)| {
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.ends_with(&file)
            && ["fn ", "async fn "].iter().any(|keyword| text.contains(&format!("\n{keyword}{name}()")))
    })
}

#[test]
fn every_case_has_its_entry_and_every_entry_tests_that_exist() {
    let rows = rows(&std::fs::read_to_string(root().join("docs/cases.md")).unwrap());
    let numbers: BTreeSet<u32> = rows.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, BTreeSet::from(CASES));
    let found = sources(&root().join("crates"), root());
    for (number, tests, open) in &rows {
        assert!(!tests.is_empty() || *open, "case {number} names neither a test nor what is open");
        for test in tests {
            assert!(exists(test, &found), "case {number} names `{test}`, which is not there");
        }
    }
}

#[test]
fn a_test_that_is_not_there_is_seen() {
    let source = [("x/tests/a/b.rs".to_owned(), "#[test]\nfn c() {}".to_owned())];
    assert!(exists("a::b::c", &source));
    assert!(!exists("a::b::d", &source));
    assert!(!exists("b::a::c", &source));
}
