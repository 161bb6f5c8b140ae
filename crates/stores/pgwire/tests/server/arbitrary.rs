//! No bytes make a decoder panic, and none are read otherwise when they come in pieces.

use atalaya_pgwire::CodecError;
use atalaya_pgwire::server::{
    BindNames, Execute, Named, NegotiatedVersion, ParameterStatus, Parse, Query, SaslInitial, ScramServer,
    ScramVerifier, backend_key_data, error_field, error_fields, first_packet, header, password, rewrite,
};
use proptest::prelude::*;

use super::client_messages::bodies;
use super::first::{packets, startup};

fn every_decoder(bytes: &[u8]) {
    let _ = first_packet(bytes);
    let _ = header(bytes);
    let _ = (Query::decode(bytes), Parse::decode(bytes), Named::decode(bytes), Execute::decode(bytes));
    let _ = (BindNames::decode(bytes), BindNames::decode_prefix(bytes));
    let _ = (SaslInitial::decode(bytes).map(|initial| initial.data.len()), password(bytes));
    let _ = (ParameterStatus::decode(bytes), NegotiatedVersion::decode(bytes), backend_key_data(bytes));
    let _ = (error_fields(bytes).count(), error_field(bytes, b'C'));
    let _ = str::from_utf8(bytes).map(str::parse::<ScramVerifier>);
}

/// Bytes that are more often zero and a letter than anything else.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0), Just(0), Just(b'a'), Just(b'_'), Just(0xff), any::<u8>()], 0..60)
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, texts in texts()) {
        every_decoder(&bytes);
        every_decoder(&texts);
        every_decoder(&startup(0, &texts));
        every_decoder(&[b"\0\x03\0\0", &texts[..]].concat());
    }

    #[test]
    fn a_true_message_with_one_byte_changed_never_panics(
        which: prop::sample::Index, at: prop::sample::Index, byte: u8,
    ) {
        let firsts = packets().into_iter().map(|(bytes, _)| bytes);
        let all: Vec<Vec<u8>> = firsts.chain(bodies().into_iter().map(<[u8]>::to_vec)).collect();
        let mut bytes = which.get(&all).clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        every_decoder(&bytes);
    }

    #[test]
    fn a_first_packet_is_the_same_in_pieces(texts in texts(), behind in texts()) {
        let packet = [&startup(0, &[b"user\0a\0", &texts[..], b"\0\0"].concat())[..], &behind].concat();
        let whole = first_packet(&packet);
        for length in 0..packet.len() {
            let part = first_packet(&packet[..length]);
            prop_assert!(part == Ok(None) || part == whole, "{} bytes: {:?}", length, part);
        }
    }

    #[test]
    fn what_is_read_of_a_startup_packet_is_in_it_and_has_no_zero_byte(texts in texts()) {
        let packet = startup(0, &[b"user\0a\0", &texts[..], b"\0\0"].concat());
        if let Ok(Some((atalaya_pgwire::server::FirstPacket::Startup(request), consumed))) = first_packet(&packet) {
            prop_assert_eq!(consumed, packet.len());
            prop_assert!(!request.user().is_empty() && !request.database().is_empty());
            for (name, value) in &request.parameters {
                prop_assert!(!name.is_empty() && !name.contains('\0') && !value.contains('\0'));
                prop_assert_eq!(request.get(name), Some(value.as_str()));
            }
        }
    }

    #[test]
    fn the_names_of_a_bind_are_the_same_in_pieces(bytes in texts()) {
        let whole = BindNames::decode_prefix(&bytes).unwrap();
        for length in 0..bytes.len() {
            match BindNames::decode_prefix(&bytes[..length]).unwrap() {
                None => {}
                Some(part) => {
                    let whole = whole.unwrap();
                    prop_assert_eq!((part.portal, part.statement), (whole.portal, whole.statement));
                    prop_assert!(whole.rest.starts_with(part.rest));
                }
            }
        }
    }

    #[test]
    fn a_header_says_what_the_length_says(tag: u8, length: u32) {
        let read = header(&[&[tag][..], &length.to_be_bytes()].concat());
        match length {
            0..4 => prop_assert_eq!(read, Err(CodecError::ImpossibleLength { tag })),
            4..0x4000_0000 => prop_assert_eq!(read, Ok(Some((tag, usize::try_from(length).unwrap() - 4)))),
            _ => {
                let is_over = matches!(read, Err(CodecError::OverLimit { .. }));
                prop_assert!(is_over);
            }
        }
    }

    #[test]
    fn a_rewritten_statement_is_read_as_it_was_written(
        name in "[a-z]{0,9}", sql in "[^\\x00]{0,40}", oids: Vec<u32>,
    ) {
        let count = u16::try_from(oids.len()).unwrap().to_be_bytes().to_vec();
        let rest = oids.iter().fold(count, |rest, oid| [rest, oid.to_be_bytes().to_vec()].concat());
        let mut out = Vec::new();
        rewrite::parse(name.as_bytes(), sql.as_bytes(), &rest, &mut out).unwrap();
        prop_assert_eq!(header(&out), Ok(Some((b'P', out.len() - 5))));
        let expected = Parse { name: name.as_bytes(), sql: sql.as_bytes(), rest: &rest };
        prop_assert_eq!(Parse::decode(&out[5..]), Ok(expected));
    }

    #[test]
    fn arbitrary_messages_never_authenticate(first: Vec<u8>, last: Vec<u8>, end in "[ -~]{0,80}") {
        let verifier = ScramVerifier::for_unknown_user("a", &[1; 32]);
        let mut server = ScramServer::new(verifier.clone(), Some(vec![1]), [0; 18]);
        let _ = server.initial("SCRAM-SHA-256-PLUS", &first);
        prop_assert!(server.proceed(&last).is_err());
        let mut server = ScramServer::new(verifier, None, [0; 18]);
        let _ = server.initial("SCRAM-SHA-256", format!("n,,n=,r=abc{end}").as_bytes());
        let outcome = server.proceed(format!("c=biws,r=abc{end}").as_bytes());
        prop_assert!(outcome.is_err());
    }
}
