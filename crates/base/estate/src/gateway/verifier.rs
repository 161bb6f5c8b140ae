//! What a client's password is proven against, as Postgres keeps it in `pg_authid`.
//!
//! It is no password, but whoever has it can guess at one, and its server key lets them pass for the
//! gateway: it is shown nowhere.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `SCRAM-SHA-256$iterations:salt$stored key:server key`, of right shape.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    text: String,
    iterations: u32,
}

/// Why a text is no verifier; the text itself is never in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// Most likely a password.
    #[error("not a SCRAM-SHA-256 verifier")]
    NotScram,
    /// The older kind of `pg_authid`.
    #[error("an md5 hash, which proves too little")]
    Md5,
    /// A part is missing or cannot be read.
    #[error("a SCRAM-SHA-256 verifier whose {0} cannot be read")]
    Part(&'static str),
}

const SCHEME: &str = "SCRAM-SHA-256$";
const VERIFIER_BYTES_MAX: usize = 512;
/// Of SHA-256.
const KEY_BYTES: usize = 32;
/// As many as Postgres can be set to.
const ITERATIONS_MAX: u32 = 2_147_483_647;

impl Verifier {
    /// The verifier itself: for the proof, for nothing that prints.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// How often the password was hashed.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }
}

impl FromStr for Verifier {
    type Err = VerifierError;

    fn from_str(text: &str) -> Result<Self, VerifierError> {
        let Some(parts) = text.strip_prefix(SCHEME).filter(|_| text.len() <= VERIFIER_BYTES_MAX) else {
            return Err(if is_md5(text) { VerifierError::Md5 } else { VerifierError::NotScram });
        };
        let (head, keys) = parts.split_once('$').ok_or(VerifierError::Part("keys"))?;
        let (iterations, salt) = head.split_once(':').ok_or(VerifierError::Part("salt"))?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(VerifierError::Part("server key"))?;
        let digits = iterations.bytes().all(|byte| byte.is_ascii_digit());
        let iterations = iterations
            .parse()
            .ok()
            .filter(|number| digits && (1..=ITERATIONS_MAX).contains(number))
            .ok_or(VerifierError::Part("number of iterations"))?;
        let bytes = |part: &str| STANDARD.decode(part).ok().map_or(0, |bytes| bytes.len());
        if bytes(salt) == 0 {
            return Err(VerifierError::Part("salt"));
        }
        for (key, name) in [(stored_key, "stored key"), (server_key, "server key")] {
            if bytes(key) != KEY_BYTES {
                return Err(VerifierError::Part(name));
            }
        }
        Ok(Self { text: text.to_owned(), iterations })
    }
}

fn is_md5(text: &str) -> bool {
    const DIGITS: usize = 32;
    text.strip_prefix("md5")
        .is_some_and(|hash| hash.len() == DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Verifier(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn what_postgres_keeps_is_read_and_hidden() {
        let text = format!("SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==${KEY}:{KEY}");
        let verifier = text.parse::<Verifier>().unwrap();
        assert_eq!((verifier.expose(), verifier.iterations()), (text.as_str(), 4096));
        assert_eq!(format!("{verifier:?}"), "Verifier(***)");
    }

    #[test]
    fn every_wrong_part_is_named_and_nothing_repeated() {
        let long = format!("SCRAM-SHA-256$1:{}${KEY}:{KEY}", "AAAA".repeat(200));
        for (text, error) in [
            ("hunter2", VerifierError::NotScram),
            ("", VerifierError::NotScram),
            ("md50123456789abcdef0123456789abcdef", VerifierError::Md5),
            (&long, VerifierError::NotScram),
            ("SCRAM-SHA-256$4096:AAAA", VerifierError::Part("keys")),
            ("SCRAM-SHA-256$4096$a:b", VerifierError::Part("salt")),
            (&format!("SCRAM-SHA-256$4096:AAAA${KEY}"), VerifierError::Part("server key")),
            (&format!("SCRAM-SHA-256$0:AAAA${KEY}:{KEY}"), VerifierError::Part("number of iterations")),
            (&format!("SCRAM-SHA-256$+1:AAAA${KEY}:{KEY}"), VerifierError::Part("number of iterations")),
            (&format!("SCRAM-SHA-256$2147483648:AAAA${KEY}:{KEY}"), VerifierError::Part("number of iterations")),
            (&format!("SCRAM-SHA-256$4096:${KEY}:{KEY}"), VerifierError::Part("salt")),
            (&format!("SCRAM-SHA-256$4096:A?AA${KEY}:{KEY}"), VerifierError::Part("salt")),
            (&format!("SCRAM-SHA-256$4096:AAAA$AAAA:{KEY}"), VerifierError::Part("stored key")),
            (&format!("SCRAM-SHA-256$4096:AAAA${KEY}:{KEY}:"), VerifierError::Part("server key")),
        ] {
            assert_eq!(text.parse::<Verifier>(), Err(error), "{text}");
        }
    }
}
