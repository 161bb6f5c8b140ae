//! Byte counts for people, and from people.

pub(crate) use atalaya_data::size::bytes;

/// Reads `200MB` or `2GB`: a whole number with kB, MB, GB or TB, powers of 1000 as [`bytes`] shows them.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wanted = || "a size is a whole number with kB, MB, GB or TB".to_owned();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..).unwrap_or_default() {
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(wanted()),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn a_size_has_a_unit_and_fits() {
        assert_eq!(parse_bytes("200MB"), Ok(200_000_000));
        assert_eq!(parse_bytes("2GB"), Ok(2_000_000_000));
        for wrong in ["", "2", "MB", "2 GB", "-1MB", "1.5GB", "2gb", "99999999999TB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }
}
