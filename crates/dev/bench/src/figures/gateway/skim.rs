//! Where messages end in what a server sends, without a look at their bodies: a client that understood each row would be
//! slower than what it measures.

use std::io;

use atalaya_pgwire::{ServerError, tag};
use bytes::Bytes;

const HEADER_BYTES: usize = 5;
const LENGTH_BYTES: u32 = 4;
/// Of an error's text; no server's is as long.
const ERROR_BYTES_MAX: usize = 16 << 10;

/// Where in a stream the next byte belongs.
#[derive(Debug, Default)]
pub(super) struct Skim {
    /// What there is of a header that is not whole yet.
    header: Vec<u8>,
    tag: u8,
    body_left: usize,
    error: Vec<u8>,
}

impl Skim {
    /// Goes over the next bytes; whether a message ended among them that has this tag, or after which the server waits for
    /// the next query.
    pub(super) fn skip(&mut self, mut bytes: &[u8], wanted: u8) -> io::Result<bool> {
        let mut found = false;
        while !bytes.is_empty() {
            if self.body_left > 0 {
                let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
                if self.tag == tag::ERROR_RESPONSE && self.error.len() + body.len() <= ERROR_BYTES_MAX {
                    self.error.extend_from_slice(body);
                }
                self.body_left -= body.len();
                bytes = rest;
            } else {
                let missing = HEADER_BYTES - self.header.len();
                let (header, rest) = bytes.split_at(missing.min(bytes.len()));
                self.header.extend_from_slice(header);
                bytes = rest;
                let &[tag, a, b, c, d] = self.header.as_slice() else { continue };
                self.header.clear();
                let length = u32::from_be_bytes([a, b, c, d]).checked_sub(LENGTH_BYTES);
                self.body_left = length.and_then(|length| usize::try_from(length).ok()).ok_or_else(impossible)?;
                self.tag = tag;
            }
            found |= self.body_left == 0 && (self.tag == wanted || self.tag == tag::READY_FOR_QUERY);
        }
        Ok(found)
    }

    /// Whether the last message that ended was of this tag.
    pub(super) fn ended_with(&self, tag: u8) -> bool {
        self.body_left == 0 && self.header.is_empty() && self.tag == tag
    }

    /// The error that was among the messages, once.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        let body = std::mem::take(&mut self.error);
        (!body.is_empty())
            .then(|| ServerError::decode(Bytes::from(body)).map_or_else(io::Error::other, io::Error::other))
    }
}

fn impossible() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message of an impossible length")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of three bytes, a completed command without a body, an error, and the end.
    const STREAM: &[u8] = b"D\0\0\0\x07abcC\0\0\0\x04E\0\0\0\x10SERROR\0MX\0\0\0Z\0\0\0\x05I";

    #[test]
    fn messages_end_where_they_end_however_the_stream_is_cut() {
        for step in 1..=STREAM.len() {
            let mut skim = Skim::default();
            let mut ends = Vec::new();
            for (part, bytes) in STREAM.chunks(step).enumerate() {
                if skim.skip(bytes, tag::READY_FOR_QUERY).unwrap() {
                    ends.push(part);
                }
            }
            assert_eq!(ends, [(STREAM.len() - 1) / step], "in steps of {step}");
            assert!(skim.ended_with(tag::READY_FOR_QUERY));
            assert!(skim.take_error().unwrap().to_string().contains('X'));
            assert!(skim.take_error().is_none());
        }
    }

    #[test]
    fn a_wanted_message_is_found_and_a_row_is_not() {
        let mut skim = Skim::default();
        assert!(!skim.skip(b"D\0\0\0\x07abc", tag::COPY_IN_RESPONSE).unwrap());
        assert!(!skim.ended_with(tag::COPY_IN_RESPONSE));
        assert!(skim.skip(b"G\0\0\0\x07abc", tag::COPY_IN_RESPONSE).unwrap());
        assert!(skim.ended_with(tag::COPY_IN_RESPONSE));
    }

    #[test]
    fn an_impossible_length_is_an_error() {
        assert!(Skim::default().skip(b"D\0\0\0\x03", tag::READY_FOR_QUERY).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_or_are_kept_beyond_the_limit(parts: Vec<Vec<u8>>) {
            let mut skim = Skim::default();
            for part in parts {
                if skim.skip(&part, tag::READY_FOR_QUERY).is_err() {
                    break;
                }
                assert!(skim.header.len() < HEADER_BYTES && skim.error.len() <= ERROR_BYTES_MAX);
            }
        }
    }
}
