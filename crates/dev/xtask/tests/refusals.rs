//! `docs/what-moves.md` says of every refusal what to do.

use std::collections::BTreeSet;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap()
}

/// Codes that stand as the first argument of a call that makes a refusal.
fn codes(text: &str) -> BTreeSet<String> {
    let after_calls = text.split("refused(").skip(1);
    let quoted = after_calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
    let is_code = |code: &str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    quoted.map(|(code, _)| code.to_owned()).filter(|code| is_code(code)).collect()
}

/// Codes that a judgement made elsewhere gives to what it found.
fn given(text: &str) -> BTreeSet<String> {
    let method = text.split_once("fn code(").and_then(|(_, rest)| rest.split_once("\n    }\n")).map(|(body, _)| body);
    let arms = method.unwrap_or_default().split("=> \"").skip(1);
    arms.filter_map(|arm| arm.split_once('"')).map(|(code, _)| code.to_owned()).collect()
}

fn of_folder(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            of_folder(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(codes(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Codes in backquotes of the first column.
fn rows(text: &str) -> BTreeSet<String> {
    let table = text.split_once("| code |").map(|(_, table)| table).unwrap_or_default();
    let first_cells = table.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_refusal_has_its_row_and_every_row_its_refusal() {
    let mut made = BTreeSet::new();
    of_folder(&root().join("crates/capabilities/replicate/src"), &mut made);
    let fitness = root().join("crates/stores/postgres/src/standby/fitness.rs");
    made.extend(given(&std::fs::read_to_string(fitness).unwrap()));
    let known = ["slot-missing", "already-running", "standby-role"];
    assert!(known.iter().all(|code| made.contains(*code)), "{made:?}");
    assert_eq!(rows(&std::fs::read_to_string(root().join("docs/what-moves.md")).unwrap()), made);
}

#[test]
fn a_code_is_found_on_the_next_line_too() {
    let text = "refused(\n    \"a-b\",\n seen) refused(code, seen) refused(\"c\", x) fn refused(code: &str)";
    assert_eq!(codes(text), BTreeSet::from(["a-b".to_owned(), "c".to_owned()]));
}
