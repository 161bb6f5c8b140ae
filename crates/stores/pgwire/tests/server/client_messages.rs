//! What clients send, byte by byte, and the header before it.

use atalaya_pgwire::CodecError;
use atalaya_pgwire::server::{
    BindNames, Execute, HEADER_BYTES, LENGTH_MAX, Named, Parse, Query, SaslInitial, client_tag, header, password,
};

#[test]
fn a_header_is_read_from_five_bytes() {
    for length in 0..HEADER_BYTES {
        assert_eq!(header(&b"Q\0\0\x01\x04"[..length]), Ok(None));
    }
    assert_eq!(header(b"Q\0\0\x01\x04"), Ok(Some((client_tag::QUERY, 256))));
    assert_eq!(header(b"S\0\0\0\x04P"), Ok(Some((client_tag::SYNC, 0))));
}

#[test]
fn impossible_and_excessive_lengths_are_refused() {
    for length in [0, 1, 2, 3] {
        assert_eq!(header(&[b'Q', 0, 0, 0, length]), Err(CodecError::ImpossibleLength { tag: b'Q' }));
    }
    let with = |length: u32| header(&[&[b'D'][..], &length.to_be_bytes()].concat());
    assert_eq!(with(LENGTH_MAX), Ok(Some((b'D', (1 << 30) - 5))));
    for length in [LENGTH_MAX + 1, 1 << 31, u32::MAX] {
        let announced = usize::try_from(length).unwrap();
        assert_eq!(with(length), Err(CodecError::OverLimit { tag: b'D', announced, limit: (1 << 30) - 1 }));
    }
}

/// Bodies that are read whole, and whether one byte more would still be such a body.
pub(crate) fn bodies() -> Vec<&'static [u8]> {
    vec![
        b"select 1\0",
        b"s1\0select $1\0\0\x02\0\0\0\x17\0\0\0\0",
        b"\0\0\0\0",
        b"Ss1\0",
        b"P\0",
        b"p1\0\0\0\0\x0a",
        b"SCRAM-SHA-256\0\0\0\0\x08n,,n=,r=",
        b"SCRAM-SHA-256\0\xff\xff\xff\xff",
        b"hunter2\0",
    ]
}

#[test]
fn each_body_means_what_the_manual_says() {
    assert_eq!(Query::decode(b"select 1\0"), Ok(Query { sql: b"select 1" }));
    let rest: &[u8] = b"\0\x02\0\0\0\x17\0\0\0\0";
    assert_eq!(
        Parse::decode(b"s1\0select $1\0\0\x02\0\0\0\x17\0\0\0\0"),
        Ok(Parse { name: b"s1", sql: b"select $1", rest })
    );
    assert_eq!(Parse::decode(b"\0\0\0\0"), Ok(Parse { name: b"", sql: b"", rest: b"\0\0" }));
    assert_eq!(Named::decode(b"Ss1\0"), Ok(Named { kind: Named::STATEMENT, name: b"s1" }));
    assert_eq!(Named::decode(b"P\0"), Ok(Named { kind: Named::PORTAL, name: b"" }));
    assert_eq!(Execute::decode(b"p1\0\0\0\0\x0a"), Ok(Execute { portal: b"p1", rows_max: 10 }));
    assert_eq!(password(b"hunter2\0"), Ok(&b"hunter2"[..]));
    let initial = SaslInitial::decode(b"SCRAM-SHA-256\0\0\0\0\x08n,,n=,r=").unwrap();
    assert_eq!((initial.mechanism, initial.data), ("SCRAM-SHA-256", &b"n,,n=,r="[..]));
    let initial = SaslInitial::decode(b"SCRAM-SHA-256\0\xff\xff\xff\xff").unwrap();
    assert_eq!((initial.mechanism, initial.data), ("SCRAM-SHA-256", &b""[..]));
}

#[test]
fn a_body_cut_short_or_too_long_is_an_error() {
    for body in bodies() {
        let longer = [body, b"\0"].concat();
        for other in (0..body.len()).map(|length| &body[..length]).chain([&longer[..]]) {
            let errors = [
                Query::decode(body).is_err() || Query::decode(other).is_err(),
                Parse::decode(body).is_err() || Parse::decode(other).is_err(),
                Named::decode(body).is_err() || Named::decode(other).is_err(),
                Execute::decode(body).is_err() || Execute::decode(other).is_err(),
                password(body).is_err() || password(other).is_err(),
                SaslInitial::decode(body).is_err() || SaslInitial::decode(other).is_err(),
            ];
            assert_eq!(errors, [true; 6], "{body:?} and {other:?}");
        }
    }
}

#[test]
fn parameter_types_are_as_many_as_announced() {
    assert!(matches!(Parse::decode(b"\0\0\xff\xff\0\0\0\0"), Err(CodecError::Truncated { .. })));
    assert_eq!(Parse::decode(b"\0\0\0\x01\0\0\0\x17\0"), Err(CodecError::TooLong { message: "parse", extra: 1 }));
}

#[test]
fn a_describe_of_neither_statement_nor_portal_is_refused() {
    assert!(matches!(Named::decode(b"X\0"), Err(CodecError::Invalid { .. })));
}

#[test]
fn sasl_data_is_as_long_as_announced() {
    for lie in [
        &b"A\0\0\0\0\x02x"[..],
        b"A\0\0\0\0\0x",
        b"A\0\x7f\xff\xff\xffx",
        b"A\0\xff\xff\xff\xfe",
        b"A\0\xff\xff\xff\xffx",
    ] {
        assert!(SaslInitial::decode(lie).is_err(), "{lie:?}");
    }
}

#[test]
fn the_names_of_a_bind_are_read_as_soon_as_they_are_there() {
    let body = b"p1\0s1\0\0\0\0\x01\0\0\0\x01";
    for length in 0..6 {
        assert_eq!(BindNames::decode_prefix(&body[..length]), Ok(None));
        assert!(BindNames::decode(&body[..length]).is_err());
    }
    for length in 6..=body.len() {
        let names = BindNames { portal: b"p1", statement: b"s1", rest: &body[6..length] };
        assert_eq!(BindNames::decode_prefix(&body[..length]), Ok(Some(names)));
        assert_eq!(BindNames::decode(&body[..length]), Ok(names));
    }
}

#[test]
fn names_are_at_most_10_000_bytes_long_and_are_refused_before_they_end() {
    let longest = [&[b'n'; 10_000][..], b"\0"].concat();
    let longer = [b'n'; 10_001];
    assert_eq!(BindNames::decode_prefix(&longest), Ok(None));
    let both = [&longest[..], &longest].concat();
    assert_eq!(BindNames::decode(&both).unwrap().statement.len(), 10_000);
    let too_long = |error| matches!(error, CodecError::NameTooLong { limit: 10_000, .. });
    assert!(too_long(BindNames::decode_prefix(&longer).unwrap_err()));
    assert!(too_long(BindNames::decode_prefix(&[b"\0", &longer[..]].concat()).unwrap_err()));
    assert!(too_long(Parse::decode(&[&longer[..], b"\0\0\0\0"].concat()).unwrap_err()));
    assert!(too_long(Named::decode(&[b"S", &longer[..], b"\0"].concat()).unwrap_err()));
    assert!(too_long(Execute::decode(&[&longer[..], b"\0\0\0\0\0"].concat()).unwrap_err()));
}
