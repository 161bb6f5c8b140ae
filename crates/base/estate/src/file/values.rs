//! Single values of an estate file: a name, an engine, a URL, patterns, a policy, a number.

use std::num::{NonZeroU16, NonZeroU32};

use super::model::Engine;
use super::problem::Finding;
use super::reader::{Reader, Text, quoted_list, suggestion};
use super::tree::{Node, Value};
use crate::{ConflictPolicy, ConflictRule, ConflictRules, ConnectionUrl, PolicyError, SecretOrigin, TablePattern};

pub(crate) const WORKERS_MAX: u32 = 64;

pub(crate) fn name_of(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "`estate`")?;
    if text.value.trim().is_empty() {
        reader.report("estate::empty", &text.span, "no name", "the estate has an empty name", None);
        return None;
    }
    Some(text.value)
}

pub(crate) fn engine_of(reader: &mut Reader<'_>, text: &Text) -> Option<Engine> {
    let engine = Engine::from_word(&text.value);
    if engine.is_none() {
        let words = || Engine::ALL.iter().map(|each| each.word());
        let message = format!("unknown engine `{}`", reader.shown(&text.raw, &text.span));
        let hint = suggestion(&text.raw, words()).unwrap_or_else(|| format!("known: {}", quoted_list(words())));
        reader.report("estate::unknown_engine", &text.span, "not known", message, hint);
    }
    engine
}

pub(crate) fn url_of(reader: &mut Reader<'_>, text: &Text) -> Option<ConnectionUrl> {
    match ConnectionUrl::reference(&text.value, reader.lookup) {
        Ok(reference) => {
            if reference.secret == SecretOrigin::Text && !text.from_variable {
                reader.warnings.push(Finding {
                    code: "estate::password_in_file",
                    at: text.span.clone(),
                    message: "a password is written into the estate file".to_owned(),
                    label: "holds a password",
                    hint: Some("keep it in a variable `${NAME}` or in a passfile".to_owned()),
                });
            }
            Some(reference.url)
        }
        Err(error) => {
            let from = if text.from_variable { " (after its variables were put in)" } else { "" };
            reader.report(
                "estate::url",
                &text.span,
                "not usable",
                format!("{error}{from}"),
                error.hint().map(str::to_owned),
            );
            None
        }
    }
}

pub(crate) fn patterns_of(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<(Text, TablePattern)> {
    let mut patterns = Vec::new();
    for text in reader.texts(node, what, "leave the key out to say nothing; `[\"*\"]` means every table") {
        match text.value.parse::<TablePattern>() {
            Ok(pattern) => patterns.push((text, pattern)),
            Err(error) => {
                let message = format!("`{}` in {what}: {error}", reader.shown(&text.raw, &text.span));
                reader.report("estate::pattern", &text.span, "not a pattern", message, Some(error.hint().to_owned()));
            }
        }
    }
    patterns
}

/// One policy for every table, or a mapping from patterns to policies, of which the last that fits counts.
pub(crate) fn conflicts_of(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<ConflictRules> {
    if !matches!(node.value, Value::Map(_)) {
        let text = reader.text(node, what)?;
        let policy = policy_of(reader, &text)?;
        return Some(ConflictRules::new(vec![ConflictRule { tables: None, policy }]));
    }
    let mut rules = Vec::new();
    for entry in reader.entries(node, what, &[]) {
        let pattern = entry.key.parse::<TablePattern>();
        if let Err(error) = &pattern {
            let message = format!("`{}` in {what}: {error}", reader.shown(&entry.key, &entry.key_span));
            let hint = Some(error.hint().to_owned());
            reader.report("estate::pattern", &entry.key_span, "not a pattern", message, hint);
        }
        let text = reader.text(&entry.value, what);
        let policy = text.and_then(|text| policy_of(reader, &text));
        if let (Ok(pattern), Some(policy)) = (pattern, policy) {
            rules.push(ConflictRule { tables: Some(pattern), policy });
        }
    }
    Some(ConflictRules::new(rules))
}

fn policy_of(reader: &mut Reader<'_>, text: &Text) -> Option<ConflictPolicy> {
    match text.value.parse::<ConflictPolicy>() {
        Ok(policy) => Some(policy),
        Err(error) => {
            let message = match error {
                PolicyError::Unknown => {
                    format!("unknown conflict policy `{}`", reader.shown(&text.raw, &text.span))
                }
                PolicyError::NoColumn | PolicyError::Pattern(_) => error.to_string(),
            };
            let known = || quoted_list(ConflictPolicy::WORDS);
            let hint = match error {
                PolicyError::Unknown => {
                    suggestion(&text.raw, ConflictPolicy::WORDS).unwrap_or_else(|| format!("known: {}", known()))
                }
                PolicyError::NoColumn | PolicyError::Pattern(_) => error.hint().to_owned(),
            };
            reader.report("estate::unknown_policy", &text.span, "not known", message, hint);
            None
        }
    }
}

/// `true` or `false`; anything else is told, and `false`.
pub(crate) fn flag_of(reader: &mut Reader<'_>, node: &Node, what: &str) -> bool {
    match &node.value {
        Value::Scalar { text, plain: true } if text == "true" => return true,
        Value::Scalar { text, plain: true } if text == "false" => return false,
        Value::Broken => return false,
        _ => {}
    }
    reader.report("estate::wrong_type", &node.span, "not known", format!("{what} has to be `true` or `false`"), None);
    false
}

pub(crate) fn workers_of(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<NonZeroU16> {
    number_of(reader, node, what, WORKERS_MAX).and_then(|number| number.try_into().ok())
}

/// A whole number from 1 to `most`; anything else is told.
pub(crate) fn number_of(reader: &mut Reader<'_>, node: &Node, what: &str, most: u32) -> Option<NonZeroU32> {
    let number = match &node.value {
        Value::Scalar { text, plain: true } => text.parse::<NonZeroU32>().ok(),
        Value::Broken => return None,
        _ => None,
    };
    let number = number.filter(|number| number.get() <= most);
    if number.is_none() {
        let message = format!("{what} has to be a whole number from 1 to {most}");
        reader.report("estate::wrong_type", &node.span, "out of range", message, None);
    }
    number
}
