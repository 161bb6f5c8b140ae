//! A statement's text without what may be a value: it ends in messages and logs, and a default is a value of every row.
//!
//! Never a parser: where it cannot be sure that it still reads what the server read, the text ends.

/// Bytes of a statement that are shown.
const SHOWN_BYTES: usize = 300;

/// The text with literals, numbers and dollar-quoted parts as `?`, without comments, on one line, cut where it is long.
pub(super) fn without_values(text: &str) -> String {
    let mut scanner = Scanner { rest: text, shown: String::new() };
    while scanner.step() == Step::GoOn {
        if scanner.shown.len() > SHOWN_BYTES {
            scanner.shown.truncate(scanner.shown.floor_char_boundary(SHOWN_BYTES));
            scanner.shown.push_str("...");
            break;
        }
    }
    scanner.shown.trim_end().to_owned()
}

/// Somebody else's word for a name or a time, as it may stand in a message: short, and on one line.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|each| !each.is_control()).take(63).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    GoOn,
    End,
}

struct Scanner<'a> {
    rest: &'a str,
    shown: String,
}

impl<'a> Scanner<'a> {
    /// Takes one token.
    fn step(&mut self) -> Step {
        let Some(first) = self.rest.chars().next() else { return Step::End };
        match first {
            '\'' => return self.literal(),
            '"' => {
                let length = quoted_length(self.rest, '"').unwrap_or(self.rest.len());
                self.show(length);
            }
            '$' => return self.dollar(),
            '-' if self.rest.starts_with("--") => {
                let length = self.rest.find('\n').unwrap_or(self.rest.len());
                self.skip(length);
            }
            '/' if self.rest.starts_with("/*") => match comment_length(self.rest) {
                Some(length) => self.skip(length),
                None => return Step::End,
            },
            '0'..='9' => {
                self.take_while(|each| each.is_alphanumeric() || matches!(each, '.' | '_'));
                self.shown.push('?');
            }
            _ if first.is_alphabetic() || first == '_' => {
                let word = self.take_while(|each| each.is_alphanumeric() || matches!(each, '_' | '$'));
                self.shown.push_str(word);
            }
            _ if first.is_whitespace() || first.is_control() => {
                self.take_while(|each| each.is_whitespace() || each.is_control());
                if !self.shown.is_empty() && !self.shown.ends_with(' ') {
                    self.shown.push(' ');
                }
            }
            _ => self.show(first.len_utf8()),
        }
        Step::GoOn
    }

    /// A literal; one with a backslash ends where only the server's settings tell.
    fn literal(&mut self) -> Step {
        self.shown.push('?');
        match quoted_length(self.rest, '\'') {
            Some(length) if !self.rest.get(..length).unwrap_or_default().contains('\\') => {
                self.skip(length);
                Step::GoOn
            }
            _ => Step::End,
        }
    }

    /// `$tag$ ... $tag$`, or a parameter.
    fn dollar(&mut self) -> Step {
        self.shown.push('?');
        let after = self.rest.get(1..).unwrap_or_default();
        let length = after.find(|each: char| !(each.is_alphanumeric() || each == '_')).unwrap_or(after.len());
        if after.get(length..).is_none_or(|end| !end.starts_with('$')) {
            self.skip(1 + length);
            return Step::GoOn;
        }
        let (tag, body) = self.rest.split_at_checked(length + 2).unwrap_or((self.rest, ""));
        match body.find(tag) {
            Some(at) => {
                self.skip(tag.len() + at + tag.len());
                Step::GoOn
            }
            None => Step::End,
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(|each| !belongs(each)).unwrap_or(self.rest.len());
        let taken = self.rest.get(..length).unwrap_or_default();
        self.skip(length);
        taken
    }

    fn show(&mut self, length: usize) {
        let taken = self.rest.get(..length).unwrap_or_default();
        self.shown.extend(taken.chars().map(|each| if each.is_control() { ' ' } else { each }));
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }
}

/// Bytes of what begins with a quote, both quotes counted; doubled ones are part of it. None where it does not end.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut from = quote.len_utf8();
    loop {
        let at = from + text.get(from..)?.find(quote)? + quote.len_utf8();
        if !text.get(at..)?.starts_with(quote) {
            return Some(at);
        }
        from = at + quote.len_utf8();
    }
}

/// Bytes of a comment, with those within it. None where it does not end.
fn comment_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let next = rest.find(['/', '*'])?;
        let rest = rest.get(next..)?;
        at += next;
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_be_a_value_is_not_shown() {
        for (text, shown) in [
            ("ALTER TABLE a\n  ADD x int DEFAULT 42", "ALTER TABLE a ADD x int DEFAULT ?"),
            (
                "ALTER TABLE \"it's 1\" ADD t1 text DEFAULT 'it''s'||'b'",
                "ALTER TABLE \"it's 1\" ADD t1 text DEFAULT ?||?",
            ),
            ("ALTER TABLE a ADD x text DEFAULT $q$it's$q$, ADD y int", "ALTER TABLE a ADD x text DEFAULT ?, ADD y int"),
            ("/* it's /* nested */ */ DROP TABLE a -- 'b'\n, b", "DROP TABLE a , b"),
            ("ALTER TABLE a ADD x text DEFAULT E'\\' secret', ADD y int", "ALTER TABLE a ADD x text DEFAULT E?"),
            ("ALTER TABLE a ADD x text DEFAULT 'never ends", "ALTER TABLE a ADD x text DEFAULT ?"),
            ("ALTER TABLE a ADD x numeric(10,2) DEFAULT -1.5e3", "ALTER TABLE a ADD x numeric(?,?) DEFAULT -?"),
            ("SELECT $1, $ $$s$$", "SELECT ?, ? ?"),
            ("a \u{1b}[31m\tb", "a [? b"),
        ] {
            assert_eq!(without_values(text), shown);
        }
        assert!(without_values(&"abcdefghi ".repeat(100)).len() <= SHOWN_BYTES + 3);
        assert_eq!(plain("a\nb\u{1b}c"), "abc");
    }

    /// Text in which a marker stands only where a value may, in forms that the server reads as one.
    fn value() -> impl Strategy<Value = String> {
        let inner = "[a-z \"$/*-]{0,6}";
        prop_oneof![
            inner.prop_map(|inner| format!("'{inner}SECRET''{inner}'")),
            inner.prop_map(|inner| format!("E'\\'{inner}SECRET'")),
            "[a-z' \"/*-]{0,6}".prop_map(|inner| format!("$q${inner}SECRET$q$")),
            "[a-z' \"/*-]{0,6}".prop_map(|inner| format!("$${inner}SECRET$$")),
            "[a-z' \"$]{0,6}".prop_map(|inner| format!("/*{inner}SECRET*/")),
            "[a-z' \"$]{0,6}".prop_map(|inner| format!("--{inner}SECRET\n")),
            Just("7SECRET".to_owned()),
        ]
    }

    fn shown() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z_][a-z_0-9]{0,5}",
            "[a-z' $*-]{0,5}".prop_map(|inner| format!("\"a{inner}\"")),
            Just("(".to_owned()),
            Just(" = ".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end_within_the_bound(text in any::<String>()) {
            let shown = without_values(&text);
            prop_assert!(shown.len() <= SHOWN_BYTES + 3 && !shown.contains(char::is_control));
        }

        #[test]
        fn no_value_is_shown_whatever_stands_beside_it(
            parts in prop::collection::vec(prop_oneof![value(), shown()], 1..12),
        ) {
            let shown = without_values(&parts.join(" "));
            prop_assert!(!shown.contains("SECRET"), "{shown}");
        }
    }
}
