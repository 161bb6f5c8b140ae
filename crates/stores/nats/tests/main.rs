//! A stream of a real broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod broker;

use std::sync::OnceLock;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use atalaya_nats::{Error, JetStream, Options, Outgoing, Received, Standing, Stored};
use atalaya_sandbox::{NatsServer, TlsFiles};

static SERVER: OnceLock<NatsServer> = OnceLock::new();

fn options(name: &str) -> Options {
    let server = SERVER.get_or_init(|| NatsServer::start().unwrap());
    Options::new(server.url(), name.to_uppercase(), name)
}

fn order<'a>(id: &'a str, payload: &'static str) -> Outgoing<'a> {
    Outgoing { id, kind: "order", headers: &[("type", "OrderPlaced")], payload: payload.into() }
}

#[tokio::test]
async fn a_message_is_stored_once_under_its_identity_whoever_sends_it_again() {
    let stream = JetStream::new(options("once"));
    assert_eq!(stream.publish(order("1", "a")).await.unwrap(), Stored::Now);
    assert_eq!(JetStream::new(options("once")).publish(order("1", "a")).await.unwrap(), Stored::Before);
    assert_eq!(stream.publish(order("2", "b")).await.unwrap(), Stored::Now);
    let held = stream.read(1, 10).await.unwrap();
    let seen: Vec<_> =
        held.iter().map(|m| (m.sequence, m.id().unwrap(), m.header("type").unwrap(), &m.payload[..])).collect();
    assert_eq!(seen, [(1, "1", "OrderPlaced", &b"a"[..]), (2, "2", "OrderPlaced", b"b")]);
    assert!(held.iter().all(|message| message.subject == "once.order"));
    assert_eq!(stream.read(2, 10).await.unwrap().len(), 1);
    assert!(stream.read(3, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reader_that_waits_gets_the_next_message_when_it_comes_and_nothing_when_none_does() {
    let stream = JetStream::new(options("waiting"));
    stream.publish(order("1", "a")).await.unwrap();
    assert!(stream.read_waiting(2, 10, Duration::from_millis(50)).await.unwrap().is_empty());
    let waiting = tokio::spawn({
        let stream = stream.clone();
        // Longer than any test takes: what ends it is the message.
        async move { stream.read_waiting(2, 10, Duration::from_secs(600)).await.unwrap() }
    });
    let context = broker::context(&options("waiting")).await;
    while !broker::somebody_waits(&context, "WAITING").await {
        assert!(!waiting.is_finished());
    }
    stream.publish(order("2", "b")).await.unwrap();
    let received = waiting.await.unwrap();
    assert_eq!((received[0].sequence, received[0].id()), (2, Some("2")));
    let all = stream.read_waiting(1, 10, Duration::from_secs(600)).await.unwrap();
    assert_eq!(all.iter().map(|message| message.sequence).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn what_was_read_does_not_wait_for_a_broker_that_is_slow_to_let_go_of_the_place() {
    JetStream::new(options("slow")).publish(order("1", "a")).await.unwrap();
    let url = broker::that_never_deletes_a_consumer(SERVER.get().unwrap()).await;
    let stream = JetStream::new(Options { url, ..options("slow") });
    let received = stream.read_waiting(1, 10, Duration::from_millis(50)).await.unwrap();
    assert_eq!(received.iter().map(Received::id).collect::<Vec<_>>(), [Some("1")]);
}

#[tokio::test]
async fn it_is_told_whether_limits_take_messages_from_between_others() {
    let context = broker::context(&options("limits")).await;
    for (name, max_messages_per_subject, discard, expected) in [
        ("limits", -1, DiscardPolicy::Old, false),
        ("last", 1, DiscardPolicy::Old, true),
        ("refusing", 1, DiscardPolicy::New, false),
    ] {
        let options = options(name);
        let config = Config {
            name: options.stream.clone(),
            subjects: vec![format!("{name}.>")],
            duplicate_window: options.duplicate_window,
            max_messages: 10,
            max_messages_per_subject,
            discard,
            discard_new_per_subject: discard == DiscardPolicy::New,
            ..Config::default()
        };
        context.create_stream(config).await.unwrap();
        assert_eq!(JetStream::new(options).standing().await.unwrap().is_limited_by_subject, expected, "{name}");
    }
}

#[tokio::test]
async fn a_stream_that_was_made_anew_under_its_name_is_told_from_the_one_before() {
    let mut server = NatsServer::start().unwrap();
    let options = Options::new(server.url(), "ANEW", "anew");
    let stream = JetStream::new(options.clone());
    let empty = stream.standing().await.unwrap();
    assert_eq!((empty.first, empty.last), (1, 0));
    stream.publish(order("1", "a")).await.unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    let again = JetStream::new(options.clone()).standing().await.unwrap();
    assert_eq!(again, Standing { last: 1, ..empty });
    server.stop().unwrap();
    std::fs::remove_dir_all(server.folder().join("data/jetstream")).unwrap();
    server.start_again().unwrap();
    let anew = JetStream::new(options).standing().await.unwrap();
    assert!(anew.made_at_us > empty.made_at_us && anew.last == 0, "{anew:?} {empty:?}");
}

#[tokio::test]
async fn what_will_never_be_taken_is_told_from_what_is_not_taken_now() {
    let stream = JetStream::new(options("refusals"));
    let large = Outgoing { payload: vec![b'x'; 2 << 20].into(), ..order("1", "") };
    let error = stream.publish(large).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge) && error.is_for_good(), "{error:?}");
    let broken = Outgoing { headers: &[("type", "a\r\nb: c")], ..order("2", "") };
    let error = stream.publish(broken).await.unwrap_err();
    assert!(matches!(error, Error::NotAHeader) && error.is_for_good(), "{error:?}");
    let mut nowhere = options("nowhere");
    nowhere.url = "nats://somebody:secret@127.0.0.1:1".to_owned();
    assert!(!format!("{nowhere:?}").contains("secret"));
    let error = JetStream::new(nowhere).publish(order("3", "")).await.unwrap_err();
    assert!(matches!(error, Error::NoConnection(_)) && !error.is_for_good(), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn a_stream_that_would_not_do_is_left_as_it_is() {
    JetStream::new(options("short")).publish(order("1", "a")).await.unwrap();
    let longer = Options { duplicate_window: Duration::from_secs(3600), ..options("short") };
    let error = JetStream::new(longer).publish(order("2", "b")).await.unwrap_err();
    assert!(matches!(error, Error::OtherStream { .. }), "{error:?}");
    let elsewhere = Options { prefix: "other".to_owned(), ..options("short") };
    let error = JetStream::new(elsewhere).publish(order("2", "b")).await.unwrap_err();
    assert!(matches!(error, Error::OtherStream { .. }), "{error:?}");
    assert_eq!(JetStream::new(options("short")).read(1, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_broker_with_tls_is_known_by_its_certificate_and_no_other_is_spoken_to() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = TlsFiles::new(made.cert.pem(), made.signing_key.serialize_pem());
    let server = NatsServer::start_with_tls(&tls).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, made.cert.pem()).unwrap();
    let known = Options { root_certificates: Some(authority), ..Options::new(server.url(), "TLS", "tls") };
    assert_eq!(JetStream::new(known.clone()).publish(order("1", "a")).await.unwrap(), Stored::Now);
    let unknown = Options { root_certificates: None, ..known.clone() };
    let error = JetStream::new(unknown).publish(order("2", "b")).await.unwrap_err();
    assert!(matches!(error, Error::NoConnection(_)), "{error:?}");
    // A broker without TLS is not spoken to in the clear.
    let plain = options("plain").url.replace("nats://127.0.0.1", "tls://localhost");
    let error = JetStream::new(Options { url: plain, ..known.clone() }).publish(order("3", "c")).await.unwrap_err();
    assert!(matches!(error, Error::NoConnection(_)), "{error:?}");
    assert_eq!(JetStream::new(known).read(1, 10).await.unwrap().len(), 1);
}
