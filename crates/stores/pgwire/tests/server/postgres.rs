//! What real servers of each version do, against what is read and written here.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use atalaya_pgwire::server::{
    FirstPacket, NegotiatedVersion, ParameterStatus, ScramVerifier, backend_key_data, error_field, first_packet,
};
use atalaya_pgwire::{Authentication, BackendMessage, Frame, FrameDecoder, SaslClient, tag};
use atalaya_sandbox::{Server, fresh_database};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;

use super::first::startup;

const MAJORS: [u16; 6] = [13, 14, 15, 16, 17, 18];

/// A session opened with a packet as it is; everything the server says until it is ready or refuses.
fn open(server: &Server, packet: &[u8]) -> Vec<Frame> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(packet).unwrap();
    let (mut buffer, mut frames, mut sasl) = (BytesMut::new(), Vec::new(), None);
    let mut chunk = [0; 4096];
    loop {
        while let Some(frame) = FrameDecoder::default().decode(&mut buffer).unwrap() {
            frames.push(frame.clone());
            if matches!(frame.tag, tag::READY_FOR_QUERY | tag::ERROR_RESPONSE) {
                return frames;
            }
            let mut out = BytesMut::new();
            if let Ok(BackendMessage::Authentication(step)) = BackendMessage::decode(frame) {
                answer(step, server.superuser().password(), &mut sasl, &mut out);
            }
            stream.write_all(&out).unwrap();
        }
        match stream.read(&mut chunk).unwrap() {
            0 => return frames,
            length => buffer.extend_from_slice(&chunk[..length]),
        }
    }
}

fn answer(step: Authentication, password: &str, sasl: &mut Option<SaslClient>, out: &mut BytesMut) {
    match step {
        Authentication::Sasl { mechanisms } => {
            let client = SaslClient::choose(&mechanisms, password, None).unwrap();
            client.start(out).unwrap();
            *sasl = Some(client);
        }
        Authentication::SaslContinue(challenge) => sasl.as_mut().unwrap().proceed(&challenge, out).unwrap(),
        Authentication::SaslFinal(proof) => sasl.as_mut().unwrap().finish(&proof).unwrap(),
        Authentication::Ok => {}
        other => panic!("{other:?}"),
    }
}

fn body(frames: &[Frame], tag: u8) -> Option<&[u8]> {
    frames.iter().find(|frame| frame.tag == tag).map(|frame| &frame.body[..])
}

fn reported<'a>(frames: &'a [Frame], setting: &str) -> Option<&'a [u8]> {
    let all = frames.iter().filter(|frame| frame.tag == tag::PARAMETER_STATUS);
    all.map(|frame| ParameterStatus::decode(&frame.body).unwrap())
        .find(|status| status.name == setting.as_bytes())
        .map(|status| status.value)
}

fn text(value: &str) -> Vec<u8> {
    [value.as_bytes(), b"\0"].concat()
}

fn parameters(server: &Server, more: &[u8]) -> Vec<u8> {
    [b"user\0", &text(server.superuser().name())[..], b"database\0postgres\0", more, b"\0"].concat()
}

#[test]
fn a_verifier_that_postgres_made_of_a_password_is_the_one_made_here() {
    for major in MAJORS {
        let (server, database) = fresh_database(major).unwrap();
        let passwords = [
            "secret",
            "I\u{ad}X",
            "\u{2168}",
            "a\u{a0}b",
            "\u{aa}",
            "\u{7}",
            "\u{627}1",
            "a\u{e000}",
            "\u{ad}",
            "p:$='\u{20ac}",
        ];
        for (number, password) in passwords.into_iter().enumerate() {
            let role = format!("scram_{number}");
            let quoted = password.replace('\'', "''");
            server.run_sql(&database, &format!("create role {role} login password '{quoted}'")).unwrap();
            let stored = format!("select rolpassword from pg_authid where rolname = '{role}'");
            let stored = server.run_sql(&database, &stored).unwrap();
            server.run_sql(&database, &format!("drop role {role}")).unwrap();

            let verifier: ScramVerifier = stored.parse().unwrap();
            assert_eq!(verifier.to_text(), stored);
            let salt = stored.split(['$', ':']).nth(2).unwrap();
            let salt = STANDARD.decode(salt).unwrap().try_into().unwrap();
            assert_eq!(ScramVerifier::of_password(password, salt, 4096).to_text(), stored, "{major}: {password:?}");
        }
    }
}

#[test]
fn postgres_lets_in_by_a_verifier_made_here() {
    for major in MAJORS {
        let (server, database) = fresh_database(major).unwrap();
        let text = ScramVerifier::of_password("pencil", [5; 16], 10_000).to_text();
        let sql = format!("create role made_here_{database} login password '{text}'");
        server.run_sql(&database, &sql).unwrap();
        let stored = format!("select rolpassword from pg_authid where rolname = 'made_here_{database}'");
        // One that is no verifier would have been hashed as a password.
        assert_eq!(server.run_sql(&database, &stored).unwrap(), text);
        server.run_sql(&database, &format!("drop role made_here_{database}")).unwrap();
    }
}

#[test]
fn postgres_reads_startup_packets_as_they_are_read_here() {
    for major in MAJORS {
        let (server, _) = fresh_database(major).unwrap();
        for more in [
            &b"application_name\0one\0application_name\0two\0"[..],
            b"application_name\0one\0Application_Name\0two\0",
            b"APPLICATION_NAME\0one\0application_name\0two\0application_namE\0three\0",
            b"user\0nobody\0user\0postgres\0application_name\0x\0database\0nowhere\0database\0postgres\0",
        ] {
            // The superuser is the last one named, whoever it is.
            let more = [more, b"user\0", &text(server.superuser().name())].concat();
            let packet = startup(0, &parameters(server, &more));
            let Ok(Some((FirstPacket::Startup(request), _))) = first_packet(&packet) else {
                panic!("{}", packet.escape_ascii());
            };
            let frames = open(server, &packet);
            assert_eq!(body(&frames, tag::ERROR_RESPONSE), None, "{major}");
            let expected = request.get("application_name").map(str::as_bytes);
            assert_eq!(reported(&frames, "application_name"), expected, "{major}: {}", packet.escape_ascii());
            assert_eq!(request.user(), server.superuser().name());
        }
    }
}

#[test]
fn postgres_refuses_the_packets_that_are_refused_here_by_the_same_sqlstate() {
    for major in MAJORS {
        let (server, _) = fresh_database(major).unwrap();
        for packet in [
            startup(0, b"user\0a\0"),
            startup(0, b"user\0a"),
            startup(0, b"user\0a\0\0x"),
            startup(0, b"database\0a\0\0"),
            startup(0, b"User\0a\0\0"),
            b"\0\0\0\x08\0\x04\0\0".to_vec(),
        ] {
            let error = first_packet(&packet).unwrap_err();
            let frames = open(server, &packet);
            let refusal = body(&frames, tag::ERROR_RESPONSE).unwrap();
            let expected = error.sqlstate().as_bytes();
            assert_eq!(error_field(refusal, b'C'), Some(expected), "{major}: {}", packet.escape_ascii());
        }
    }
}

#[test]
fn a_version_too_new_is_negotiated_and_keys_grow_with_it() {
    for major in MAJORS {
        let (server, _) = fresh_database(major).unwrap();
        let newest = if major < 18 { 0 } else { 2 };
        let frames = open(server, &startup(2, &parameters(server, b"_pq_.x\0y\0")));
        let negotiated = NegotiatedVersion::decode(body(&frames, tag::NEGOTIATE_PROTOCOL_VERSION).unwrap()).unwrap();
        assert_eq!(negotiated, NegotiatedVersion { minor: newest, unknown_options: vec![b"_pq_.x"] }, "{major}");
        let key = backend_key_data(body(&frames, tag::BACKEND_KEY_DATA).unwrap()).unwrap();
        assert_eq!(key.secret.len(), if newest == 2 { 32 } else { 4 }, "{major}");
    }
}
