//! What a server sends, on arbitrary and on damaged bytes: no panic, and the same however the stream is cut.

use atalaya_damage::{damaged, pieces};
use atalaya_pgwire::pgoutput::{Decoder, Message, OldTuple, Tuple, Value};
use atalaya_pgwire::replication::{FromServer, StandbyStatusUpdate};
use atalaya_pgwire::{
    BackendMessage, CodecError, Frame, FrameDecoder, FrameLimits, Gathered, SaslClient, ServerError, tag,
};
use bytes::{BufMut, Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::frames::{COPY, STREAM};
use super::golden::{messages, replication};

/// Tags of servers' messages, and one that none has.
const TAGS: &[u8] = b"RKCWdcGHDIEvNASTZ!";

/// So low that a damaged length comes over it.
const LOW: FrameLimits = FrameLimits { message_bytes: 40, copy_data_bytes: 80 };

/// True messages of servers, each with its header, that [`STREAM`] has none of.
fn more_messages() -> Vec<Vec<u8>> {
    let error: &[u8] = b"SERROR\0VERROR\0C23505\0Mduplicate\0Dsecret\0Hhint\0spublic\0tt\0cc\0dtext\0nk\0\0";
    let bodies: [(u8, &[u8]); 8] = [
        (tag::ERROR_RESPONSE, error),
        (tag::NOTICE_RESPONSE, b"SNOTICE\0C00000\0Mby the way\0\0"),
        (tag::NOTIFICATION_RESPONSE, b"\0\0\0\x07channel\0payload\0"),
        (tag::NEGOTIATE_PROTOCOL_VERSION, b"\0\x03\0\0\0\0\0\x01_pq_.x\0"),
        (tag::AUTHENTICATION, b"\0\0\0\x0br=abcdef,s=c2FsdA==,i=4096"),
        (tag::AUTHENTICATION, b"\0\0\0\x0cv=c2lnbmF0dXJl"),
        (tag::COPY_BOTH_RESPONSE, b"\0\0\0"),
        (tag::EMPTY_QUERY_RESPONSE, b""),
    ];
    bodies.into_iter().map(|(tag, body)| framed(tag, body)).collect()
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// A whole stream of true messages.
fn stream() -> Vec<u8> {
    [STREAM.to_vec(), more_messages().concat(), COPY.to_vec()].concat()
}

/// The frames of a stream that comes in pieces, and what was wrong with it or how much of it is left.
fn frames(pieces: &[&[u8]], limits: FrameLimits) -> (Vec<Frame>, Result<usize, CodecError>) {
    let mut decoder = FrameDecoder::new(limits);
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let (is_whole, missing) = (decoder.has_whole_message(&buffer), decoder.missing_bytes(&buffer));
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => {
                    assert!(is_whole && missing == 0);
                    frames.push(frame);
                }
                Ok(None) => {
                    // What is missing is known as soon as the header is there.
                    assert!(!is_whole && (missing > 0 || buffer.len() < 5));
                    break;
                }
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, Ok(buffer.len()))
}

/// The copy data of a stream that comes in pieces, and why it ended.
fn gathered(pieces: &[&[u8]], wanted: usize) -> (Vec<u8>, Result<Gathered, CodecError>) {
    let mut decoder = FrameDecoder::default();
    let (mut buffer, mut piece, mut data) = (BytesMut::new(), BytesMut::new(), Vec::new());
    let mut end = Ok(Gathered::NeedsBytes);
    for bytes in pieces {
        buffer.extend_from_slice(bytes);
        loop {
            end = decoder.gather_copy_data(&mut buffer, &mut piece, wanted);
            assert!(piece.len() <= wanted);
            data.extend_from_slice(&piece.split());
            match end {
                Ok(Gathered::Full) => {}
                Ok(Gathered::NeedsBytes) => break,
                Ok(Gathered::OtherMessage) | Err(_) => return (data, end),
            }
        }
    }
    (data, end)
}

/// How many bytes of texts and values a message holds.
fn held(message: &BackendMessage) -> usize {
    match message {
        BackendMessage::DataRow { values } => values.iter().flatten().map(Bytes::len).sum(),
        BackendMessage::RowDescription { columns } => columns.iter().map(String::len).sum(),
        BackendMessage::ParameterStatus { name, value } => name.len().max(value.len()),
        BackendMessage::CommandComplete { command } => command.len(),
        _ => 0,
    }
}

fn decoded(tag: u8, body: &[u8]) -> Result<BackendMessage, CodecError> {
    let decoded = BackendMessage::decode(Frame { tag, body: Bytes::copy_from_slice(body) });
    if let Ok(message) = &decoded {
        // Texts in another encoding than UTF-8 grow threefold at most.
        assert!(held(message) <= 3 * body.len(), "{message:?} of {} bytes", body.len());
    }
    if let Ok(BackendMessage::CommandComplete { command }) = &decoded {
        let _rows = BackendMessage::rows_of_command(command);
    }
    decoded
}

fn tuples(message: &Message) -> Vec<&Tuple> {
    match message {
        Message::Insert { new, .. } => vec![new],
        Message::Update { old, new, .. } => old.iter().map(of_old).chain([new]).collect(),
        Message::Delete { old, .. } => vec![of_old(old)],
        _ => Vec::new(),
    }
}

fn of_old(old: &OldTuple) -> &Tuple {
    match old {
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => tuple,
    }
}

/// Reads one message of pgoutput, and sees that it holds no more than came.
fn read(decoder: &mut Decoder, payload: &[u8]) -> Result<Message, CodecError> {
    let read = decoder.decode(Bytes::copy_from_slice(payload));
    if let Ok(message) = &read {
        let values = tuples(message).into_iter().flat_map(|tuple| &tuple.values);
        let bytes: usize = values
            .map(|value| match value {
                Value::Text(bytes) | Value::Binary(bytes) => bytes.len() + 5,
                Value::Null | Value::UnchangedToast => 1,
            })
            .sum();
        assert!(bytes <= payload.len(), "{message:?}");
    }
    read
}

/// Messages inside a streamed block begin with their transaction.
fn streamed(plain: &Bytes, xid: u32) -> Vec<u8> {
    let xid = xid.to_be_bytes();
    let prefix = if b"RYIUDTM".contains(&plain[0]) { &xid[..] } else { &[] };
    [&plain[..1], prefix, &plain[1..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_stream_of_arbitrary_bytes_is_the_same_in_pieces(bytes: Vec<u8>, cuts in vec(any::<Index>(), 0..5)) {
        let (whole, end) = frames(&[&bytes], FrameLimits::default());
        for frame in &whole {
            let _read = decoded(frame.tag, &frame.body);
        }
        prop_assert_eq!((whole, end), frames(&pieces(&bytes, &cuts), FrameLimits::default()));
    }

    #[test]
    fn a_damaged_stream_is_the_same_in_pieces(bytes in damaged([stream()]), cuts in vec(any::<Index>(), 0..5)) {
        for limits in [FrameLimits::default(), LOW] {
            let whole = frames(&[&bytes], limits);
            for frame in &whole.0 {
                let is_copy_data = frame.tag == tag::COPY_DATA;
                let limit = if is_copy_data { limits.copy_data_bytes } else { limits.message_bytes };
                prop_assert!(frame.body.len() <= limit);
                let _read = decoded(frame.tag, &frame.body);
            }
            prop_assert_eq!(whole, frames(&pieces(&bytes, &cuts), limits));
        }
    }

    #[test]
    fn arbitrary_and_damaged_copy_data_are_the_same_in_pieces(
        bytes in prop_oneof![any::<Vec<u8>>(), damaged([COPY])],
        cuts in vec(any::<Index>(), 0..5),
        wanted in 1..12_usize,
    ) {
        prop_assert_eq!(gathered(&[&bytes], wanted), gathered(&pieces(&bytes, &cuts), wanted));
    }

    #[test]
    fn arbitrary_bodies_under_every_tag_never_panic(bytes: Vec<u8>, tag in select(TAGS)) {
        let _read = decoded(tag, &bytes);
    }

    #[test]
    fn damaged_messages_never_panic(bytes in damaged(more_messages()), tag in select(TAGS)) {
        // Under its own tag, as far as there is one, and under another message's.
        if let Some((&[own, ..], body)) = bytes.split_first_chunk::<5>() {
            let _read = (decoded(own, body), decoded(tag, body));
            let _read = ServerError::decode(Bytes::copy_from_slice(body));
        }
    }

    #[test]
    fn a_row_and_its_description_are_read_as_they_were_written(
        values in vec(prop::option::of(any::<Vec<u8>>()), 0..20),
        columns in vec("[^\\x00]{0,9}", 0..20),
    ) {
        let mut row = BytesMut::new();
        row.put_u16(values.len() as u16);
        for value in &values {
            row.put_i32(value.as_ref().map_or(-1, |value| value.len() as i32));
            row.put_slice(value.as_deref().unwrap_or_default());
        }
        let values: Vec<_> = values.into_iter().map(|value| value.map(Bytes::from)).collect();
        prop_assert_eq!(decoded(tag::DATA_ROW, &row), Ok(BackendMessage::DataRow { values }));
        let mut description = BytesMut::new();
        description.put_u16(columns.len() as u16);
        for column in &columns {
            description.put_slice(column.as_bytes());
            description.put_bytes(0, 1 + 18);
        }
        prop_assert_eq!(decoded(tag::ROW_DESCRIPTION, &description), Ok(BackendMessage::RowDescription { columns }));
    }

    #[test]
    fn the_rows_of_a_command_are_its_last_number(words in "[ -~]{0,20}", count: u64) {
        prop_assert_eq!(BackendMessage::rows_of_command(&format!("{words} {count}")), count);
        let _any = BackendMessage::rows_of_command(&words);
    }

    #[test]
    fn arbitrary_and_damaged_replication_messages_never_panic(
        bytes in prop_oneof![any::<Vec<u8>>(), damaged(replication())],
        first in select(&b"wk"[..]),
    ) {
        let _read = FromServer::decode(Bytes::from([&[first][..], &bytes].concat()));
        if let Ok(FromServer::XLogData { payload, .. }) = FromServer::decode(Bytes::copy_from_slice(&bytes)) {
            prop_assert!(bytes.ends_with(&payload) && payload.len() + 25 == bytes.len());
        }
    }

    #[test]
    fn a_status_is_copy_data_of_its_length(positions: [u64; 3], clock_micros: i64, reply_requested: bool) {
        let [written, flushed, applied] = positions.map(atalaya_data::Lsn);
        let mut out = BytesMut::new();
        StandbyStatusUpdate { written, flushed, applied, clock_micros, reply_requested }.encode(&mut out);
        let frame = FrameDecoder::default().decode(&mut out).unwrap().unwrap();
        prop_assert!(out.is_empty() && frame.tag == tag::COPY_DATA && frame.body[0] == b'r');
    }

    #[test]
    fn arbitrary_messages_of_pgoutput_never_panic(
        bytes: Vec<u8>,
        tag in select(&b"BCORYIUDTMSEcAbPKprwk"[..]),
        is_streamed: bool,
    ) {
        let mut decoder = Decoder::new();
        if is_streamed {
            decoder.decode(Bytes::from_static(b"S\0\0\0\x01\x01")).unwrap();
        }
        let tagged = [&[tag][..], &bytes].concat();
        let _read = (decoder.peek_streamed(&tagged), read(&mut decoder, &tagged));
    }

    #[test]
    fn damaged_messages_of_pgoutput_never_panic_and_leave_a_decoder_that_reads_on(
        damaged in vec(damaged(messages().into_iter().map(|(plain, _)| plain)), 1..6),
        is_streamed: bool,
    ) {
        let mut decoder = if is_streamed { Decoder::inside_block(7) } else { Decoder::new() };
        for bytes in &damaged {
            let peeked = decoder.peek_streamed(bytes);
            if read(&mut decoder, bytes).is_ok() && bytes[0] != b'O' {
                prop_assert_eq!(peeked, decoder.stream_xid());
            }
        }
        // Whatever became of the block: its end is read, and then a message outside of one.
        decoder.decode(Bytes::from_static(b"E")).unwrap();
        for (plain, message) in messages() {
            prop_assert_eq!(decoder.decode(plain).unwrap(), message);
        }
    }

    #[test]
    fn damaged_messages_of_a_streamed_block_never_panic(
        bytes in damaged(messages().into_iter().map(|(plain, _)| streamed(&plain, 513))),
    ) {
        let mut decoder = Decoder::inside_block(513);
        let _read = read(&mut decoder, &bytes);
    }

    #[test]
    fn what_may_be_kept_unread_is_what_a_whole_reading_finds(
        which: Index,
        cut in 0_usize..6,
        xid: u32,
        is_streamed: bool,
    ) {
        let all = messages();
        let plain = which.get(&all).0.clone();
        let whole = Bytes::from(if is_streamed { streamed(&plain, xid) } else { plain.to_vec() });
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
    fn an_arbitrary_challenge_never_panics(
        challenge: Vec<u8>,
        proof: Vec<u8>,
        offered in vec(select(&["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", ""][..]), 0..4),
    ) {
        let offered: Vec<String> = offered.into_iter().map(str::to_owned).collect();
        for end_point in [Some(vec![1]), None] {
            let Some(mut client) = SaslClient::choose(&offered, "secret", end_point) else { continue };
            prop_assert!(client.proceed(&challenge, &mut BytesMut::new()).is_err());
            prop_assert!(client.finish(&proof).is_err() && !client.is_finished());
        }
    }
}
