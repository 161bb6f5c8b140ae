//! Messages cut out of a stream, wherever the stream is split.

use atalaya_pgwire::{
    Authentication, BackendMessage, CodecError, CopyDataWriter, FrameDecoder, FrameLimits, Gathered, TransactionStatus,
};
use bytes::{Bytes, BytesMut};

pub(crate) const STREAM: &[u8] = b"R\0\0\0\x08\0\0\0\0\
    R\0\0\0\x0c\0\0\0\x05salt\
    R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0\
    S\0\0\0\x09a\0bc\0\
    K\0\0\0\x0c\0\0\0\x07\0\0\0\x08\
    T\0\0\0\x1b\0\x01ab\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0\
    D\0\0\0\x0f\0\x02\xff\xff\xff\xff\0\0\0\x011\
    C\0\0\0\x0bCOPY 5\0\
    Z\0\0\0\x05I";

/// Copy data in three messages, one of them empty, and its end.
pub(crate) const COPY: &[u8] = b"d\0\0\0\x06abd\0\0\0\x04d\0\0\0\x0ccdefghijc\0\0\0\x04";

fn expected() -> Vec<BackendMessage> {
    let sasl = Authentication::Sasl { mechanisms: vec!["SCRAM-SHA-256".to_owned()] };
    vec![
        BackendMessage::Authentication(Authentication::Ok),
        BackendMessage::Authentication(Authentication::Md5Password { salt: *b"salt" }),
        BackendMessage::Authentication(sasl),
        BackendMessage::ParameterStatus { name: "a".to_owned(), value: "bc".to_owned() },
        BackendMessage::BackendKeyData { process_id: 7, secret_key: 8 },
        BackendMessage::RowDescription { columns: vec!["ab".to_owned()] },
        BackendMessage::DataRow { values: vec![None, Some(Bytes::from_static(b"1"))] },
        BackendMessage::CommandComplete { command: "COPY 5".to_owned() },
        BackendMessage::ReadyForQuery(TransactionStatus::Idle),
    ]
}

#[test]
fn messages_are_the_same_wherever_the_stream_is_split() {
    for split in 0..=STREAM.len() {
        let mut decoder = FrameDecoder::new(FrameLimits::default());
        let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
        for part in [&STREAM[..split], &STREAM[split..]] {
            buffer.extend_from_slice(part);
            while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
                messages.push(BackendMessage::decode(frame).unwrap());
            }
        }
        assert_eq!(messages, expected(), "split at {split}");
        assert!(buffer.is_empty());
    }
}

#[test]
fn copy_data_is_the_same_wherever_the_stream_is_split_and_pieces_have_the_wanted_size() {
    for split in 0..=COPY.len() {
        for wanted in 1..12 {
            let mut decoder = FrameDecoder::new(FrameLimits::default());
            let (mut buffer, mut piece, mut data) = (BytesMut::new(), BytesMut::new(), Vec::new());
            let mut last = Gathered::NeedsBytes;
            for part in [&COPY[..split], &COPY[split..]] {
                buffer.extend_from_slice(part);
                loop {
                    last = decoder.gather_copy_data(&mut buffer, &mut piece, wanted).unwrap();
                    if last != Gathered::Full {
                        break;
                    }
                    assert_eq!(piece.len(), wanted);
                    data.extend_from_slice(&piece.split());
                }
            }
            data.extend_from_slice(&piece);
            assert_eq!((&data[..], last), (&b"abcdefghij"[..], Gathered::OtherMessage), "{split} {wanted}");
        }
    }
}

#[test]
fn collected_copy_data_reads_back_as_it_was_written() {
    let data = vec![7; 300_000];
    let (mut writer, mut out, mut rest) = (CopyDataWriter::default(), BytesMut::new(), &data[..]);
    while !rest.is_empty() {
        let taken = writer.push(rest);
        rest = &rest[taken..];
        if writer.is_full() {
            writer.flush(&mut out).unwrap();
        }
    }
    writer.flush(&mut out).unwrap();
    let mut read = BytesMut::new();
    let gathered = FrameDecoder::default().gather_copy_data(&mut out, &mut read, usize::MAX).unwrap();
    assert_eq!((gathered, read.len()), (Gathered::NeedsBytes, data.len()));
}

#[test]
fn impossible_and_excessive_lengths_are_refused() {
    let decode = |bytes: &[u8]| FrameDecoder::new(FrameLimits::default()).decode(&mut BytesMut::from(bytes));
    assert_eq!(decode(b"Z\0\0\0\x03"), Err(CodecError::ImpossibleLength { tag: b'Z' }));
    assert_eq!(decode(b"Z\xff\xff\xff\xff"), Err(CodecError::ImpossibleLength { tag: b'Z' }));
    assert!(matches!(decode(b"Z\x7f\xff\xff\xff"), Err(CodecError::OverLimit { .. })));
    // Whereas a row of a gigabyte is legal in replication.
    assert_eq!(decode(b"d\x40\0\0\0"), Ok(None));
}
