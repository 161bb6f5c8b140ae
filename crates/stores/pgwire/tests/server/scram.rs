//! What the server's side of SCRAM refuses, message by message; and one exchange computed by hand.

use atalaya_pgwire::server::{ScramFailure, ScramServer, ScramVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

const PLAIN: &str = "SCRAM-SHA-256";
const PLUS: &str = "SCRAM-SHA-256-PLUS";
const SALT: [u8; 16] = *b"sixteen bytes...";
const NONCE: [u8; 18] = *b"never used twice..";
const HASH: &[u8] = b"hash of a certificate";

fn server(server_end_point: Option<&[u8]>) -> ScramServer {
    let verifier = ScramVerifier::of_password("secret", SALT, 4096);
    ScramServer::new(verifier, server_end_point.map(<[u8]>::to_vec), NONCE)
}

fn sign(key: &[u8], data: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes()).as_ref().to_vec()
}

/// A client's proof and the server's, after RFC 5802, section 3.
fn proofs(password: &str, salt: &[u8], proven: &str) -> (String, String) {
    let mut salted = [0; 32];
    let iterations = 4096.try_into().unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
    let client_key = sign(&salted, "Client Key");
    let signature = sign(digest::digest(&digest::SHA256, &client_key).as_ref(), proven);
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
    (STANDARD.encode(proof), STANDARD.encode(sign(&sign(&salted, "Server Key"), proven)))
}

/// A first message and a final one without its proof, whose `NONCE` stands for both nonces together.
struct Client<'a> {
    server_end_point: Option<&'a [u8]>,
    mechanism: &'a str,
    first: &'a str,
    last: &'a str,
}

impl Client<'_> {
    /// Runs the exchange with a proof that is right for what was said.
    fn run(&self) -> Result<(), ScramFailure> {
        let mut server = server(self.server_end_point);
        let challenge = String::from_utf8(server.initial(self.mechanism, self.first.as_bytes())?).unwrap();
        let nonce = challenge.split(',').next().unwrap().strip_prefix("r=").unwrap();
        let last = self.last.replace("NONCE", nonce);
        let bare = self.first.splitn(3, ',').nth(2).unwrap();
        let (proof, own) = proofs("secret", &SALT, &format!("{bare},{challenge},{last}"));
        let answer = server.proceed(format!("{last},p={proof}").as_bytes())?;
        assert_eq!(String::from_utf8(answer).unwrap(), format!("v={own}"));
        Ok(())
    }
}

fn bound(flag: &str, hash: &[u8]) -> String {
    format!("c={},r=NONCE", STANDARD.encode([format!("{flag},,").as_bytes(), hash].concat()))
}

fn plain(first: &str, last: &str) -> Result<(), ScramFailure> {
    Client { server_end_point: None, mechanism: PLAIN, first, last }.run()
}

fn plus(first: &str, last: &str) -> Result<(), ScramFailure> {
    Client { server_end_point: Some(HASH), mechanism: PLUS, first, last }.run()
}

fn malformed(outcome: Result<(), ScramFailure>) -> bool {
    outcome.is_err_and(|failure| matches!(failure, ScramFailure::Malformed { .. }) && failure.sqlstate() == "08P01")
}

fn channel_binding(outcome: Result<(), ScramFailure>) -> bool {
    outcome
        .is_err_and(|failure| matches!(failure, ScramFailure::ChannelBinding { .. }) && failure.sqlstate() == "28000")
}

fn unsupported(outcome: Result<(), ScramFailure>) -> bool {
    outcome.is_err_and(|failure| matches!(failure, ScramFailure::Unsupported { .. }) && failure.sqlstate() == "0A000")
}

const END_POINT: &str = "p=tls-server-end-point";

#[test]
fn the_challenge_is_the_nonces_the_salt_and_the_iterations() {
    let challenge = server(None).initial(PLAIN, b"n,,n=,r=abc").unwrap();
    let expected = format!("r=abc{},s={},i=4096", STANDARD.encode(NONCE), STANDARD.encode(SALT));
    assert_eq!(String::from_utf8(challenge).unwrap(), expected);
}

#[test]
fn exchanges_as_real_clients_have_them_succeed() {
    assert_eq!(plain("n,,n=,r=abc", "c=biws,r=NONCE"), Ok(()));
    assert_eq!(plain("y,,n=*,r=abc", "c=eSws,r=NONCE"), Ok(()));
    // Optional extensions are passed over, and the name in the message is not looked at.
    assert_eq!(plain("n,,n=some=2Cbody,r=abc,x=1,y=", "c=biws,r=NONCE,x=1"), Ok(()));
    assert_eq!(plus("p=tls-server-end-point,,n=,r=abc", &bound(END_POINT, HASH)), Ok(()));
    let unbound =
        Client { server_end_point: Some(HASH), mechanism: PLAIN, first: "n,,n=,r=abc", last: "c=biws,r=NONCE" };
    assert_eq!(unbound.run(), Ok(()));
}

#[test]
fn a_client_that_did_not_see_the_offer_of_channel_binding_is_refused() {
    let first = "y,,n=,r=abc";
    let downgraded = Client { server_end_point: Some(HASH), mechanism: PLAIN, first, last: "c=eSws,r=NONCE" };
    assert!(channel_binding(downgraded.run()));
}

#[test]
fn plus_without_tls_is_refused() {
    let first = "p=tls-server-end-point,,n=,r=abc";
    let unencrypted = Client { server_end_point: None, mechanism: PLUS, first, last: &bound(END_POINT, HASH) };
    assert!(malformed(unencrypted.run()));
}

#[test]
fn a_mechanism_and_a_flag_that_do_not_belong_together_are_refused() {
    assert!(malformed(plus("n,,n=,r=abc", "c=biws,r=NONCE")));
    assert!(malformed(plus("y,,n=,r=abc", "c=eSws,r=NONCE")));
    for server_end_point in [None, Some(HASH)] {
        let first = "p=tls-server-end-point,,n=,r=abc";
        assert!(malformed(Client { server_end_point, mechanism: PLAIN, first, last: &bound(END_POINT, HASH) }.run()));
    }
    for kind in ["p=tls-unique", "p=tls-exporter", "p=", "p=tls-server-end-pointx", "P=tls-server-end-point"] {
        assert!(malformed(plus(&format!("{kind},,n=,r=abc"), &bound(kind, HASH))), "{kind}");
    }
    for mechanism in ["", "scram-sha-256", "SCRAM-SHA-1", "OAUTHBEARER", "SCRAM-SHA-256-PLUS "] {
        let unknown = Client { server_end_point: Some(HASH), mechanism, first: "n,,n=,r=abc", last: "c=biws,r=NONCE" };
        assert!(malformed(unknown.run()), "{mechanism}");
    }
}

#[test]
fn channel_data_other_than_the_channel_s_is_refused() {
    let first = "p=tls-server-end-point,,n=,r=abc";
    for hash in [&b""[..], b"hash of another one.", b"hash of a certificatE", b"hash of a certificate."] {
        assert!(channel_binding(plus(first, &bound(END_POINT, hash))));
    }
    assert!(channel_binding(plus(first, "c=biws,r=NONCE")));
    // Without PLUS it is the header alone, and that of the first message.
    assert!(channel_binding(plain("n,,n=,r=abc", "c=eSws,r=NONCE")));
    assert!(channel_binding(plain("y,,n=,r=abc", "c=biws,r=NONCE")));
    assert!(channel_binding(plain("n,,n=,r=abc", &bound(END_POINT, HASH))));
    assert!(channel_binding(plain("n,,n=,r=abc", "c=,r=NONCE")));
}

#[test]
fn what_no_server_supports_is_named_as_such() {
    assert!(unsupported(plain("n,a=other,n=,r=abc", "c=biws,r=NONCE")));
    assert!(unsupported(plain("n,,m=x,n=,r=abc", "c=biws,r=NONCE")));
    assert!(unsupported(plain("n,,n=,r=abc,m=x", "c=biws,r=NONCE")));
    assert!(unsupported(plain("n,,n=,r=abc", "c=biws,r=NONCE,m=x")));
}

#[test]
fn first_messages_that_are_none_are_refused() {
    let long = format!("n,,n=,r={}", "a".repeat(1017));
    for first in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=",
        "n,,n=,",
        "n,,n=,r=",
        "n,,r=abc",
        "n,,n=,r=a b",
        "n,,n=,r=a\u{e9}",
        "n,,n=,r=a\0",
        "n,x,n=,r=abc",
        "x,,n=,r=abc",
        ",,n=,r=abc",
        "nn,,n=,r=abc",
        "n,,n=,r=abc,",
        "n,,n=,r=abc,xx",
        "n,,n=,r=abc,r=x",
        "n,,n=,r=abc,1=x",
        &long,
    ] {
        let outcome = server(None).initial(PLAIN, first.as_bytes()).map(|_| ());
        assert!(malformed(outcome), "{first:?}");
    }
    assert!(malformed(server(None).initial(PLAIN, b"n,,n=,r=\xff").map(|_| ())));
    assert!(server(None).initial(PLAIN, &long.as_bytes()[..1024]).is_ok());
}

#[test]
fn final_messages_that_are_none_are_refused() {
    let first = "n,,n=,r=abc";
    for last in [
        "",
        "c=biws",
        "r=NONCE,c=biws",
        "c=biws,r=",
        "c=biws,r=abc",
        "c=biws,r=NONCEx",
        "c=biws,r=xNONCE",
        "c=biws,NONCE",
        "c=biw,r=NONCE",
        "c=biws=,r=NONCE",
        "c=b iws,r=NONCE",
        "biws,r=NONCE",
        "c=biws,r=NONCE,",
        "c=biws,r=NONCE,p=x",
        "c=biws,r=NONCE,c=biws",
        "c=biws,x=1,r=NONCE",
    ] {
        assert!(malformed(plain(first, last)), "{last:?}");
    }
    let long = format!("c=biws,r=NONCE,x={}", "a".repeat(1024));
    assert!(malformed(plain(first, &long)));
}

#[test]
fn proofs_that_are_no_proofs_are_refused() {
    let nonce = format!("abc{}", STANDARD.encode(NONCE));
    let right = STANDARD.encode([0; 32]);
    let proceed = |end: &str| {
        let mut server = server(None);
        server.initial(PLAIN, b"n,,n=,r=abc").unwrap();
        server.proceed(format!("c=biws,r={nonce}{end}").as_bytes()).map(|_| ())
    };
    assert_eq!(proceed(&format!(",p={right}")), Err(ScramFailure::WrongPassword));
    assert_eq!(ScramFailure::WrongPassword.sqlstate(), "28P01");
    let (short, long) = (STANDARD.encode([0; 31]), STANDARD.encode([0; 33]));
    for end in [
        String::new(),
        ",p=".to_owned(),
        format!(",p={short}"),
        format!(",p={long}"),
        format!(",p={right}="),
        format!(",p={right},"),
        format!(",p={right},x=1"),
        format!(",p={right} "),
        format!(",p={}", right.trim_end_matches('=')),
        format!(",p={right}\0"),
    ] {
        assert!(malformed(proceed(&end)), "{end:?}");
    }
}

#[test]
fn messages_out_of_order_are_refused() {
    assert!(malformed(server(None).proceed(b"c=biws,r=abc,p=AAAA").map(|_| ())));
    let mut twice = server(None);
    twice.initial(PLAIN, b"n,,n=,r=abc").unwrap();
    assert!(malformed(twice.initial(PLAIN, b"n,,n=,r=abc").map(|_| ())));
    assert!(malformed(twice.proceed(b"c=biws,r=abc,p=AAAA").map(|_| ())));
}

#[test]
fn one_exchange_is_one_attempt() {
    let mut server = server(None);
    let challenge = String::from_utf8(server.initial(PLAIN, b"n,,n=,r=abc").unwrap()).unwrap();
    let last = format!("c=biws,r=abc{}", STANDARD.encode(NONCE));
    let proven = format!("n=,r=abc,{challenge},{last}");
    let wrong = format!("{last},p={}", proofs("guess", &SALT, &proven).0);
    let right = format!("{last},p={}", proofs("secret", &SALT, &proven).0);
    assert_eq!(server.proceed(wrong.as_bytes()), Err(ScramFailure::WrongPassword));
    assert!(malformed(server.proceed(right.as_bytes()).map(|_| ())));
    assert!(malformed(server.initial(PLAIN, b"n,,n=,r=abc").map(|_| ())));
}

#[test]
fn nothing_secret_is_in_debug_output_or_in_errors() {
    let server = server(Some(HASH));
    assert_eq!(format!("{server:?}"), "ScramServer { .. }");
    let verifier = ScramVerifier::of_password("secret", SALT, 4096);
    assert_eq!(format!("{verifier:?}"), "ScramVerifier { iterations: 4096, .. }");
}

#[test]
fn keys_are_those_of_the_example_in_rfc_7677() {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let proven = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}");
    let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
    let text = ScramVerifier::of_password("pencil", salt.try_into().unwrap(), 4096).to_text();
    let (stored_key, server_key) = text.rsplit_once('$').unwrap().1.split_once(':').unwrap();
    let [stored_key, server_key] = [stored_key, server_key].map(|key| STANDARD.decode(key).unwrap());
    let signature = sign(&stored_key, &proven);
    let client_key: Vec<u8> = proof.iter().zip(signature).map(|(proof, signature)| proof ^ signature).collect();
    assert_eq!(digest::digest(&digest::SHA256, &client_key).as_ref(), stored_key);
    assert_eq!(STANDARD.encode(sign(&server_key, &proven)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}
