//! Violations as text: the invariant, the place, the remedy.

use std::fmt::Write;

use super::rules::RULES;
use super::tree::{Tree, Violation};

/// One paragraph for each broken invariant, or one line when all hold.
#[must_use]
pub fn report(tree: &Tree, violations: &[Violation]) -> String {
    let mut text = String::new();
    for rule in RULES {
        let broken: Vec<_> = violations.iter().filter(|violation| violation.rule == rule.id).collect();
        if broken.is_empty() {
            continue;
        }
        // Writing into a String cannot fail.
        let _ok = writeln!(text, "broken invariant `{}`: {}", rule.id, rule.states);
        for violation in broken {
            let Violation { place, seen, remedy, .. } = violation;
            let _ok = writeln!(text, "  {place}: {seen}\n    remedy: {remedy}");
        }
        text.push('\n');
    }
    let (crates, files) = (tree.own().count(), tree.files.len());
    let summary = match violations.len() {
        0 => format!("{} invariants hold", RULES.len()),
        1 => "1 violation".to_owned(),
        several => format!("{several} violations"),
    };
    text + &format!("{summary} ({crates} crates, {files} files, {} packages)\n", tree.packages.len())
}
