//! What clients and servers send a gateway, on arbitrary and on damaged bytes: no panic, and the same in pieces.

use atalaya_damage::{damaged, texts};
use atalaya_pgwire::server::{
    BindNames, CancelKey, Execute, FirstPacket, Named, NegotiatedVersion, ParameterStatus, Parse, Query, SaslInitial,
    ScramServer, ScramVerifier, backend_key_data, error_field, error_fields, first_packet, header, password,
};
use atalaya_pgwire::{BackendMessage, CodecError, Frame};
use proptest::prelude::*;

use super::client_messages::bodies;
use super::first::{packets, startup};
use super::replies::server_bodies;
use super::verifier::VERIFIER;

/// Gives the bytes to every reader of a body or packet; what is read has to lie in the bytes.
fn every_decoder(bytes: &[u8]) {
    let lies_in = |part: &[u8]| part.is_empty() || bytes.windows(part.len()).any(|window| window == part);
    if let Ok(Some((_, consumed))) = first_packet(bytes) {
        assert!(consumed <= bytes.len());
    }
    let _ = header(bytes);
    if let Ok(Query { sql }) = Query::decode(bytes) {
        assert_eq!(sql.len() + 1, bytes.len());
    }
    if let Ok(Parse { name, sql, rest }) = Parse::decode(bytes) {
        assert_eq!([name, b"\0", sql, b"\0", rest].concat(), bytes);
    }
    if let Ok(BindNames { portal, statement, rest }) = BindNames::decode(bytes) {
        assert_eq!([portal, b"\0", statement, b"\0", rest].concat(), bytes);
    }
    if let Ok(Named { kind, name }) = Named::decode(bytes) {
        assert_eq!([&[kind], name, b"\0"].concat(), bytes);
    }
    if let Ok(Execute { portal, rows_max }) = Execute::decode(bytes) {
        assert_eq!([portal, b"\0", &rows_max.to_be_bytes()].concat(), bytes);
    }
    if let Ok(SaslInitial { mechanism, data }) = SaslInitial::decode(bytes) {
        assert!(bytes.starts_with(mechanism.as_bytes()) && bytes.ends_with(data));
    }
    if let Ok(password) = password(bytes) {
        assert_eq!([password, b"\0"].concat(), bytes);
    }
    if let Ok(ParameterStatus { name, value }) = ParameterStatus::decode(bytes) {
        assert_eq!([name, b"\0", value, b"\0"].concat(), bytes);
    }
    if let Ok(NegotiatedVersion { unknown_options, .. }) = NegotiatedVersion::decode(bytes) {
        assert!(unknown_options.iter().all(|option| lies_in(option)));
    }
    if let Ok(CancelKey { secret, .. }) = backend_key_data(bytes) {
        assert!(bytes.ends_with(&secret));
    }
    assert!(error_fields(bytes).all(|(kind, value)| kind != 0 && lies_in(value)));
    assert_eq!(error_field(bytes, b'C'), error_fields(bytes).find(|(kind, _)| *kind == b'C').map(|(_, value)| value));
    let _ = str::from_utf8(bytes).map(str::parse::<ScramVerifier>);
}

fn first_packets() -> Vec<Vec<u8>> {
    packets().into_iter().map(|(bytes, _)| bytes).collect()
}

fn all_bodies() -> Vec<Vec<u8>> {
    bodies().into_iter().chain(server_bodies()).map(<[u8]>::to_vec).collect()
}

/// Whether the first packet in these bytes is the same as soon as it is there, and nothing before.
fn is_the_same_in_pieces(bytes: &[u8]) -> Result<(), TestCaseError> {
    let whole = first_packet(bytes);
    for length in 0..bytes.len() {
        let part = first_packet(&bytes[..length]);
        // Whatever follows a wish for encryption is refused, and is not there yet, or not all of it.
        let is_encryption = matches!(
            part,
            Ok(Some((FirstPacket::Ssl | FirstPacket::Gss, _))) | Err(CodecError::UnencryptedBytes { .. })
        );
        let is_refused = matches!(whole, Err(CodecError::UnencryptedBytes { .. }));
        let is_same = part == Ok(None) || part == whole || is_encryption && is_refused;
        prop_assert!(is_same, "{length} bytes: {part:?}, then {whole:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, texts in texts()) {
        every_decoder(&bytes);
        every_decoder(&texts);
        every_decoder(&startup(0, &texts));
        every_decoder(&[b"\0\x03\0\0", &texts[..]].concat());
    }

    #[test]
    fn damaged_first_packets_never_panic_and_are_the_same_in_pieces(bytes in damaged(first_packets())) {
        every_decoder(&bytes);
        is_the_same_in_pieces(&bytes)?;
    }

    #[test]
    fn damaged_bodies_never_panic(bytes in damaged(all_bodies())) {
        every_decoder(&bytes);
    }

    #[test]
    fn a_first_packet_is_the_same_in_pieces(texts in texts(), behind in texts()) {
        let packet = [&startup(0, &[b"user\0a\0", &texts[..], b"\0\0"].concat())[..], &behind].concat();
        is_the_same_in_pieces(&packet)?;
    }

    #[test]
    fn what_is_read_of_a_startup_packet_is_in_it_and_has_no_zero_byte(texts in texts()) {
        let packet = startup(0, &[b"user\0a\0", &texts[..], b"\0\0"].concat());
        if let Ok(Some((FirstPacket::Startup(request), consumed))) = first_packet(&packet) {
            prop_assert_eq!(consumed, packet.len());
            prop_assert!(!request.user().is_empty() && !request.database().is_empty());
            for (name, value) in &request.parameters {
                prop_assert!(!name.is_empty() && !name.contains('\0') && !value.contains('\0'));
                prop_assert_eq!(request.get(name), Some(value.as_str()));
            }
        }
    }

    #[test]
    fn the_names_of_arbitrary_and_damaged_binds_are_the_same_in_pieces(
        bytes in prop_oneof![texts(), damaged([&b"portal\0statement\0\0\x01\0\x01\0\x01\0\0\0\x01x\0\0"[..]])],
    ) {
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

    #[test]
    fn an_arbitrary_or_damaged_verifier_is_refused_or_read_as_what_it_is_written_as(
        text in prop_oneof![any::<String>().boxed(), damaged([VERIFIER]).prop_map(lossy).boxed()],
    ) {
        if let Ok(verifier) = text.parse::<ScramVerifier>() {
            let written = verifier.to_text();
            // Zeros may stand before the number of iterations.
            prop_assert!(written.len() <= text.len());
            prop_assert_eq!(written.parse::<ScramVerifier>().unwrap().to_text(), written);
        }
    }

    #[test]
    fn both_readers_of_a_server_s_messages_find_the_same(
        bytes in prop_oneof![texts(), damaged(server_bodies())],
    ) {
        let read = |tag| BackendMessage::decode(Frame { tag, body: bytes.clone().into() });
        if let Ok(ParameterStatus { name, value }) = ParameterStatus::decode(&bytes) {
            let (name, value) = (lossy(name.to_vec()), lossy(value.to_vec()));
            prop_assert_eq!(read(b'S'), Ok(BackendMessage::ParameterStatus { name, value }));
        }
        if let Ok(BackendMessage::Error(error)) = read(b'E') {
            let last = error_fields(&bytes).filter(|(kind, _)| *kind == b'C').last();
            prop_assert_eq!(last.map(|(_, code)| lossy(code.to_vec())).unwrap_or_default(), error.sqlstate);
        }
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
