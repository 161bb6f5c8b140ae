//! Reads the text form of a record of one column, in which NULL and the empty string differ.
//!
//! `ROW(column)::text` goes through the type's output function, blanks and all, which a cast to text does
//! not for `char(n)`. PostgreSQL documentation, 8.16.6.

/// The value within `(...)`; `None` is NULL. Text of any other form is given back as it is.
pub(crate) fn single_value(record: &str) -> Option<String> {
    let Some(inner) = record.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        return Some(record.to_owned());
    };
    if inner.is_empty() {
        return None;
    }
    let Some(quoted) = inner.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Some(inner.to_owned());
    };
    let mut value = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        value.push(character);
        // Within the quotes a quote and a backslash are always written twice.
        if matches!(character, '"' | '\\') {
            characters.next();
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_empty_plain_and_quoted_values_are_told_apart() {
        assert_eq!(single_value("()"), None);
        assert_eq!(single_value("(\"\")").as_deref(), Some(""));
        assert_eq!(single_value("(a1)").as_deref(), Some("a1"));
        assert_eq!(single_value("(\"a  \")").as_deref(), Some("a  "));
        assert_eq!(single_value(r#"("a""b\\c")"#).as_deref(), Some(r#"a"b\c"#));
        assert_eq!(single_value(r#"("(1,2)")"#).as_deref(), Some("(1,2)"));
    }
}
