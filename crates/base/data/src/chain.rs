//! An error with its causes, in one line.
//!
//! Errors keep their cause apart and never repeat it in their own text, so it has to be said where an error is
//! shown: here, once, for every part that shows one.

use std::error::Error;

/// The error's text, followed by each of its causes.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn every_cause_is_said_once() {
        let inner = std::io::Error::other("the innermost");
        assert_eq!(chain(&Outer(inner)), "the outer: the innermost");
        assert_eq!(chain(&std::fmt::Error), std::fmt::Error.to_string());
    }
}
