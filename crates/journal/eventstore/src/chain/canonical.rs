//! One form of bytes for what is hashed: every part with its length before it, so that no two different contents have
//! the same bytes.

use uuid::Uuid;

use super::Digest;

/// Bytes that are to be hashed.
pub(crate) struct Canonical(Vec<u8>);

impl Canonical {
    /// Begins with what the bytes are for: a digest of one kind never stands for another.
    pub(crate) fn new(domain: &str) -> Self {
        let mut canonical = Self(Vec::with_capacity(256));
        canonical.text(domain);
        canonical
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Eight bytes, the most significant first.
    pub(crate) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// A UUID, or the empty bytes where there is none.
    pub(crate) fn uuid(&mut self, uuid: Option<&Uuid>) {
        self.bytes(uuid.map_or(&[], |uuid| uuid.as_bytes()));
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&[&self.0])
    }
}
