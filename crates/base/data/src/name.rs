//! Names of relations, and the functions by which what is shipped quotes for SQL.

use std::fmt;

/// A schema-qualified relation name, exactly as the catalog holds it (no quoting, any character).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct RelationName {
    /// The schema's name.
    pub schema: String,
    /// The relation's own name.
    pub name: String,
}

impl RelationName {
    /// Puts a schema's and a relation's name together.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// The name as an argument for a shell to be typed as it stands: quoted for SQL only where that is needed, and for the
    /// shell around it.
    #[must_use]
    pub fn to_argument(&self) -> String {
        let part = |name: &str| if is_plain(name) { name.to_owned() } else { quote_identifier(name) };
        shell_argument(&format!("{}.{}", part(&self.schema), part(&self.name)))
    }

    /// The name as SQL, always quoted.
    #[must_use]
    pub fn to_sql(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }
}

/// For people: quoted only where SQL would need it, control characters escaped.
impl fmt::Display for RelationName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |name: &str| {
            if is_plain(name) {
                name.to_owned()
            } else {
                let shown: String = name
                    .chars()
                    .flat_map(|each| if each.is_control() { each.escape_default().collect() } else { vec![each] })
                    .collect();
                quote_identifier(&shown)
            }
        };
        write!(formatter, "{}.{}", part(&self.schema), part(&self.name))
    }
}

/// Whether SQL takes an identifier as it stands; keywords apart, which patterns do not know.
fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '_')
}

/// A word for a POSIX shell; one with control characters as bash, ksh and zsh write it, so that none reaches a terminal.
fn shell_argument(text: &str) -> String {
    if text.chars().all(|each| each.is_ascii_alphanumeric() || "._-".contains(each)) {
        return text.to_owned();
    }
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let escaped = text.chars().map(|each| match each {
        '\'' | '\\' => format!("\\{each}"),
        _ if each.is_control() => format!("\\u{:04x}", u32::from(each)),
        _ => each.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

/// An identifier for SQL text, always within double quotes.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal for SQL text, right under either setting of `standard_conforming_strings`.
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_stay_within_the_quotes() {
        assert_eq!(RelationName::new("a\"b", "c.d").to_sql(), "\"a\"\"b\".\"c.d\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'b"), "E'a\\\\''b'");
    }

    #[test]
    fn an_argument_can_be_typed_into_a_shell_as_it_stands() {
        let argument = |name: &str| RelationName::new("public", name).to_argument();
        assert_eq!(argument("orders_1"), "public.orders_1");
        assert_eq!(argument("od\"d na.me"), "'public.\"od\"\"d na.me\"'");
        assert_eq!(argument("it's"), "'public.\"it'\\''s\"'");
        assert_eq!(argument("a\n'b\\"), "$'public.\"a\\u000a\\'b\\\\\"'");
    }

    #[test]
    fn people_see_quotes_only_where_needed() {
        assert_eq!(RelationName::new("public", "orders_1").to_string(), "public.orders_1");
        assert_eq!(RelationName::new("public", "Odd\nname").to_string(), "public.\"Odd\\nname\"");
    }
}
