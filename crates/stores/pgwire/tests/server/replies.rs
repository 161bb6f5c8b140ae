//! What a gateway sends, byte by byte, to clients and to servers; and what it reads of a server's own messages.

use atalaya_pgwire::server::{
    NegotiatedVersion, ParameterStatus, Parse, Refusal, Severity, backend_key_data, error_field, error_fields, header,
    reply, rewrite,
};
use atalaya_pgwire::{CodecError, TransactionStatus};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"before".to_vec();
    write(&mut out);
    out.split_off(6)
}

fn refusal() -> Refusal {
    Refusal {
        severity: Severity::Fatal,
        sqlstate: "28P01",
        message: "no".to_owned(),
        detail: Some("d".to_owned()),
        hint: Some("h".to_owned()),
        routine: Some("r"),
    }
}

/// Bodies of servers' messages that a gateway reads.
pub(crate) fn server_bodies() -> Vec<&'static [u8]> {
    vec![
        b"SERROR\0VERROR\0C22P02\0Mno\0Dsecret\0Hhint\0Rroutine\0\0",
        b"server_version\x0018.0\0",
        b"\0\0\0\x07\x01\x02\x03\x04",
        b"\0\x03\0\x02\0\0\0\x02_pq_.x\0_pq_.y\0",
        b"I",
    ]
}

#[test]
fn each_reply_is_that_of_the_manual() {
    let bare = Refusal { severity: Severity::Warning, detail: None, hint: None, routine: None, ..refusal() };
    let golden: Vec<(Vec<u8>, &[u8])> = vec![
        (written(reply::authentication_ok), b"R\0\0\0\x08\0\0\0\0"),
        (written(reply::authentication_cleartext_password), b"R\0\0\0\x08\0\0\0\x03"),
        (
            written(|out| reply::authentication_sasl(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], out)),
            b"R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0",
        ),
        (written(|out| reply::authentication_sasl_continue(b"r=x", out)), b"R\0\0\0\x0b\0\0\0\x0br=x"),
        (written(|out| reply::authentication_sasl_final(b"v=x", out)), b"R\0\0\0\x0b\0\0\0\x0cv=x"),
        (written(|out| reply::parameter_status("a", "bc", out)), b"S\0\0\0\x09a\0bc\0"),
        (written(|out| reply::backend_key_data(7, b"\x01\x02\x03\x04", out)), b"K\0\0\0\x0c\0\0\0\x07\x01\x02\x03\x04"),
        (written(|out| reply::ready_for_query(TransactionStatus::Idle, out)), b"Z\0\0\0\x05I"),
        (written(|out| reply::ready_for_query(TransactionStatus::Open, out)), b"Z\0\0\0\x05T"),
        (written(|out| reply::ready_for_query(TransactionStatus::Failed, out)), b"Z\0\0\0\x05E"),
        (
            written(|out| reply::negotiate_protocol_version(2, &["_pq_.x", "_pq_.y"], out)),
            b"v\0\0\0\x1a\0\x03\0\x02\0\0\0\x02_pq_.x\0_pq_.y\0",
        ),
        (written(reply::parse_complete), b"1\0\0\0\x04"),
        (written(reply::close_complete), b"3\0\0\0\x04"),
        (written(|out| reply::command_complete("SET", out)), b"C\0\0\0\x08SET\0"),
        (written(|out| reply::error(&refusal(), out)), b"E\0\0\0\x27SFATAL\0VFATAL\0C28P01\0Mno\0Dd\0Hh\0Rr\0\0"),
        (written(|out| reply::notice(&bare, out)), b"N\0\0\0\x22SWARNING\0VWARNING\0C28P01\0Mno\0\0"),
    ];
    for (bytes, expected) in golden {
        assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}

#[test]
fn the_words_of_severity_are_those_that_clients_know() {
    let all = [Severity::Notice, Severity::Warning, Severity::Error, Severity::Fatal];
    assert_eq!(all.map(Severity::word), ["NOTICE", "WARNING", "ERROR", "FATAL"]);
}

#[test]
fn no_text_can_pass_for_a_message_of_its_own() {
    let message = "no\0\0Z\0\0\0\x05I".to_owned();
    let bytes = written(|out| reply::error(&Refusal { message, ..refusal() }, out));
    assert_eq!(bytes, written(|out| reply::error(&refusal(), out)));
    assert_eq!(written(|out| reply::parameter_status("a\0b", "c", out)), b"S\0\0\0\x08a\0c\0");
}

#[test]
fn replies_stay_as_short_as_libpq_takes_them() {
    let long = "ä".repeat(20_000);
    let bytes = written(|out| reply::parameter_status(&long, &long, out));
    let (_, length) = header(&bytes).unwrap().unwrap();
    assert!(length < 30_000 && length + 5 == bytes.len());
    let status = ParameterStatus::decode(&bytes[5..]).unwrap();
    assert!(str::from_utf8(status.value).is_ok() && status.value.len() == reply::TEXT_BYTES_MAX);
    let many = vec![long.as_str(); 10];
    let bytes = written(|out| reply::negotiate_protocol_version(0, &many, out));
    assert!(bytes.len() < 30_000 && NegotiatedVersion::decode(&bytes[5..]).is_ok());
}

#[test]
fn each_rewritten_message_is_that_of_the_manual() {
    let golden: Vec<(Vec<u8>, &[u8])> = vec![
        (
            written(|out| rewrite::parse(b"s1", b"select $1", b"\0\x01\0\0\0\x17", out).unwrap()),
            b"P\0\0\0\x17s1\0select $1\0\0\x01\0\0\0\x17",
        ),
        (written(|out| rewrite::bind_head(b"p", b"s1", 6, out).unwrap()), b"B\0\0\0\x0fp\0s1\0"),
        (written(|out| rewrite::bind(b"p", b"s1", out).unwrap()), b"B\0\0\0\x0fp\0s1\0\0\0\0\0\0\0"),
        (written(|out| rewrite::execute(b"p", out).unwrap()), b"E\0\0\0\x0ap\0\0\0\0\0"),
        (written(|out| rewrite::describe_statement(b"s1", out).unwrap()), b"D\0\0\0\x08Ss1\0"),
        (written(|out| rewrite::close_statement(b"s1", out).unwrap()), b"C\0\0\0\x08Ss1\0"),
        (written(rewrite::flush), b"H\0\0\0\x04"),
        (written(rewrite::sync), b"S\0\0\0\x04"),
        (written(|out| rewrite::query(b"select 1", out).unwrap()), b"Q\0\0\0\x0dselect 1\0"),
    ];
    for (bytes, expected) in golden {
        assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
    let bytes = written(|out| rewrite::parse(b"s1", b"select $1", b"\0\x01\0\0\0\x17", out).unwrap());
    assert_eq!(Parse::decode(&bytes[5..]).unwrap().name, b"s1");
}

#[test]
fn what_would_break_the_stream_is_not_written_at_all() {
    let mut out = Vec::new();
    let errors = [
        rewrite::parse(b"a\0b", b"", b"\0\0", &mut out),
        rewrite::parse(b"", b"select 1\0", b"\0\0", &mut out),
        rewrite::bind_head(b"\0", b"", 0, &mut out),
        rewrite::bind_head(b"", b"\0", 0, &mut out),
        rewrite::bind(b"\0", b"", &mut out),
        rewrite::execute(b"\0", &mut out),
        rewrite::describe_statement(b"\0", &mut out),
        rewrite::close_statement(b"\0", &mut out),
        rewrite::query(b"select 1\0", &mut out),
    ];
    assert!(errors.iter().all(|error| matches!(error, Err(CodecError::ZeroByte { .. }))), "{errors:?}");
    for rest in [1 << 30, usize::MAX] {
        let error = rewrite::bind_head(b"", b"", rest, &mut out).unwrap_err();
        assert_eq!(error, CodecError::TooLargeToSend { field: "message" });
    }
    assert!(out.is_empty());
    rewrite::bind_head(b"", b"", (1 << 30) - 7, &mut out).unwrap();
}

#[test]
fn the_fields_of_an_error_are_read_whatever_there_is_of_them() {
    let body = b"SERROR\0C22P02\0Mno\0\0";
    let fields: Vec<_> = error_fields(body).collect();
    assert_eq!(fields, [(b'S', &b"ERROR"[..]), (b'C', b"22P02"), (b'M', b"no")]);
    assert_eq!((error_field(body, b'C'), error_field(body, b'D')), (Some(&b"22P02"[..]), None));
    // Without a SQLSTATE, without a final zero, with a field that has no end, with nothing at all.
    for (body, count) in [(&b"Mno\0\0"[..], 1), (b"Mno\0", 1), (b"Mno\0Dx", 1), (b"\0Mno\0\0", 0), (b"", 0), (b"M", 0)]
    {
        assert_eq!(error_fields(body).count(), count, "{body:?}");
        assert_eq!(error_field(body, b'C'), None);
    }
}

#[test]
fn a_server_s_key_may_have_4_to_256_bytes() {
    for length in [4, 32, 256] {
        let body = [&7_i32.to_be_bytes()[..], &vec![1; length]].concat();
        let key = backend_key_data(&body).unwrap();
        assert_eq!((key.process_id, key.secret.len()), (7, length));
    }
    for length in [0, 3, 257] {
        assert!(backend_key_data(&[&7_i32.to_be_bytes()[..], &vec![1; length]].concat()).is_err());
    }
    assert!(backend_key_data(b"\0\0\0").is_err());
}

#[test]
fn a_negotiated_version_is_read_with_and_without_its_major_version() {
    let expected = NegotiatedVersion { minor: 2, unknown_options: vec![b"_pq_.x"] };
    for version in [b"\0\x03\0\x02", b"\0\0\0\x02"] {
        let body = [&version[..], b"\0\0\0\x01_pq_.x\0"].concat();
        assert_eq!(NegotiatedVersion::decode(&body), Ok(expected.clone()));
    }
    assert!(NegotiatedVersion::decode(b"\0\x04\0\0\0\0\0\0").is_err());
    assert!(matches!(NegotiatedVersion::decode(b"\0\x03\0\0\xff\xff\xff\xff"), Err(CodecError::Truncated { .. })));
    assert!(NegotiatedVersion::decode(b"\0\x03\0\0\0\0\0\0x").is_err());
}

#[test]
fn a_parameter_status_is_two_texts() {
    assert_eq!(ParameterStatus::decode(b"a\0bc\0"), Ok(ParameterStatus { name: b"a", value: b"bc" }));
    assert!(ParameterStatus::decode(b"a\0bc").is_err() && ParameterStatus::decode(b"a\0bc\0x").is_err());
}
