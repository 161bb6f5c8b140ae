//! First packets byte by byte, and those that are refused.

use atalaya_pgwire::CodecError;
use atalaya_pgwire::server::{CancelKey, FirstPacket, STARTUP_BYTES_MAX, StartupRequest, first_packet};

const SSL: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";
const CANCEL: &[u8] = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07\0\x01\x02\xff";

pub(crate) fn startup(minor: u16, parameters: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + parameters.len()).unwrap();
    [&length.to_be_bytes()[..], &3_u16.to_be_bytes(), &minor.to_be_bytes(), parameters].concat()
}

fn read(parameters: &[u8]) -> Result<StartupRequest, CodecError> {
    let bytes = startup(0, parameters);
    match first_packet(&bytes)?.unwrap() {
        (FirstPacket::Startup(request), consumed) if consumed == bytes.len() => Ok(request),
        other => panic!("{other:?}"),
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Every kind of first packet, and what it means.
pub(crate) fn packets() -> Vec<(Vec<u8>, FirstPacket)> {
    let short = CancelKey { process_id: 7, secret: Box::new([0, 1, 2, 255]) };
    let long = CancelKey { process_id: -1, secret: Box::new([9; 256]) };
    let request = StartupRequest {
        minor: 2,
        parameters: owned(&[("user", "jörg"), ("options", "-c a=b")]),
        unknown_options: vec!["_pq_.x".to_owned()],
    };
    let long_bytes = [b"\0\0\x01\x0c\x04\xd2\x16\x2e\xff\xff\xff\xff", &[9; 256][..]].concat();
    vec![
        (SSL.to_vec(), FirstPacket::Ssl),
        (GSS.to_vec(), FirstPacket::Gss),
        (CANCEL.to_vec(), FirstPacket::Cancel(short)),
        (long_bytes, FirstPacket::Cancel(long)),
        (startup(2, b"user\0j\xc3\xb6rg\0_pq_.x\0\x31\0options\0-c a=b\0\0"), FirstPacket::Startup(request)),
    ]
}

#[test]
fn each_first_packet_is_read_when_its_last_byte_is_there_and_not_before() {
    for (bytes, packet) in packets() {
        for length in 0..bytes.len() {
            assert_eq!(first_packet(&bytes[..length]), Ok(None), "{length} bytes of {packet:?}");
        }
        assert_eq!(first_packet(&bytes), Ok(Some((packet, bytes.len()))));
    }
}

#[test]
fn what_follows_a_session_s_start_is_left_alone() {
    let startup = startup(0, b"user\0a\0\0");
    let (_, consumed) = first_packet(&[&startup, &b"p\0\0\0\x05x"[..]].concat()).unwrap().unwrap();
    assert_eq!(consumed, startup.len());
}

#[test]
fn bytes_behind_a_request_for_encryption_are_refused() {
    for request in [SSL, GSS] {
        let injected = [request, &startup(0, b"user\0a\0\0")].concat();
        let error = first_packet(&injected).unwrap_err();
        assert_eq!((error.sqlstate(), error), ("08P01", CodecError::UnencryptedBytes { extra: 16 }));
    }
    // Nor may they hide in a request that is longer than one.
    let longer = b"\0\0\0\x09\x04\xd2\x16\x2fx";
    assert_eq!(first_packet(longer), Err(CodecError::UnencryptedBytes { extra: 1 }));
}

#[test]
fn a_tls_handshake_is_seen_at_its_first_byte_and_not_consumed() {
    assert_eq!(first_packet(b"\x16"), Ok(Some((FirstPacket::DirectTls, 0))));
    assert_eq!(first_packet(b"\x16\x03\x01\x02\0\x01"), Ok(Some((FirstPacket::DirectTls, 0))));
}

#[test]
fn lengths_that_no_first_packet_has_are_refused_before_the_rest_comes() {
    let longest = u32::try_from(4 + STARTUP_BYTES_MAX).unwrap();
    for announced in [0, 1, 7, longest + 1, 0x4745_5420, u32::MAX] {
        assert_eq!(first_packet(&announced.to_be_bytes()), Err(CodecError::StartupLength { announced }));
    }
    assert_eq!(first_packet(&longest.to_be_bytes()), Ok(None));
    let value = vec![b'x'; STARTUP_BYTES_MAX - 4 - 11];
    assert_eq!(
        read(&[b"user\0a\0", &[b'o'][..], b"\0", &value, b"\0\0"].concat()).unwrap().get("o").unwrap().len(),
        value.len()
    );
}

#[test]
fn another_major_version_is_named_in_the_refusal() {
    for (version, major, minor) in [(*b"\0\x02\0\0", 2, 0), (*b"\0\x04\0\x01", 4, 1), (*b"\x04\xd2\0\0", 1234, 0)] {
        let error = first_packet(&[&b"\0\0\0\x08"[..], &version].concat()).unwrap_err();
        assert_eq!((error.sqlstate(), &error), ("0A000", &CodecError::UnsupportedProtocol { major, minor }));
        assert!(error.to_string().starts_with(&format!("unsupported frontend protocol {major}.{minor}")));
    }
}

#[test]
fn any_minor_version_is_read_so_that_it_can_be_negotiated() {
    let (FirstPacket::Startup(request), _) = first_packet(&startup(9999, b"user\0a\0\0")).unwrap().unwrap() else {
        panic!("no startup");
    };
    assert_eq!(request.minor, 9999);
}

#[test]
fn cancel_keys_of_fewer_than_4_or_more_than_256_bytes_are_refused() {
    let cancel = |secret: usize| {
        let length = u32::try_from(12 + secret).unwrap();
        first_packet(&[&length.to_be_bytes()[..], b"\x04\xd2\x16\x2e\0\0\0\x07", &vec![1; secret]].concat())
    };
    assert!(cancel(0).is_err() && cancel(3).is_err() && cancel(257).is_err());
    assert!(cancel(4).is_ok() && cancel(32).is_ok() && cancel(256).is_ok());
    assert!(first_packet(b"\0\0\0\x08\x04\xd2\x16\x2e").is_err());
}

#[test]
fn a_secret_is_in_no_debug_output() {
    let key = CancelKey { process_id: 7, secret: Box::new([173; 4]) };
    assert_eq!(format!("{key:?}"), "CancelKey { process_id: 7, .. }");
}

#[test]
fn the_database_is_the_user_s_unless_given() {
    let request = read(b"user\0a\0\0").unwrap();
    assert_eq!((request.user(), request.database(), request.replication()), ("a", "a", None));
    let request = read(b"user\0a\0database\0\0replication\0database\0\0").unwrap();
    assert_eq!((request.user(), request.database(), request.replication()), ("a", "a", Some("database")));
    let request = read(b"database\0b\0user\0a\0\0").unwrap();
    assert_eq!((request.user(), request.database()), ("a", "b"));
}

#[test]
fn of_a_name_given_twice_the_last_counts() {
    let request = read(b"user\0a\0role\0x\0user\0b\0Role\0y\0ROLE\0z\0\0").unwrap();
    assert_eq!(request.parameters, owned(&[("user", "b"), ("ROLE", "z")]));
    assert_eq!((request.user(), request.get("role"), request.get("rOle")), ("b", Some("z"), Some("z")));
}

#[test]
fn settings_are_known_in_any_case_but_the_protocol_s_own_keys_are_not() {
    let request = read(b"user\0a\0USER\0b\0Database\0c\0Replication\0true\0\0").unwrap();
    assert_eq!((request.user(), request.database(), request.replication()), ("a", "a", None));
    assert_eq!((request.get("User"), request.get("database")), (Some("b"), None));
    assert_eq!(request.parameters.len(), 4);
}

#[test]
fn options_of_the_protocol_are_no_settings() {
    let request = read(b"user\0a\0_pq_.a\0x\0_pq_.b\0\0_PQ_.c\0y\0\0").unwrap();
    assert_eq!(request.unknown_options, ["_pq_.a", "_pq_.b"]);
    assert_eq!(request.parameters, owned(&[("user", "a"), ("_PQ_.c", "y")]));
}

#[test]
fn layouts_that_are_not_pairs_and_a_final_zero_are_refused() {
    for layout in [
        &b""[..],
        b"user\0a\0",
        b"user\0a",
        b"user\0",
        b"user\0\0",
        b"user",
        b"user\0a\0\0x",
        b"user\0a\0\0\0",
        b"user\0a\0\0role\0b\0\0",
    ] {
        let error = read(layout).unwrap_err();
        assert_eq!(error.sqlstate(), "08P01", "{layout:?}: {error}");
    }
}

#[test]
fn a_session_needs_a_user() {
    for nobody in [&b"\0"[..], b"database\0a\0\0", b"user\0\0\0", b"user\0a\0user\0\0\0", b"User\0a\0\0"] {
        let error = read(nobody).unwrap_err();
        assert_eq!((error.sqlstate(), error), ("28000", CodecError::NoUser));
    }
}

#[test]
fn names_and_values_are_utf_8() {
    for bytes in [&b"user\0\xff\0\0"[..], b"user\0a\0\xc3\0b\0\0"] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.sqlstate(), "22021", "{error}");
    }
}
