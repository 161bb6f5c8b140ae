//! Whole password exchanges between this crate's client and its server, as bytes on a wire.

use atalaya_pgwire::server::{SaslInitial, ScramFailure, ScramServer, ScramVerifier, client_tag, header, reply};
use atalaya_pgwire::{Authentication, BackendMessage, FrameDecoder, SaslClient, SaslMechanism};
use bytes::BytesMut;
use proptest::prelude::*;

const NONCE: [u8; 18] = *b"never used twice..";

/// What the server reads: the one message in `sent`.
fn body(sent: &BytesMut) -> &[u8] {
    let (tag, length) = header(sent).unwrap().unwrap();
    assert_eq!((tag, length), (client_tag::PASSWORD, sent.len() - 5));
    &sent[5..]
}

/// What the client reads.
fn authentication(sent: &[u8]) -> Authentication {
    let frame = FrameDecoder::default().decode(&mut BytesMut::from(sent)).unwrap().unwrap();
    match BackendMessage::decode(frame).unwrap() {
        BackendMessage::Authentication(step) => step,
        other => panic!("{other:?}"),
    }
}

/// How each side sees the channel: the hash of the certificate it has in hand.
#[derive(Clone, Copy)]
struct Channel {
    client: Option<&'static [u8]>,
    server: Option<&'static [u8]>,
}

fn exchange(verifier: ScramVerifier, password: &str, channel: Channel) -> Result<SaslMechanism, ScramFailure> {
    let mut server = ScramServer::new(verifier, channel.server.map(<[u8]>::to_vec), NONCE);
    let mut sent = Vec::new();
    reply::authentication_sasl(ScramServer::mechanisms(channel.server), &mut sent);
    let Authentication::Sasl { mechanisms } = authentication(&sent) else { panic!("no offer") };
    let mut client = SaslClient::choose(&mechanisms, password, channel.client.map(<[u8]>::to_vec)).unwrap();

    let mut out = BytesMut::new();
    client.start(&mut out).unwrap();
    let initial = SaslInitial::decode(body(&out)).unwrap();
    let mut sent = Vec::new();
    reply::authentication_sasl_continue(&server.initial(initial.mechanism, initial.data)?, &mut sent);
    let Authentication::SaslContinue(challenge) = authentication(&sent) else { panic!("no challenge") };

    let mut out = BytesMut::new();
    client.proceed(&challenge, &mut out).unwrap();
    let mut sent = Vec::new();
    reply::authentication_sasl_final(&server.proceed(body(&out))?, &mut sent);
    let Authentication::SaslFinal(proof) = authentication(&sent) else { panic!("no proof") };
    client.finish(&proof).unwrap();
    assert!(client.is_finished());
    Ok(client.mechanism())
}

fn verifier(password: &str) -> ScramVerifier {
    ScramVerifier::of_password(password, *b"sixteen bytes...", 4096)
}

const PLAIN: Channel = Channel { client: None, server: None };
const BOUND: Channel = Channel { client: Some(b"hash"), server: Some(b"hash") };

#[test]
fn who_knows_the_password_is_let_in_and_is_shown_that_the_server_knows_it_too() {
    assert_eq!(exchange(verifier("secret"), "secret", PLAIN), Ok(SaslMechanism::ScramSha256));
    assert_eq!(exchange(verifier("secret"), "secret", BOUND), Ok(SaslMechanism::ScramSha256Plus));
    // A client that can bind and a server that cannot, honestly told; and the other way round.
    let client_only = Channel { client: Some(b"hash"), server: None };
    let server_only = Channel { client: None, server: Some(b"hash") };
    assert_eq!(exchange(verifier("secret"), "secret", client_only), Ok(SaslMechanism::ScramSha256));
    assert_eq!(exchange(verifier("secret"), "secret", server_only), Ok(SaslMechanism::ScramSha256));
}

#[test]
fn another_password_is_refused() {
    for channel in [PLAIN, BOUND] {
        for wrong in ["Secret", "secret ", ""] {
            assert_eq!(exchange(verifier("secret"), wrong, channel), Err(ScramFailure::WrongPassword));
        }
    }
}

#[test]
fn a_client_on_another_channel_is_refused_although_it_knows_the_password() {
    let relayed = Channel { client: Some(b"the certificate in the middle"), server: Some(b"hash") };
    let failure = exchange(verifier("secret"), "secret", relayed).unwrap_err();
    assert!(matches!(failure, ScramFailure::ChannelBinding { .. }), "{failure}");
}

#[test]
fn an_unknown_user_fails_as_a_known_one_with_a_wrong_password_does() {
    for channel in [PLAIN, BOUND] {
        let unknown = ScramVerifier::for_unknown_user("nobody", &[7; 32]);
        assert_eq!(exchange(unknown, "secret", channel), Err(ScramFailure::WrongPassword));
    }
}

#[test]
fn passwords_that_saslprep_takes_for_the_same_are_the_same() {
    // RFC 4013, section 3: a soft hyphen is nothing, the Roman numeral nine is IX.
    for (one, other) in [("I\u{ad}X", "IX"), ("\u{2168}", "IX"), ("a\u{a0}b", "a b"), ("\u{aa}", "a")] {
        assert_eq!(exchange(verifier(one), other, PLAIN), Ok(SaslMechanism::ScramSha256), "{one:?} {other:?}");
    }
    // What it forbids is taken as it is.
    for forbidden in ["\u{7}", "\u{627}\u{31}", "a\u{e000}"] {
        assert_eq!(exchange(verifier(forbidden), forbidden, PLAIN), Ok(SaslMechanism::ScramSha256), "{forbidden:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn every_password_opens_its_own_verifier_read_back_from_text(
        password in "[^\\x00\u{ad}]{1,20}", salt: [u8; 16], iterations in 1_u32..10,
    ) {
        let verifier = ScramVerifier::of_password(&password, salt, iterations);
        let read: ScramVerifier = verifier.to_text().parse().unwrap();
        prop_assert_eq!(exchange(read, &password, BOUND), Ok(SaslMechanism::ScramSha256Plus));
    }
}
