//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), strict as Postgres is.
//!
//! The client proves that it knows the password without sending it, and the server proves that it knows its verifier.
//! With PLUS both proofs hold for one TLS channel only (`tls-server-end-point`, RFC 5929), so nobody in the middle can
//! pass them on. One exchange is one attempt: after a failure nothing is answered any more.

use std::fmt;
use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres_protocol::authentication::sasl::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use subtle::ConstantTimeEq as _;

use super::scram_verifier::{KEY_BYTES, ScramVerifier, hmac_sha256, key, sha256};

/// The longest message accepted, in bytes; that of Postgres.
const MESSAGE_BYTES_MAX: usize = 1024;

const BOUND: &[&str] = &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
const UNBOUND: &[&str] = &[SCRAM_SHA_256];
const END_POINT: &str = "p=tls-server-end-point";

/// Why a password exchange failed. No text holds anything that the client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramFailure {
    /// A message is not what SCRAM promises, or comes out of order.
    #[error("malformed SCRAM message: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The client asks for something that no server here does.
    #[error("the client asks for {feature}, which is not supported")]
    Unsupported {
        /// What it asks for.
        feature: &'static str,
    },
    /// The client is bound to another TLS channel, or was told that this server binds none: somebody may be in the
    /// middle.
    #[error("SCRAM channel binding failed: {reason}")]
    ChannelBinding {
        /// What does not match.
        reason: &'static str,
    },
    /// The client does not know the password, or there is no such user.
    #[error("password authentication failed")]
    WrongPassword,
}

impl ScramFailure {
    /// The SQLSTATE by which Postgres tells the client.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "08P01",
            Self::Unsupported { .. } => "0A000",
            Self::ChannelBinding { .. } => "28000",
            Self::WrongPassword => "28P01",
        }
    }
}

fn malformed(reason: &'static str) -> ScramFailure {
    ScramFailure::Malformed { reason }
}

/// One password exchange.
pub struct ScramServer {
    verifier: ScramVerifier,
    server_end_point: Option<Vec<u8>>,
    nonce: [u8; 18],
    state: State,
}

enum State {
    Begun,
    Challenged(Challenge),
    Over,
}

/// What the final message has to fit.
struct Challenge {
    /// The channel binding that it has to repeat.
    binding: Vec<u8>,
    /// Whether that holds the TLS channel's own data.
    is_bound: bool,
    /// The client's nonce and the server's.
    nonce: String,
    /// The first messages of both sides, as far as they are proven.
    proven: String,
}

impl fmt::Debug for ScramServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScramServer").finish_non_exhaustive()
    }
}

impl ScramServer {
    /// An exchange about a verifier. `server_end_point` is the hash of the server's certificate (RFC 5929) where the
    /// connection is encrypted, and has to be given exactly when [`Self::mechanisms`] was given it. The nonce is
    /// random and never used twice.
    #[must_use]
    pub fn new(verifier: ScramVerifier, server_end_point: Option<Vec<u8>>, nonce: [u8; 18]) -> Self {
        Self { verifier, server_end_point, nonce, state: State::Begun }
    }

    /// The mechanisms to offer, the preferred one first.
    #[must_use]
    pub fn mechanisms(server_end_point: Option<&[u8]>) -> &'static [&'static str] {
        match server_end_point {
            Some(_) => BOUND,
            None => UNBOUND,
        }
    }

    /// Takes the client's first message and answers with the server's first.
    ///
    /// # Errors
    /// When it is malformed or out of order, or when the client was kept from binding the channel.
    pub fn initial(&mut self, mechanism: &str, data: &[u8]) -> Result<Vec<u8>, ScramFailure> {
        let State::Begun = mem::replace(&mut self.state, State::Over) else {
            return Err(malformed("a first message came twice"));
        };
        let message = text(data)?;
        let (flag, rest) = message.split_once(',').ok_or(malformed("it has no channel binding flag"))?;
        let channel = self.channel(mechanism, flag)?;
        let (authorization_identity, bare) = rest.split_once(',').ok_or(malformed("its header has no end"))?;
        match authorization_identity {
            "" => {}
            identity if identity.starts_with("a=") => {
                return Err(ScramFailure::Unsupported { feature: "an authorization identity" });
            }
            _ => return Err(malformed("its header is not valid")),
        }
        let client_nonce = client_nonce(bare)?;

        let ScramVerifier { iterations, salt, .. } = &self.verifier;
        let nonce = format!("{client_nonce}{}", STANDARD.encode(self.nonce));
        let server_first = format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt));
        let binding = [format!("{flag},,").as_bytes(), channel.unwrap_or_default()].concat();
        let (is_bound, proven) = (channel.is_some(), format!("{bare},{server_first}"));
        self.state = State::Challenged(Challenge { binding, is_bound, nonce, proven });
        Ok(server_first.into_bytes())
    }

    /// Takes the client's proof and answers with the server's. `Ok` means that the client is authenticated.
    ///
    /// # Errors
    /// When it is malformed or out of order, belongs to another exchange or channel, or proves another password.
    pub fn proceed(&mut self, data: &[u8]) -> Result<Vec<u8>, ScramFailure> {
        let State::Challenged(challenge) = mem::replace(&mut self.state, State::Over) else {
            return Err(malformed("it is not due"));
        };
        let message = text(data)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(malformed("it holds no proof"))?;
        let proof = key(proof).ok_or(malformed("its proof is not valid"))?;
        challenge.check(without_proof)?;

        let proven = [challenge.proven.as_bytes(), b",", without_proof.as_bytes()];
        let ScramVerifier { stored_key, server_key, .. } = &self.verifier;
        let signature = hmac_sha256(stored_key, &proven);
        let mut client_key = [0; KEY_BYTES];
        for (to, (proof, signature)) in client_key.iter_mut().zip(proof.iter().zip(&signature)) {
            *to = proof ^ signature;
        }
        if !bool::from(sha256(&client_key).ct_eq(stored_key)) {
            return Err(ScramFailure::WrongPassword);
        }
        Ok(format!("v={}", STANDARD.encode(hmac_sha256(server_key, &proven))).into_bytes())
    }

    /// The TLS channel's data if the client binds to it.
    fn channel(&self, mechanism: &str, flag: &str) -> Result<Option<&[u8]>, ScramFailure> {
        let is_offered = Self::mechanisms(self.server_end_point.as_deref()).contains(&mechanism);
        match (flag, &self.server_end_point) {
            _ if !is_offered => Err(malformed("its mechanism was not offered")),
            (END_POINT, Some(hash)) if mechanism == SCRAM_SHA_256_PLUS => Ok(Some(hash)),
            (flag, _) if flag.starts_with("p=") && mechanism == SCRAM_SHA_256_PLUS => {
                Err(malformed("its kind of channel binding is not known"))
            }
            _ if mechanism == SCRAM_SHA_256_PLUS => Err(malformed("it binds no channel although its mechanism does")),
            // The client could bind and believes that the server cannot, which the offer belies.
            ("y", Some(_)) => {
                Err(ScramFailure::ChannelBinding { reason: "the client did not see that the server can bind" })
            }
            ("y" | "n", _) => Ok(None),
            _ => Err(malformed("its channel binding flag is not that of its mechanism")),
        }
    }
}

impl Challenge {
    fn check(&self, without_proof: &str) -> Result<(), ScramFailure> {
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|binding| binding.strip_prefix("c="));
        let binding = binding.ok_or(malformed("it begins with no channel binding"))?;
        let binding = STANDARD.decode(binding).map_err(|_| malformed("its channel binding is not base64"))?;
        if !bool::from(binding.ct_eq(&self.binding)) {
            let reason = match self.is_bound {
                true => "the client speaks to another TLS channel",
                false => "the client's header was changed on its way",
            };
            return Err(ScramFailure::ChannelBinding { reason });
        }
        let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(malformed("its nonce is not that of this exchange"));
        }
        extensions(attributes)
    }
}

/// The client's nonce in its first message; the user's name there is not looked at, as the startup packet named it.
fn client_nonce(bare: &str) -> Result<&str, ScramFailure> {
    if bare.starts_with("m=") {
        return Err(ScramFailure::Unsupported { feature: "a mandatory extension" });
    }
    let mut attributes = bare.split(',');
    if !attributes.next().is_some_and(|name| name.starts_with("n=")) {
        return Err(malformed("it names no user"));
    }
    let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).unwrap_or_default();
    if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("its nonce is not valid"));
    }
    extensions(attributes)?;
    Ok(nonce)
}

/// Optional extensions are passed over, as nothing here knows any.
fn extensions<'a>(mut attributes: impl Iterator<Item = &'a str>) -> Result<(), ScramFailure> {
    attributes.try_for_each(|attribute| match attribute.as_bytes() {
        [b'm', b'=', ..] => Err(ScramFailure::Unsupported { feature: "a mandatory extension" }),
        // Attributes with a meaning and a place of their own.
        [b'a' | b'c' | b'e' | b'i' | b'n' | b'p' | b'r' | b's' | b'v', b'=', ..] => {
            Err(malformed("an attribute is out of its place"))
        }
        [letter, b'=', ..] if letter.is_ascii_alphabetic() => Ok(()),
        _ => Err(malformed("an attribute is not valid")),
    })
}

fn text(data: &[u8]) -> Result<&str, ScramFailure> {
    match data.len() {
        0 => Err(malformed("it is empty")),
        length if length > MESSAGE_BYTES_MAX => Err(malformed("it is too long")),
        _ if data.contains(&0) => Err(malformed("it holds a zero byte")),
        _ => str::from_utf8(data).map_err(|_| malformed("it is not UTF-8")),
    }
}
