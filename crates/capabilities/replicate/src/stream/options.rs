//! What pgoutput is asked for, by the source's version.

/// Where transactions larger than the walsender's memory are kept until they are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InProgress {
    /// On the source, in the walsender's own files: all that 13 can do.
    Kept,
    /// Here: they are sent as they grow.
    Sent,
}

/// Options of `START_REPLICATION`; PostgreSQL documentation, "Logical Streaming Replication Parameters".
///
/// `two_phase` stays off: a prepared transaction is no change of a row before it is committed, and then arrives like
/// any other, however long it was prepared. `streaming` is never `parallel`, which is for those that apply what may
/// still be rolled back.
pub(super) fn pgoutput_options(
    source_major: u32,
    publications: &[&str],
    in_progress: InProgress,
) -> Vec<(String, String)> {
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
        if in_progress == InProgress::Sent {
            options.push(("streaming".to_owned(), "on".to_owned()));
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_version_gets_nothing_it_does_not_know() {
        let names = |major, in_progress| -> Vec<String> {
            pgoutput_options(major, &["a"], in_progress).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(13, InProgress::Sent), ["proto_version", "publication_names"]);
        assert_eq!(names(14, InProgress::Kept), ["proto_version", "publication_names", "messages"]);
        assert_eq!(names(14, InProgress::Sent), ["proto_version", "publication_names", "messages", "streaming"]);
    }

    #[test]
    fn publications_are_quoted_and_the_protocol_is_the_latest_of_the_version() {
        assert_eq!(pgoutput_options(13, &["a\"b", "c"], InProgress::Kept)[1].1, "\"a\"\"b\",\"c\"");
        let protocols =
            [13, 14, 15, 16, 18].map(|major| pgoutput_options(major, &["a"], InProgress::Sent)[0].1.clone());
        assert_eq!(protocols, ["1", "2", "3", "4", "4"]);
    }
}
