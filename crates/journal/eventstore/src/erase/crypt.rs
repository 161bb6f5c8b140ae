//! ChaCha20-Poly1305 with a random nonce (RFC 8439), over keys of 32 bytes.
//!
//! A nonce of 96 random bits does for 2^32 texts under one key; a person or a master key never comes near.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use super::ErasureError;

/// A key's length.
pub(super) const KEY_BYTES: usize = 32;
/// A nonce's length.
pub(super) const NONCE_BYTES: usize = 12;

/// 32 secret bytes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret([u8; KEY_BYTES]);

impl Secret {
    pub(super) fn generate() -> Result<Self, ErasureError> {
        random().map(Self)
    }

    pub(super) const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Seals a text; what `bound` says must be said again to open it.
    pub(super) fn seal(
        &self,
        nonce: [u8; NONCE_BYTES],
        bound: &[u8],
        mut text: Vec<u8>,
    ) -> Result<Vec<u8>, ErasureError> {
        let sealed = self.key().and_then(|key| {
            key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut text).ok()
        });
        sealed.map(|()| text).ok_or(ErasureError::Data { reason: "it is too large" })
    }

    /// What was sealed; none where it was with another key, was bound to something else, or was changed.
    pub(super) fn open(&self, nonce: [u8; NONCE_BYTES], bound: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = self.key()?.open_in_place(nonce, Aad::from(bound), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }

    fn key(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&CHACHA20_POLY1305, &self.0).ok().map(LessSafeKey::new)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ErasureError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ErasureError::NoRandomness)?;
    Ok(bytes)
}
