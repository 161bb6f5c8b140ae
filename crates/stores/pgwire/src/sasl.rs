//! The client's side of SCRAM-SHA-256, bound to the TLS channel where both sides can.

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::frontend;

use crate::CodecError;

/// The mechanism agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password is proven, the channel is not.
    ScramSha256,
    /// The proof holds for this TLS channel only, so nobody in the middle can pass it on.
    ScramSha256Plus,
}

/// A password exchange under way. It has succeeded only when [`Self::finish`] said so.
pub struct SaslClient {
    scram: ScramSha256,
    mechanism: SaslMechanism,
    is_finished: bool,
}

impl SaslClient {
    /// Chooses the strongest mechanism offered. `server_end_point` is the hash of the server's certificate
    /// (RFC 5929, tls-server-end-point) where the connection is encrypted and the certificate has one.
    /// `None` when the server offers nothing known here.
    #[must_use]
    pub fn choose(offered: &[String], password: &str, server_end_point: Option<Vec<u8>>) -> Option<Self> {
        let offers = |name: &str| offered.iter().any(|offer| offer == name);
        let (mechanism, binding) = match server_end_point {
            Some(hash) if offers(SCRAM_SHA_256_PLUS) => {
                (SaslMechanism::ScramSha256Plus, ChannelBinding::tls_server_end_point(hash))
            }
            // "y": could have bound. A server that can as well then knows that its offer was cut out.
            Some(_) if offers(SCRAM_SHA_256) => (SaslMechanism::ScramSha256, ChannelBinding::unrequested()),
            None if offers(SCRAM_SHA_256) => (SaslMechanism::ScramSha256, ChannelBinding::unsupported()),
            _ => return None,
        };
        Some(Self { scram: ScramSha256::new(password.as_bytes(), binding), mechanism, is_finished: false })
    }

    /// The mechanism chosen.
    #[must_use]
    pub fn mechanism(&self) -> SaslMechanism {
        self.mechanism
    }

    /// Whether the server has proven that it knows the password.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Writes the first message.
    ///
    /// # Errors
    /// Never in practice: the mechanism's name holds no zero byte.
    pub fn start(&self, out: &mut BytesMut) -> Result<(), CodecError> {
        let name = match self.mechanism {
            SaslMechanism::ScramSha256 => SCRAM_SHA_256,
            SaslMechanism::ScramSha256Plus => SCRAM_SHA_256_PLUS,
        };
        frontend::sasl_initial_response(name, self.scram.message(), out)
            .map_err(|_| CodecError::Sasl { reason: "the first message cannot be written" })
    }

    /// Answers the server's challenge.
    ///
    /// # Errors
    /// When the challenge is malformed, asks for too much work or answers another exchange.
    pub fn proceed(&mut self, challenge: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
        self.scram.update(challenge).map_err(|_| CodecError::Sasl { reason: "its challenge is not valid" })?;
        frontend::sasl_response(self.scram.message(), out)
            .map_err(|_| CodecError::Sasl { reason: "the answer cannot be written" })
    }

    /// Checks the server's own proof.
    ///
    /// # Errors
    /// When the server does not know the password.
    pub fn finish(&mut self, proof: &[u8]) -> Result<(), CodecError> {
        self.scram.finish(proof).map_err(|_| CodecError::Sasl { reason: "its proof is not valid" })?;
        self.is_finished = true;
        Ok(())
    }
}
