//! The estate file as it may be shown: secrets cut out, places kept.
//!
//! A diagnostic shows the line it speaks of, and that line may hold a connection URL with a password.
//! The rule is to cut too much rather than too little: what cannot be told apart from a secret is hidden.

use std::ops::Range;

use super::tree::{Role, SeenScalar};
use crate::Verifier;
use crate::reference::is_variable_name;

const MASK: &str = "***";
const SECRET_WORDS: [&str; 8] =
    ["password", "passwd", "pwd", "passphrase", "secret", "token", "credential", "verifier"];
/// How a verifier begins, wherever it stands.
const VERIFIER_SCHEME: &str = "SCRAM-SHA-256$";
/// How far a password may run over line ends in a file whose YAML is broken, in bytes.
const RUN_ON_BYTES_MAX: usize = 512;

/// Text without secrets, and where each byte of the original went.
#[derive(Debug)]
pub(crate) struct Redacted {
    pub(crate) text: String,
    cuts: Vec<Range<usize>>,
}

impl Redacted {
    /// Hides the secrets of a whole file. `scalars` are those read before the first syntax error.
    pub(crate) fn file(original: &str, scalars: &[SeenScalar], broken: bool) -> Self {
        let mut cuts = verifiers(original);
        let mut secret_key = false;
        let mut read_until = 0;
        for (index, scalar) in scalars.iter().enumerate() {
            let SeenScalar { text, span, role } = scalar;
            let from = start_with_properties(original, read_until, span.start);
            read_until = read_until.max(span.end);
            let raw = original.get(span.clone()).unwrap_or_default();
            let decoded_only = text.contains("://") && !raw.contains("://");
            let may_be_secret = match role {
                Role::Any => secret_key,
                Role::ValueAmongSecrets => true,
                // A key without a value, or with a tag or anchor: a secret in place of a mapping.
                Role::KeyAmongSecrets => {
                    from < span.start || scalars.get(index + 1).is_none_or(|value| value.span.is_empty())
                }
            };
            if is_reference(text) {
                // It says where a secret is.
            } else if may_be_secret && text.parse::<Verifier>().is_ok() {
                cuts.push(span.clone());
            } else if may_be_secret || decoded_only {
                // A comma or quote in a secret ends the scalar early: the rest of the line may belong to it.
                cuts.push(from..line_end(original, span.start + raw.trim_end().len()));
            } else {
                for cut in secrets(raw, Extent::Value) {
                    let (start, end) = (span.start + cut.start, span.start + cut.end);
                    // To the end of the value: a comma may have torn a secret that came last.
                    let torn = end == span.end || span.end - end == 1;
                    cuts.push(start..if torn { line_end(original, end) } else { end.max(last_at_sign(original, end)) });
                }
                if !raw.contains('@') && may_lose_its_end(raw) && last_at_sign(original, span.end) > 0 {
                    cuts.push(span.start..last_at_sign(original, span.end));
                }
            }
            secret_key = secret_word(text).is_some() && !raw.contains(['=', ' ', '/']) && !is_reference(text);
        }
        let read_until = if broken { read_until } else { original.len() };
        let mut start = 0;
        for line in original.split_inclusive('\n') {
            if start + line.len() > read_until {
                // What follows a syntax error is read without knowing where values end.
                let rest = original.get(start..).unwrap_or_default();
                cuts.extend(secrets(rest, Extent::Lines).into_iter().map(|cut| shift(cut, start)));
                cuts.extend(lines_below_secret_keys(original).into_iter().filter(|cut| cut.start >= start));
                break;
            }
            let comment = line.match_indices('#').find(|(at, _)| {
                let before = line.get(..*at).unwrap_or_default();
                before.is_empty() || before.ends_with([' ', '\t'])
            });
            if let Some((at, _)) = comment {
                let text = line.get(at..).unwrap_or_default().trim_end();
                cuts.extend(secrets(text, Extent::Lines).into_iter().map(|cut| shift(cut, start + at)));
            }
            start += line.len();
        }
        Self::cut(original, cuts)
    }

    /// Whether a place lies within something hidden, so that what stands there must not be repeated.
    pub(crate) fn hides(&self, original: usize) -> bool {
        self.cuts.iter().any(|cut| cut.contains(&original))
    }

    fn cut(original: &str, cuts: Vec<Range<usize>>) -> Self {
        let mut cuts: Vec<_> = cuts.into_iter().flat_map(|cut| line_by_line(original, cut)).collect();
        cuts.sort_by_key(|cut| cut.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for cut in cuts.into_iter().filter(|cut| !cut.is_empty()) {
            match merged.last_mut() {
                Some(last) if cut.start <= last.end => last.end = last.end.max(cut.end),
                _ => merged.push(cut),
            }
        }
        let mut text = String::with_capacity(original.len());
        let mut from = 0;
        for cut in &merged {
            text.push_str(original.get(from..cut.start).unwrap_or_default());
            text.push_str(MASK);
            from = cut.end;
        }
        text.push_str(original.get(from..).unwrap_or_default());
        Self { text, cuts: merged }
    }

    /// Where a byte of the original stands in the redacted text.
    pub(crate) fn place(&self, original: usize) -> usize {
        let mut place = original;
        for cut in &self.cuts {
            if original >= cut.end {
                place = place.saturating_sub(cut.len()).saturating_add(MASK.len());
            } else if original > cut.start {
                place = place.saturating_sub(original - cut.start);
            }
        }
        place.min(self.text.len())
    }
}

/// A short piece of user input for a message: secrets hidden, control characters escaped, length bounded.
pub(crate) fn shown(input: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    let clean = Redacted::cut(input, [secrets(input, Extent::Lines), verifiers(input)].concat()).text;
    let mut text: String = clean
        .chars()
        .take(SHOWN_CHARS_MAX)
        .flat_map(|each| if each.is_control() { each.escape_default().collect() } else { vec![each] })
        .collect();
    if clean.chars().nth(SHOWN_CHARS_MAX).is_some() {
        text.push_str("...");
    }
    text
}

fn shift(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

fn secret_word(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    SECRET_WORDS.iter().filter_map(|word| lower.find(word).map(|at| at + word.len())).min()
}

/// The parts of a range on each of its lines: a report counts the lines of what is left.
fn line_by_line(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    for line in text.get(range).unwrap_or_default().split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let indent = if parts.is_empty() { 0 } else { content.len() - content.trim_start().len() };
        parts.push(start + indent..start + content.len());
        start += line.len();
    }
    parts
}

/// Where a value begins, with what YAML takes for a tag or an anchor: a secret may begin with `!` or `&`.
fn start_with_properties(original: &str, after: usize, start: usize) -> usize {
    original.get(after..start).and_then(|between| between.find(['!', '&'])).map_or(start, |at| after + at)
}

/// Verifiers, wherever they stand: to their end, or to that of the line where they are none.
fn verifiers(text: &str) -> Vec<Range<usize>> {
    let cut = |(at, scheme): (usize, &str)| {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=:$".contains(byte);
        let rest = text.get(at + scheme.len()..).unwrap_or_default();
        let end = at + scheme.len() + rest.bytes().take_while(is_part).count();
        let is_whole = text.get(at..end).is_some_and(|whole| whole.parse::<Verifier>().is_ok());
        at..if is_whole { end } else { line_end(text, at) }
    };
    text.match_indices(VERIFIER_SCHEME).map(cut).collect()
}

/// Text that says where a secret is, and is none: `env:NAME`, `file:PATH`, `${NAME}`.
fn is_reference(text: &str) -> bool {
    let is_path = |path: &str| path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let variable = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    text.strip_prefix("env:").or(variable).is_some_and(is_variable_name)
        || text.strip_prefix("file:").is_some_and(is_path)
}

/// What stands behind a key of secrets, and on deeper lines: all that is left of structure in broken YAML.
/// (A key that only resembles one costs a less telling report.)
fn lines_below_secret_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut key_indent = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        let indent = line.len() - line.trim_start().len();
        if key_indent.is_some_and(|key| indent > key) && !content.is_empty() {
            found.push(start + indent..start + indent + content.len());
        } else if let Some((key, value)) = content.split_once(':') {
            let word = key.trim_matches(['"', '\'', ' ', '-']);
            key_indent = (word == "users" || secret_word(word).is_some()).then_some(indent);
            if key_indent.is_some() && !value.is_empty() {
                found.push(start + indent + key.len() + 1..start + indent + content.len());
            }
        } else if !content.is_empty() {
            key_indent = None;
        }
        start += line.len();
    }
    found
}

/// How far a secret may reach.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// The text is one value: to its end.
    Value,
    /// Lines of unknown structure: to the end of the line, and on to a nearby `@` when the line has none.
    Lines,
}

/// The byte ranges of `text` that may be secret.
fn secrets(text: &str, extent: Extent) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    // An escape that was not decoded can spell anything, a URL too.
    while let Some(at) = text.get(from..).and_then(|rest| rest.find('\\')).filter(|_| extent == Extent::Lines) {
        let end = line_end(text, from + at);
        found.push(from + at..end);
        from = end;
    }
    from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let authority = from + at + "://".len();
        found.extend(user_information(text, authority, extent));
        from = authority;
    }
    from = 0;
    while let Some(at) = text.get(from..).and_then(secret_word) {
        from += at;
        found.extend(assigned(text, from, extent));
    }
    found
}

fn line_end(text: &str, from: usize) -> usize {
    text.get(from..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| from + at)
}

/// The place of the last `@` between `from` and the end of its line, or 0.
fn last_at_sign(text: &str, from: usize) -> usize {
    text.get(from..line_end(text, from)).and_then(|rest| rest.rfind('@')).map_or(0, |at| from + at)
}

/// A URL that may have been torn apart at a comma or quote of its password.
fn may_lose_its_end(raw: &str) -> bool {
    raw.split_once("://").is_some_and(|(_, authority)| authority.contains(':'))
}

/// From the first `:` of a URL's authority to the last `@` that can belong to it.
fn user_information(text: &str, authority: usize, extent: Extent) -> Option<Range<usize>> {
    let own_line = line_end(text, authority);
    let limit = if extent == Extent::Lines { own_line } else { text.len() };
    let colon = authority + text.get(authority..limit)?.find(':')?;
    let after = text.get(colon + 1..limit)?;
    if extent == Extent::Value
        && let Some(at) = after.rfind('@')
    {
        return Some(colon + 1..colon + 1 + at);
    }
    // No `@`: either `host:port/database`, or a password whose end was lost.
    let port = after.bytes().take_while(u8::is_ascii_digit).count();
    let closed = after.get(port..).is_some_and(|tail| tail.is_empty() || tail.starts_with(['/', '?', '"', '\'']));
    if (1..=5).contains(&port) && closed && !after.contains('@') {
        return None;
    }
    let run_on = text.get(colon + 1..).unwrap_or_default();
    let end = run_on.find('@').filter(|at| extent == Extent::Lines && *at <= RUN_ON_BYTES_MAX);
    Some(colon + 1..limit.max(end.map_or(0, |at| line_end(text, colon + 1 + at))))
}

/// The value after `password=`, `"password": ` and the like.
fn assigned(text: &str, after_word: usize, extent: Extent) -> Option<Range<usize>> {
    let limit = if extent == Extent::Lines { line_end(text, after_word) } else { text.len() };
    let rest = text.get(after_word..limit)?;
    let gap = rest.find(['=', ':'])?;
    let joined = rest.get(..gap)?.chars().all(|each| each.is_alphanumeric() || "_-\"' ".contains(each));
    let value = after_word + gap + 1;
    (joined && !text.get(value..limit)?.trim().is_empty()).then_some(value..limit)
}
