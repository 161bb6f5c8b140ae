//! What one side writes is what the other reads, whatever is in it.

use atalaya_pgwire::server::{
    BindNames, CancelKey, Execute, FirstPacket, HEADER_BYTES, Named, NegotiatedVersion, ParameterStatus, Parse, Query,
    Refusal, Severity, backend_key_data, error_field, first_packet, header, reply, rewrite,
};
use atalaya_pgwire::{Authentication, BackendMessage, Frame, TransactionStatus, cancel_request, ssl_request, startup};
use bytes::BytesMut;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// The tag and the body of what was written, which is one message and nothing else.
fn message(written: &[u8]) -> (u8, &[u8]) {
    let (tag, length) = header(written).unwrap().unwrap();
    assert_eq!(length + HEADER_BYTES, written.len());
    (tag, &written[HEADER_BYTES..])
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// What a client reads of it.
fn by_client(written: &[u8]) -> BackendMessage {
    let (tag, body) = message(written);
    BackendMessage::decode(Frame { tag, body: body.to_vec().into() }).unwrap()
}

/// A name or text of the protocol: anything but a zero byte.
fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..40)
}

fn word() -> impl Strategy<Value = String> {
    "[^\\x00]{0,20}"
}

proptest! {
    #[test]
    fn a_session_s_start_is_read_as_it_was_written(user in "[^\\x00]{1,20}", more in btree_map("[a-z]{6,9}", word(), 0..6)) {
        prop_assume!(more.keys().all(|name| name != "database" && name != "options" && name != "replication"));
        let mut out = BytesMut::new();
        let pairs = [("user", user.as_str())].into_iter();
        let all: Vec<_> = pairs.chain(more.iter().map(|(name, value)| (name.as_str(), value.as_str()))).collect();
        startup(all.clone(), &mut out).unwrap();
        let Ok(Some((FirstPacket::Startup(request), consumed))) = first_packet(&out) else { panic!("{out:?}") };
        prop_assert_eq!((consumed, request.user(), request.minor), (out.len(), user.as_str(), 0));
        let read: Vec<_> = request.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        prop_assert_eq!(read, all);
    }

    #[test]
    fn a_cancel_request_is_read_as_it_was_written(process_id: i32, secret_key: i32) {
        let mut out = BytesMut::new();
        cancel_request(process_id, secret_key, &mut out);
        let key = CancelKey { process_id, secret: secret_key.to_be_bytes().into() };
        prop_assert_eq!(first_packet(&out), Ok(Some((FirstPacket::Cancel(key), out.len()))));
    }

    #[test]
    fn rewritten_requests_are_read_as_they_were_written(
        name in text(), portal in text(), sql in text(), oids: Vec<u32>, rest: Vec<u8>,
    ) {
        let count = u16::try_from(oids.len()).unwrap().to_be_bytes().to_vec();
        let types = oids.iter().fold(count, |types, oid| [types, oid.to_be_bytes().to_vec()].concat());
        let out = written(|out| rewrite::parse(&name, &sql, &types, out).unwrap());
        let expected = Parse { name: &name, sql: &sql, rest: &types };
        prop_assert_eq!(Parse::decode(message(&out).1), Ok(expected));

        let out = written(|out| {
            rewrite::bind_head(&portal, &name, rest.len(), out).unwrap();
            out.extend_from_slice(&rest);
        });
        let expected = BindNames { portal: &portal, statement: &name, rest: &rest };
        prop_assert_eq!(BindNames::decode(message(&out).1), Ok(expected));
        let out = written(|out| rewrite::bind(&portal, &name, out).unwrap());
        prop_assert_eq!(BindNames::decode(message(&out).1).unwrap().statement, &name[..]);

        let out = written(|out| rewrite::execute(&portal, out).unwrap());
        prop_assert_eq!(Execute::decode(message(&out).1), Ok(Execute { portal: &portal, rows_max: 0 }));
        for write in [rewrite::describe_statement, rewrite::close_statement] {
            let out = written(|out| write(&name, out).unwrap());
            prop_assert_eq!(Named::decode(message(&out).1), Ok(Named { kind: Named::STATEMENT, name: &name }));
        }
        let out = written(|out| rewrite::query(&sql, out).unwrap());
        prop_assert_eq!(Query::decode(message(&out).1), Ok(Query { sql: &sql }));
    }

    #[test]
    fn replies_are_read_as_they_were_written(
        name in word(), value in word(), process_id: i32, secret in vec(any::<u8>(), 4..=256),
        minor: u16, options in vec("[a-z]{1,9}", 0..5), data: Vec<u8>,
    ) {
        let out = written(|out| reply::parameter_status(&name, &value, out));
        let status = ParameterStatus { name: name.as_bytes(), value: value.as_bytes() };
        prop_assert_eq!(ParameterStatus::decode(message(&out).1), Ok(status));
        prop_assert_eq!(by_client(&out), BackendMessage::ParameterStatus { name, value });

        let out = written(|out| reply::backend_key_data(process_id, &secret, out));
        let key = CancelKey { process_id, secret: secret.into() };
        prop_assert_eq!(backend_key_data(message(&out).1), Ok(key));

        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let out = written(|out| reply::negotiate_protocol_version(minor, &options, out));
        let unknown_options = options.iter().map(|option| option.as_bytes()).collect();
        prop_assert_eq!(NegotiatedVersion::decode(message(&out).1), Ok(NegotiatedVersion { minor, unknown_options }));

        let out = written(|out| reply::authentication_sasl(&options, out));
        let mechanisms = options.iter().map(|option| (*option).to_owned()).collect();
        prop_assert_eq!(by_client(&out), BackendMessage::Authentication(Authentication::Sasl { mechanisms }));
        let out = written(|out| reply::authentication_sasl_continue(&data, out));
        let step = Authentication::SaslContinue(data.clone().into());
        prop_assert_eq!(by_client(&out), BackendMessage::Authentication(step));
        let out = written(|out| reply::authentication_sasl_final(&data, out));
        prop_assert_eq!(by_client(&out), BackendMessage::Authentication(Authentication::SaslFinal(data.into())));
    }

    #[test]
    fn an_error_is_read_as_it_was_written_or_up_to_its_first_zero(message_text: String, hint: Option<String>) {
        let refusal = Refusal {
            severity: Severity::Error,
            sqlstate: "42P05",
            message: message_text,
            detail: None,
            hint,
            routine: None,
        };
        let out = written(|out| reply::error(&refusal, out));
        let until_zero = |text: &str| text.split('\0').next().unwrap_or_default().to_owned();
        let body = message(&out).1;
        let field = |kind| error_field(body, kind).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        prop_assert_eq!(field(b'M'), Some(until_zero(&refusal.message)));
        prop_assert_eq!(field(b'H'), refusal.hint.as_deref().map(until_zero));
        let BackendMessage::Error(error) = by_client(&out) else { panic!("no error") };
        prop_assert_eq!(error.message, until_zero(&refusal.message));
    }
}

#[test]
fn the_rest_is_read_as_it_was_written() {
    let mut out = BytesMut::new();
    ssl_request(&mut out);
    assert_eq!(first_packet(&out), Ok(Some((FirstPacket::Ssl, 8))));
    for status in [TransactionStatus::Idle, TransactionStatus::Open, TransactionStatus::Failed] {
        let out = written(|out| reply::ready_for_query(status, out));
        assert_eq!(by_client(&out), BackendMessage::ReadyForQuery(status));
    }
    let out = written(|out| reply::command_complete("INSERT 0 3", out));
    assert_eq!(by_client(&out), BackendMessage::CommandComplete { command: "INSERT 0 3".to_owned() });
}
