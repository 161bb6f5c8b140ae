//! What a server keeps instead of a password (RFC 5803, in the form of Postgres's `pg_authid.rolpassword`).
//!
//! A verifier is not the password, but whoever has it can try passwords at leisure and can pass for the server, so
//! nothing here prints one unless asked to.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

use crate::CodecError;

pub(crate) const KEY_BYTES: usize = 32;

const SCHEME: &str = "SCRAM-SHA-256$";
const SALT_BYTES_MAX: usize = 256;

/// Postgres's default, so that an unknown user looks like most known ones.
const ITERATIONS: u32 = 4096;

/// A password's verifier. Postgres writes it as `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
#[derive(Clone)]
pub struct ScramVerifier {
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    pub(crate) stored_key: [u8; KEY_BYTES],
    pub(crate) server_key: [u8; KEY_BYTES],
}

/// A text that is no verifier of SCRAM-SHA-256, such as an MD5 hash. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {field} of the password verifier is not valid")]
pub struct InvalidVerifier {
    field: &'static str,
}

impl From<InvalidVerifier> for CodecError {
    fn from(error: InvalidVerifier) -> Self {
        Self::Invalid { message: "password verifier", field: error.field }
    }
}

impl ScramVerifier {
    /// Makes a password's verifier. The salt has to be random; 0 iterations are taken for 1.
    ///
    /// As in Postgres a password is first normalised by SASLprep (RFC 4013), or taken as it is where that forbids it.
    #[must_use]
    pub fn of_password(password: &str, salt: [u8; 16], iterations: u32) -> Self {
        let prepared = stringprep::saslprep(password).ok().filter(|prepared| !prepared.is_empty());
        let secret = prepared.as_deref().unwrap_or(password).as_bytes();
        let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        let mut salted_password = [0; KEY_BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, secret, &mut salted_password);
        Self {
            iterations: iterations.get(),
            salt: salt.to_vec(),
            stored_key: sha256(&hmac_sha256(&salted_password, &[b"Client Key"])),
            server_key: hmac_sha256(&salted_password, &[b"Server Key"]),
        }
    }

    /// A verifier nobody can satisfy: its StoredKey is no known key's hash. The same for the same user and key, so
    /// that asking again does not tell an unknown user from a known one. The key has to stay secret and to outlive
    /// restarts. A known user shows by iterations or a salt's length other than Postgres's default.
    #[must_use]
    pub fn for_unknown_user(user: &str, key: &[u8; 32]) -> Self {
        let derive = |purpose: &[u8]| hmac_sha256(key, &[purpose, b"\0", user.as_bytes()]);
        Self {
            iterations: ITERATIONS,
            salt: derive(b"salt").iter().copied().take(16).collect(),
            stored_key: derive(b"stored key"),
            server_key: derive(b"server key"),
        }
    }

    /// The verifier in Postgres's form. It is a credential.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { iterations, salt, stored_key, server_key } = self;
        let [salt, stored_key, server_key] = [salt.as_slice(), stored_key, server_key].map(|key| STANDARD.encode(key));
        format!("{SCHEME}{iterations}:{salt}${stored_key}:{server_key}")
    }
}

impl FromStr for ScramVerifier {
    type Err = InvalidVerifier;

    fn from_str(text: &str) -> Result<Self, InvalidVerifier> {
        let invalid = |field| InvalidVerifier { field };
        let rest = text.strip_prefix(SCHEME).ok_or(invalid("scheme"))?;
        let (iterations, rest) = rest.split_once(':').ok_or(invalid("iteration count"))?;
        let (salt, rest) = rest.split_once('$').ok_or(invalid("salt"))?;
        let (stored_key, server_key) = rest.split_once(':').ok_or(invalid("stored key"))?;
        let is_number = iterations.bytes().all(|byte| byte.is_ascii_digit());
        let iterations = iterations.parse::<i32>().ok().filter(|count| is_number && *count > 0);
        let salt = STANDARD.decode(salt).ok().filter(|salt| (1..=SALT_BYTES_MAX).contains(&salt.len()));
        Ok(Self {
            iterations: iterations.map(i32::unsigned_abs).ok_or(invalid("iteration count"))?,
            salt: salt.ok_or(invalid("salt"))?,
            stored_key: key(stored_key).ok_or(invalid("stored key"))?,
            server_key: key(server_key).ok_or(invalid("server key"))?,
        })
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScramVerifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// A key of 32 bytes in base64.
pub(crate) fn key(text: &str) -> Option<[u8; KEY_BYTES]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

pub(crate) fn sha256(data: &[u8]) -> [u8; KEY_BYTES] {
    sized(digest::digest(&digest::SHA256, data).as_ref())
}

pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    sized(context.sign().as_ref())
}

/// SHA-256 gives 32 bytes; ring's types do not say so.
fn sized(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let mut sized = [0; KEY_BYTES];
    for (to, from) in sized.iter_mut().zip(bytes) {
        *to = *from;
    }
    sized
}
