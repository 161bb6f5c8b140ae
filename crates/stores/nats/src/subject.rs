//! Subjects that hold a kind of message: one safe token, whatever the kind is called.

use std::fmt::Write;

/// `PREFIX.KIND`. Letters and digits of ASCII, `-` and `_` stay; every other byte becomes `=` and two digits, so that two
/// kinds never share a subject and no kind is a wildcard or a further token.
pub(crate) fn subject(prefix: &str, kind: &str) -> String {
    let mut subject = format!("{}.", token(prefix));
    subject.push_str(&token(kind));
    subject
}

/// Every subject below a prefix.
pub(crate) fn all_of(prefix: &str) -> String {
    format!("{}.>", token(prefix))
}

fn token(text: &str) -> String {
    if text.is_empty() {
        return "=".to_owned();
    }
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _written = write!(token, "={byte:02X}");
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_one_token_and_no_other_kinds() {
        for (kind, expected) in [
            ("order", "shop.order"),
            ("order.paid", "shop.order=2Epaid"),
            ("*", "shop.=2A"),
            (">", "shop.=3E"),
            ("a b\r\n", "shop.a=20b=0D=0A"),
            ("=2E", "shop.=3D2E"),
            ("ñ", "shop.=C3=B1"),
            ("", "shop.="),
        ] {
            assert_eq!(subject("shop", kind), expected);
        }
    }
}
