//! No bytes make a decoder panic.

use atalaya_pgwire::pgoutput::Decoder;
use atalaya_pgwire::replication::FromServer;
use atalaya_pgwire::{BackendMessage, FrameDecoder, SaslClient};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::golden::messages;

proptest! {
    #[test]
    fn a_stream_of_arbitrary_bytes_never_panics(bytes: Vec<u8>, tag in prop::sample::select(&b"RKCWdcGHDIEvNASTZ"[..])) {
        let mut buffer = BytesMut::from(&bytes[..]);
        let mut decoder = FrameDecoder::default();
        while let Ok(Some(frame)) = decoder.decode(&mut buffer) {
            let _ = BackendMessage::decode(frame);
        }
        let _ = FrameDecoder::default().gather_copy_data(&mut BytesMut::from(&bytes[..]), &mut BytesMut::new(), 100);
        let _ = BackendMessage::decode(atalaya_pgwire::Frame { tag, body: bytes.into() });
    }

    #[test]
    fn arbitrary_replication_messages_never_panic(
        bytes: Vec<u8>,
        tag in prop::sample::select(&b"BCORYIUDTMSEcAbPKprwk"[..]),
        is_streamed: bool,
    ) {
        let mut decoder = Decoder::new();
        if is_streamed {
            decoder.decode(Bytes::from_static(b"S\0\0\0\x01\x01")).unwrap();
        }
        let tagged = Bytes::from([&[tag][..], &bytes].concat());
        let _ = FromServer::decode(tagged.clone());
        let _ = decoder.decode(tagged);
    }

    #[test]
    fn what_may_be_kept_unread_is_what_a_whole_reading_finds(
        which: prop::sample::Index,
        cut in 0_usize..6,
        xid: u32,
        is_streamed: bool,
    ) {
        let all = messages();
        let plain = which.get(&all).0.clone();
        let is_prefixed = is_streamed && b"RYIUDTM".contains(&plain[0]);
        let prefix = if is_prefixed { xid.to_be_bytes().to_vec() } else { Vec::new() };
        let whole = Bytes::from([&plain[..1], &prefix, &plain[1..]].concat());
        let mut decoder = if is_streamed { Decoder::inside_block(7) } else { Decoder::new() };
        let peeked = decoder.peek_streamed(&whole);
        decoder.decode(whole.clone()).unwrap();
        let own = (is_streamed && plain[0] == b'O').then_some(7);
        prop_assert_eq!(peeked, decoder.stream_xid().or(own));
        // Too short to say whose it is, or not: never another's.
        let short = Decoder::inside_block(7).peek_streamed(&whole[..whole.len().min(cut)]);
        prop_assert!(short.is_none() || short == peeked || !is_streamed);
    }

    #[test]
    fn a_true_message_with_one_byte_changed_never_panics(which: prop::sample::Index, at: prop::sample::Index, byte: u8) {
        let all = messages();
        let mut bytes = which.get(&all).0.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Decoder::new().decode(bytes.into());
    }

    #[test]
    fn an_arbitrary_challenge_never_panics(challenge: Vec<u8>, proof: Vec<u8>) {
        let offered = ["SCRAM-SHA-256".to_owned(), "SCRAM-SHA-256-PLUS".to_owned()];
        let mut client = SaslClient::choose(&offered, "secret", Some(vec![1])).unwrap();
        prop_assert!(client.proceed(&challenge, &mut BytesMut::new()).is_err());
        prop_assert!(client.finish(&proof).is_err() && !client.is_finished());
    }
}
