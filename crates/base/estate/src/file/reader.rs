//! Reading typed values out of the tree while collecting, not returning, what is wrong.

use std::ops::Range;
use std::path::Path;

use super::problem::Finding;
use super::redact::{Redacted, shown};
use super::tree::{Entry, Node, Value};
use super::variables::{VariableProblem, expand};

/// Collects findings while the tree is walked.
pub(crate) struct Reader<'call> {
    pub(crate) lookup: &'call dyn Fn(&str) -> Option<String>,
    /// Where relative paths begin.
    pub(crate) folder: &'call Path,
    pub(crate) redacted: &'call Redacted,
    pub(crate) findings: Vec<Finding>,
    pub(crate) warnings: Vec<Finding>,
}

/// A text value: as written, as expanded, and where.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) raw: String,
    pub(crate) value: String,
    pub(crate) from_variable: bool,
    pub(crate) span: Range<usize>,
}

impl Reader<'_> {
    /// User input for a message, unless it stands where a secret may be.
    pub(crate) fn shown(&self, input: &str, at: &Range<usize>) -> String {
        if self.redacted.hides(at.start) { "***".to_owned() } else { shown(input) }
    }

    pub(crate) fn report(
        &mut self,
        code: &'static str,
        at: &Range<usize>,
        label: &'static str,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.findings.push(Finding { code, at: at.clone(), message: message.into(), label, hint: hint.into() });
    }

    /// The entries of a mapping, each key once and known (any key when `known` is empty).
    pub(crate) fn entries<'node>(&mut self, node: &'node Node, what: &str, known: &[&str]) -> Vec<&'node Entry> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Broken => return Vec::new(),
            other => {
                self.wrong_type(&node.span, what, "a mapping `key: value`", other);
                return Vec::new();
            }
        };
        let mut kept: Vec<&Entry> = Vec::new();
        for entry in entries {
            if kept.iter().any(|earlier| earlier.key == entry.key) {
                let message = format!("duplicate key `{}` in {what}", self.shown(&entry.key, &entry.key_span));
                let hint = "keep one of the two; the second would silently replace the first".to_owned();
                self.report("estate::duplicate_key", &entry.key_span, "already given above", message, hint);
            } else if !known.is_empty() && !known.contains(&entry.key.as_str()) {
                let message = format!("unknown key `{}` in {what}", self.shown(&entry.key, &entry.key_span));
                let hint = suggestion(&entry.key, known.iter().copied())
                    .unwrap_or_else(|| format!("known here: {}", quoted_list(known.iter().copied())));
                self.report("estate::unknown_key", &entry.key_span, "not known", message, hint);
            } else {
                kept.push(entry);
            }
        }
        kept
    }

    /// The entries of a mapping from names to things; nothing at all is an empty one.
    pub(crate) fn named<'node>(&mut self, node: &'node Node, what: &str) -> Vec<&'node Entry> {
        if matches!(node.value, Value::Null) {
            return Vec::new(); // a section that is still empty is no mistake
        }
        let mut entries = self.entries(node, what, &[]);
        entries.retain(|entry| {
            let is_empty = entry.key.trim().is_empty();
            if is_empty {
                let message = format!("an empty name in {what}");
                self.report("estate::empty", &entry.key_span, "no name", message, None);
            }
            !is_empty
        });
        entries
    }

    /// A text value with its variables put in; `None` when something was reported.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<Text> {
        match &node.value {
            Value::Scalar { text, plain: true } if is_not_text(text) => {
                let message = format!("{what} has to be text, not a number or a truth value");
                let hint = "put it in quotes if it is meant as text".to_owned();
                self.report("estate::wrong_type", &node.span, "not text", message, hint);
                None
            }
            Value::Scalar { text, .. } => self.expanded(text, &node.span),
            Value::Broken => None,
            other => {
                self.wrong_type(&node.span, what, "text", other);
                None
            }
        }
    }

    fn expanded(&mut self, raw: &str, span: &Range<usize>) -> Option<Text> {
        match expand(raw, self.lookup) {
            Ok(expanded) => Some(Text {
                raw: raw.to_owned(),
                value: expanded.text,
                from_variable: expanded.from_variable,
                span: span.clone(),
            }),
            Err(problems) => {
                for problem in problems {
                    self.variable_problem(&problem, span);
                }
                None
            }
        }
    }

    fn variable_problem(&mut self, problem: &VariableProblem, span: &Range<usize>) {
        match problem {
            VariableProblem::Unset(name) => self.report(
                "estate::missing_variable",
                span,
                "needs a variable",
                format!("the variable `{name}` is not set"),
                format!("set it before the command, for example `export {name}=...`"),
            ),
            VariableProblem::Malformed => self.report(
                "estate::malformed_variable",
                span,
                "`${` without a name and `}`",
                "this is not a variable",
                "write `${NAME}`, or `$$` for a dollar sign".to_owned(),
            ),
            VariableProblem::TooLong => self.report(
                "estate::malformed_variable",
                span,
                "too long",
                "the variables put in here hold more than 64 KiB",
                None,
            ),
        }
    }

    /// The texts of a list; an empty list is a problem, with `empty_hint` as the next step.
    pub(crate) fn texts(&mut self, node: &Node, what: &str, empty_hint: &str) -> Vec<Text> {
        match &node.value {
            Value::List(items) if items.is_empty() => {
                let message = format!("{what} is an empty list");
                self.report("estate::empty", &node.span, "nothing in it", message, empty_hint.to_owned());
                Vec::new()
            }
            Value::List(items) => {
                items.iter().filter_map(|item| self.text(item, &format!("an item of {what}"))).collect()
            }
            Value::Broken => Vec::new(),
            other => {
                self.wrong_type(&node.span, what, "a list `[a, b]`", other);
                Vec::new()
            }
        }
    }

    pub(crate) fn wrong_type(&mut self, at: &Range<usize>, what: &str, wanted: &str, found: &Value) {
        let found = match found {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Broken => return,
        };
        let message = format!("{what} has to be {wanted}, but {found} stands here");
        self.report("estate::wrong_type", at, "wrong kind of value", message, None);
    }

    /// Reports keys that have to be there and are not.
    pub(crate) fn require(&mut self, entries: &[&Entry], at: &Range<usize>, what: &str, keys: &[&str]) {
        for key in keys {
            if !entries.iter().any(|entry| entry.key == *key) {
                let message = format!("{what} has no `{key}`");
                self.report("estate::missing_key", at, "incomplete", message, format!("add `{key}: ...`"));
            }
        }
    }
}

fn is_not_text(plain: &str) -> bool {
    matches!(plain, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") || plain.parse::<f64>().is_ok()
}

/// "did you mean `x`?", when one of the known words is close enough to be a slip.
pub(crate) fn suggestion<'known>(written: &str, known: impl IntoIterator<Item = &'known str>) -> Option<String> {
    const WRITTEN_BYTES_MAX: usize = 64;
    if written.len() > WRITTEN_BYTES_MAX {
        return None;
    }
    let lower = written.to_lowercase();
    let (distance, word) = known
        .into_iter()
        .map(|word| {
            (strsim::damerau_levenshtein(&lower.replace('_', "-"), &word.to_lowercase().replace('_', "-")), word)
        })
        .min_by_key(|(distance, _)| *distance)?;
    let allowed = 1 + word.chars().count() / 4;
    (distance <= allowed).then(|| format!("did you mean `{word}`?"))
}

pub(crate) fn quoted_list<'known>(words: impl IntoIterator<Item = &'known str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
