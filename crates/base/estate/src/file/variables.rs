//! `${VAR}` in the values of an estate file.
//!
//! The environment is never read here: the caller passes the lookup in. What a variable held must not reach
//! a message, so problems name the variable only.

use crate::reference::is_variable_name;

/// Text after expansion.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// Whether any part came from a variable.
    pub(crate) from_variable: bool,
}

/// Why a text could not be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum VariableProblem {
    /// The variable has no value.
    Unset(String),
    /// `${` without `}`, or something else than a name between them.
    Malformed,
    /// The values put in are larger than any setting can be.
    TooLong,
}

const EXPANDED_BYTES_MAX: usize = 64 * 1024;

/// Replaces `${NAME}` by its value, once, and `$$` by `$`; any other `$` stays.
pub(crate) fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, Vec<VariableProblem>> {
    let mut expanded = Expanded { text: String::with_capacity(text.len()), from_variable: false };
    let mut problems = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.text.push_str(before);
        if let Some(after_second) = after.strip_prefix('$') {
            expanded.text.push('$');
            rest = after_second;
        } else if let Some(inside) = after.strip_prefix('{') {
            match inside.split_once('}') {
                Some((name, after_close)) if is_variable_name(name) => {
                    match lookup(name) {
                        Some(value) => expanded.text.push_str(&value),
                        None => problems.push(VariableProblem::Unset(name.to_owned())),
                    }
                    expanded.from_variable = true;
                    rest = after_close;
                }
                _ => {
                    problems.push(VariableProblem::Malformed);
                    rest = "";
                }
            }
        } else {
            expanded.text.push('$');
            rest = after;
        }
        if expanded.text.len() > EXPANDED_BYTES_MAX {
            problems.push(VariableProblem::TooLong);
            break;
        }
    }
    expanded.text.push_str(rest);
    if problems.is_empty() { Ok(expanded) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "A").then(|| "${A}$$".to_owned())
    }

    #[test]
    fn values_are_put_in_once_and_dollars_escape() {
        let expanded = expand("x${A}y$$z$5 $${A}$", &lookup).unwrap();
        assert_eq!(expanded.text, "x${A}$$y$z$5 ${A}$");
        assert!(expanded.from_variable);
    }

    #[test]
    fn every_missing_variable_is_named_and_broken_ones_are_seen() {
        assert_eq!(
            expand("${B}${C}", &lookup),
            Err(vec![VariableProblem::Unset("B".into()), VariableProblem::Unset("C".into())])
        );
        for text in ["${", "${}", "${A", "${9}", "${A:-x}"] {
            assert_eq!(expand(text, &lookup), Err(vec![VariableProblem::Malformed]), "{text}");
        }
    }
}
