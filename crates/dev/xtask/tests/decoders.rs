//! `docs/decoders.md` names every file that reads what others have sent, and tests that exist.

use std::collections::BTreeSet;

use crate::sources::{root, sources};

/// Where such files are looked for.
const FOLDERS: [&str; 2] = ["stores/pgwire/src", "capabilities/gateway/src"];

/// What a file holds that reads: a cursor, bytes that become a number, a socket that is read from, a reader of another
/// file or library. The list need not be complete to notice most decoders that are new.
const SIGNS: [&str; 13] = [
    "Cursor::new(",
    "Reader::new(",
    "first_chunk",
    "from_be_bytes(",
    "read_exact(",
    "read_until(",
    "serve_connection(",
    "serde_json::from_",
    "::decode(",
    " header(&",
    "error_field(",
    "session_effects(",
    ".split_once(",
];

/// Rows of the table: the file, and the tests.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').collect();
        let file = cells.first()?.trim().trim_end_matches('`').to_owned();
        let words = cells.get(2)?.split('`').skip(1).step_by(2);
        Some((file, words.filter(|word| word.contains("::")).map(str::to_owned).collect()))
    });
    rows.collect()
}

/// Whether a file whose path ends with the test's modules has a function of its name. Property tests are indented and
/// take arguments, so nothing more is asked.
fn exists(test: &str, sources: &[(String, String)]) -> bool {
    let Some((modules, name)) = test.rsplit_once("::") else { return false };
    let file = format!("/{}.rs", modules.replace("::", "/"));
    sources.iter().any(|(path, text)| path.ends_with(&file) && text.contains(&format!("fn {name}(")))
}

/// Whether a file reads, its tests aside.
fn reads(path: &str, text: &str) -> bool {
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    let is_sign = |line: &str| SIGNS.iter().any(|sign| line.contains(sign));
    !path.ends_with("/arbitrary.rs") && code.into_iter().any(is_sign)
}

#[test]
fn every_file_that_reads_has_its_row_and_every_row_tests_that_exist() {
    let rows = rows(&std::fs::read_to_string(root().join("docs/decoders.md")).unwrap());
    let named: BTreeSet<&str> = rows.iter().map(|(file, _)| file.as_str()).collect();
    let all = sources(&root().join("crates"), &root().join("crates"));
    for (path, text) in all.iter().filter(|(path, _)| FOLDERS.iter().any(|folder| path.starts_with(folder))) {
        let is_known = named.contains(path.as_str()) || !reads(path, text);
        assert!(is_known, "`{path}` reads what others send: name it in docs/decoders.md, with its tests");
    }
    for (file, tests) in &rows {
        assert!(all.iter().any(|(path, _)| path == file), "docs/decoders.md names `{file}`, which is not there");
        assert!(!tests.is_empty(), "`{file}` has no test in docs/decoders.md");
        for test in tests {
            assert!(exists(test, &all), "`{file}` names `{test}` in docs/decoders.md, which is not there");
        }
    }
}

#[test]
fn a_file_that_reads_and_a_test_that_is_not_there_are_seen() {
    assert!(reads("x/src/a.rs", "fn read() {\n    let length = u32::from_be_bytes(bytes);\n}"));
    assert!(!reads("x/src/a.rs", "// u32::from_be_bytes(bytes)\n#[cfg(test)]\nmod tests { u32::from_be_bytes(a) }"));
    let all = [("x/tests/a/b.rs".to_owned(), "proptest! {\n    fn c(d: u8) {}\n}".to_owned())];
    assert!(exists("a::b::c", &all) && !exists("a::b::d", &all) && !exists("b::a::c", &all));
}
