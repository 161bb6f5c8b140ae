//! Rows in the text format of COPY; PostgreSQL documentation, "COPY", file formats.

use atalaya_pgwire::pgoutput::{Tuple, Value};

/// Adds one row. An unchanged TOAST value has no place in a whole row and makes the answer false.
pub(crate) fn write_row(out: &mut Vec<u8>, tuple: &Tuple) -> bool {
    for (position, value) in tuple.values.iter().enumerate() {
        if position > 0 {
            out.push(b'\t');
        }
        match value {
            Value::Null => out.extend_from_slice(b"\\N"),
            Value::Text(bytes) => write_escaped(out, bytes),
            Value::UnchangedToast | Value::Binary(_) => return false,
        }
    }
    out.push(b'\n');
    true
}

fn write_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut plain_from = 0;
    for (position, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            _ => continue,
        };
        out.extend_from_slice(bytes.get(plain_from..position).unwrap_or_default());
        out.extend_from_slice(escape);
        plain_from = position + 1;
    }
    out.extend_from_slice(bytes.get(plain_from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn separators_within_values_are_escaped_and_null_is_not_text() {
        let mut out = Vec::new();
        let values = vec![Value::Text(Bytes::from_static(b"a\tb\\N\nc\r")), Value::Null, Value::Text(Bytes::new())];
        assert!(write_row(&mut out, &Tuple { values }));
        assert_eq!(out, b"a\\tb\\\\N\\nc\\r\t\\N\t\n");
    }

    #[test]
    fn a_row_with_a_value_that_did_not_travel_is_no_whole_row() {
        assert!(!write_row(&mut Vec::new(), &Tuple { values: vec![Value::UnchangedToast] }));
    }
}
