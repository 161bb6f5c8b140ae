//! Verifiers in Postgres's form.

use atalaya_pgwire::CodecError;
use atalaya_pgwire::server::ScramVerifier;

const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
const STORED: &str = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=";
const SERVER: &str = "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/// That of the password "pencil" in RFC 7677.
pub(crate) const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
    $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

#[test]
fn a_verifier_is_written_as_it_was_read() {
    assert_eq!(VERIFIER.parse::<ScramVerifier>().unwrap().to_text(), VERIFIER);
    let salt = *b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
    assert_eq!(ScramVerifier::of_password("pencil", salt, 4096).to_text(), VERIFIER);
}

#[test]
fn salts_and_iterations_other_than_the_default_are_kept() {
    for (iterations, salt) in [("1", "AA=="), ("2147483647", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] {
        let text = format!("SCRAM-SHA-256${iterations}:{salt}${STORED}:{SERVER}");
        assert_eq!(text.parse::<ScramVerifier>().unwrap().to_text(), text);
    }
    assert!(ScramVerifier::of_password("x", [0; 16], 0).to_text().starts_with("SCRAM-SHA-256$1:"));
}

#[test]
fn what_is_no_verifier_is_refused_and_not_repeated() {
    let short = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4g==";
    let long_salt = "A".repeat(400);
    for text in [
        String::new(),
        "hunter2".to_owned(),
        "md5c4ca4238a0b923820dcc509a6f75849b".to_owned(),
        format!("scram-sha-256$4096:{SALT}${STORED}:{SERVER}"),
        format!(" SCRAM-SHA-256$4096:{SALT}${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$:{SALT}${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$0:{SALT}${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$+1:{SALT}${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$-1:{SALT}${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$2147483648:{SALT}${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$4096:${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$4096:{long_salt}${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$4096:{SALT}x${STORED}:{SERVER}"),
        format!("SCRAM-SHA-256$4096:{SALT}${short}:{SERVER}"),
        format!("SCRAM-SHA-256$4096:{SALT}${STORED}:{short}"),
        format!("SCRAM-SHA-256$4096:{SALT}${STORED}"),
        format!("SCRAM-SHA-256$4096:{SALT}${STORED}:{SERVER}\n"),
        format!("SCRAM-SHA-256$4096:{SALT}${STORED}:{SERVER}:x"),
    ] {
        let error = text.parse::<ScramVerifier>().unwrap_err();
        assert!(text.is_empty() || !error.to_string().contains(&text), "{text:?}");
        assert!(matches!(CodecError::from(error), CodecError::Invalid { .. }));
    }
}

#[test]
fn an_unknown_user_has_a_stable_verifier_of_the_usual_shape() {
    let of = |user, key| ScramVerifier::for_unknown_user(user, &[key; 32]).to_text();
    assert_eq!(of("a", 1), of("a", 1));
    assert_ne!(of("a", 1), of("b", 1));
    assert_ne!(of("a", 1), of("a", 2));
    let usual = ScramVerifier::of_password("secret", [1; 16], 4096).to_text();
    assert_eq!(of("a", 1).len(), usual.len());
    assert!(of("a", 1).starts_with("SCRAM-SHA-256$4096:"));
}
