//! Invariants about the text of files.

use super::code::without_tests;
use super::tree::{Layer, SourceFile, Tree, Violation};

const LINES_MAX: usize = 700;

pub(crate) fn length(tree: &Tree) -> Vec<Violation> {
    let too_long = |file: &SourceFile| {
        let lines = file.text.lines().count();
        (lines > LINES_MAX).then(|| Violation {
            rule: "file-length",
            place: file.path.clone(),
            seen: format!("{lines} lines"),
            remedy: "part it by subject; a file holds one idea".to_owned(),
        })
    };
    tree.files.iter().filter_map(too_long).collect()
}

pub(crate) fn purpose(tree: &Tree) -> Vec<Violation> {
    let silent = |file: &&SourceFile| {
        let first = file.text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").is_none_or(|text| text.trim().is_empty())
    };
    tree.files
        .iter()
        .filter(silent)
        .map(|file| Violation {
            rule: "file-purpose",
            place: format!("{}:1", file.path),
            seen: "the file does not say why it exists".to_owned(),
            remedy: "open it with `//!` and one sentence: why it exists, what it must never do".to_owned(),
        })
        .collect()
}

pub(crate) fn printing(tree: &Tree) -> Vec<Violation> {
    let remedy = "return the text, or emit a `tracing` event; only apps and the lab write to a terminal";
    scan(tree, "printing", &["println!", "eprintln!", "print!", "eprint!", "dbg!"], remedy)
}

pub(crate) fn environment(tree: &Tree) -> Vec<Violation> {
    let remedy = "take a lookup function from the caller; apps read the environment once";
    scan(tree, "environment", &["env::var", "env::vars", "env::var_os", "env::set_var", "env::args"], remedy)
}

/// Words in the code, outside tests, comments and strings, of crates below the lab.
fn scan(tree: &Tree, rule: &'static str, words: &[&str], remedy: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| is_shipped_below_lab(&file.path)) {
        for (index, line) in without_tests(&file.text).lines().enumerate() {
            // Spaces may stand anywhere between tokens.
            let dense: String = line.split_whitespace().collect();
            if let Some(word) = words.iter().find(|word| holds_word(&dense, word)) {
                found.push(Violation {
                    rule,
                    place: format!("{}:{}", file.path, index + 1),
                    seen: format!("`{word}`"),
                    remedy: remedy.to_owned(),
                });
            }
        }
    }
    found
}

fn is_shipped_below_lab(path: &str) -> bool {
    let below = Layer::of(path).is_some_and(|layer| layer < Layer::Lab);
    // `src/tests.rs` and `src/x/tests/..` are test modules by name.
    below && path.split('/').nth(3) == Some("src") && !path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
}

/// Whether `word` stands in `line`, not as the end or the beginning of a longer word.
fn holds_word(line: &str, word: &str) -> bool {
    let part_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part_of_name) && (word.ends_with('!') || !after.is_some_and(part_of_name))
    })
}
