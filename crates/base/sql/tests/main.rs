//! Statements and what is told of them, seen from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]

mod arbitrary;
mod calls;
mod definitions;
mod lexing;
mod objects;
mod plain;
mod prepared;
mod settings;
mod speed;

use atalaya_sql::{PlainStrings, Reading, SessionEffects, TextEncoding, session_effects};

const STANDARD: Reading = Reading { plain_strings: PlainStrings::Standard, encoding: TextEncoding::AsciiSafe };
const BACKSLASHES: Reading = Reading { plain_strings: PlainStrings::Backslashes, encoding: TextEncoding::AsciiSafe };

fn effects(sql: &str) -> SessionEffects {
    session_effects(sql.as_bytes(), STANDARD)
}

/// The effects in words, in the order of the fields; nothing for a plain text.
fn told(effects: &SessionEffects) -> String {
    let flags = [
        (effects.settings, "settings"),
        (effects.session_objects, "objects"),
        (effects.unknown, "unknown"),
        (effects.cannot_be_handed_over, "unseen"),
        (effects.sequence_state, "sequences"),
        (effects.ddl, "ddl"),
    ];
    let mut words: Vec<String> = flags.iter().filter(|(flag, _)| *flag).map(|(_, word)| (*word).to_owned()).collect();
    words.extend(effects.discards.map(|discard| format!("{discard:?}")));
    words.extend(effects.prepared.iter().map(|used| format!("{:?}:{}", used.action, used.name)));
    if !effects.setting_names.is_empty() {
        words.push(format!("[{}]", effects.setting_names.join(" ")));
    }
    words.join(" ")
}

/// Compares every case, and shows all that differ at once.
fn compare(reading: Reading, cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(sql, expected)| {
            let seen = told(&session_effects(sql.as_bytes(), reading));
            (seen != *expected).then(|| format!("{sql}\n    expected: {expected}\n    told:     {seen}\n"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join(""));
}
