//! What pgoutput is asked for, by the source's version.

/// Options of `START_REPLICATION`; PostgreSQL documentation, "Logical Streaming Replication Parameters".
///
/// `streaming` and `two_phase` stay off: a transaction arrives when it is committed, whole, and the
/// walsender spills what is larger than its memory.
pub(super) fn pgoutput_options(source_major: u32, publications: &[&str]) -> Vec<(String, String)> {
    let version = match source_major {
        ..=13 => "1",
        14 => "2",
        15 => "3",
        _ => "4",
    };
    let names: Vec<String> = publications.iter().map(|name| atalaya_data::quote_identifier(name)).collect();
    let mut options =
        vec![("proto_version".to_owned(), version.to_owned()), ("publication_names".to_owned(), names.join(","))];
    if source_major >= 14 {
        options.push(("messages".to_owned(), "true".to_owned()));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_version_gets_nothing_it_does_not_know() {
        let names: Vec<String> = pgoutput_options(13, &["a\"b"]).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["proto_version", "publication_names"]);
        assert_eq!(pgoutput_options(13, &["a\"b", "c"])[1].1, "\"a\"\"b\",\"c\"");
        assert_eq!(pgoutput_options(18, &["a"])[0].1, "4");
    }
}
