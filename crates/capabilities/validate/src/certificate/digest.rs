//! The digest over a certificate: SHA-256 of its canonical JSON.
//!
//! Canonical: keys in the order of their bytes, no blanks, strings as `serde_json` escapes them. Numbers are integers.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The digest in hexadecimal.
pub(crate) fn digest(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_unstable();
            text.push('{');
            for (position, key) in keys.into_iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                let _infallible = write!(text, "{}:", Value::String(key.clone()));
                if let Some(member) = members.get(key) {
                    write_canonical(member, text);
                }
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        plain => {
            let _infallible = write!(text, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_canonical_form_depends_on_neither_order_nor_blanks() {
        let mut text = String::new();
        write_canonical(&json!({"b": [1, null, "é<\n"], "a": {"y": true, "x": 2}}), &mut text);
        assert_eq!(text, "{\"a\":{\"x\":2,\"y\":true},\"b\":[1,null,\"é<\\n\"]}");
        // As `printf '{"a":1}' | sha256sum` says.
        assert_eq!(digest(&json!({"a": 1})), "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862");
    }
}
