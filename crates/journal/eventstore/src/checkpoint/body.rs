//! What a checkpoint says (C2SP `tlog-checkpoint`): whose journal, how many events, the root of their tree; and in
//! extension lines the chain's last digest and which keys of erased people were dropped.

use super::note::SignedNote;
use super::{CheckpointError, SigningKey, VerifyingKey};
use crate::Digest;
use crate::erase::KeyId;

const CHAIN: &str = "chain ";
const DROPPED: &str = "dropped-keys ";

/// What the list of dropped keys is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedDigest {
    /// How many keys were dropped.
    pub count: u64,
    /// The chain over their ids, in the order in which they were dropped.
    pub digest: Digest,
}

impl DroppedDigest {
    /// None was dropped.
    pub const NONE: Self = Self { count: 0, digest: Digest::ZERO };

    /// One more.
    #[must_use]
    pub fn with(self, key: &KeyId) -> Self {
        let digest = Digest::of(&[b"atalaya dropped key 1", self.digest.as_bytes(), key.as_uuid().as_bytes()]);
        Self { count: self.count.saturating_add(1), digest }
    }

    /// Of a whole list.
    #[must_use]
    pub fn of(keys: &[KeyId]) -> Self {
        keys.iter().fold(Self::NONE, Self::with)
    }
}

/// What the journal was at some size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which journal: a name without white space or plus sign.
    pub origin: String,
    /// How many events.
    pub size: u64,
    /// The root of the Merkle tree over their leaves (RFC 6962).
    pub root: Digest,
    /// The chain after the last of them.
    pub chain: Digest,
    /// The keys that were dropped until then.
    pub dropped: DroppedDigest,
}

fn malformed(reason: &'static str) -> CheckpointError {
    CheckpointError::Malformed { what: "the checkpoint", reason }
}

impl Checkpoint {
    /// The note's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { origin, size, root, chain, dropped } = self;
        format!(
            "{origin}\n{size}\n{}\n{CHAIN}{}\n{DROPPED}{} {}\n",
            root.to_base64(),
            chain.to_base64(),
            dropped.count,
            dropped.digest.to_base64()
        )
    }

    /// Reads a note's text.
    ///
    /// # Errors
    /// When it is no checkpoint of this program. No input makes it panic.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or_else(|| malformed("its last line has no end"))?;
        let mut lines = body.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or_else(|| malformed("it has too few lines"));
        let origin = line()?.to_owned();
        let size = number(line()?)?;
        let root = digest(line()?)?;
        let chain = digest(line()?.strip_prefix(CHAIN).ok_or_else(|| malformed("it does not name the chain"))?)?;
        let dropped = line()?.strip_prefix(DROPPED).and_then(|rest| rest.split_once(' '));
        let (count, list) = dropped.ok_or_else(|| malformed("it does not name the dropped keys"))?;
        let dropped = DroppedDigest { count: number(count)?, digest: digest(list)? };
        // What a later version adds is signed as well and asks for nothing here.
        Ok(Self { origin, size, root, chain, dropped })
    }

    /// Signs it in the journal's own name.
    ///
    /// # Errors
    /// When the origin cannot be a name.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedNote, CheckpointError> {
        SignedNote::sign(self.to_text(), key, &self.origin)
    }

    /// What a note says, if the key signed it and it speaks of the key's journal.
    ///
    /// # Errors
    /// When it is not signed by the key, is no checkpoint, or is another journal's.
    pub fn verified(note: &SignedNote, key: &VerifyingKey) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(note.verified(key)?)?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::OtherJournal { found: checkpoint.origin, expected: key.name().to_owned() });
        }
        Ok(checkpoint)
    }
}

/// A decimal number in its one form.
pub(super) fn number(text: &str) -> Result<u64, CheckpointError> {
    let number = text.parse::<u64>().ok().filter(|number| number.to_string() == text);
    number.ok_or_else(|| malformed("a number is not in decimal form"))
}

fn digest(text: &str) -> Result<Digest, CheckpointError> {
    Digest::from_base64(text).ok_or_else(|| malformed("a digest is not the base64 of 32 bytes"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// PKCS#8 of the key whose secret is 32 times the byte 7: for golden bytes only.
    pub(in super::super) fn key() -> SigningKey {
        let mut bytes = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        bytes.extend([7; 32]);
        SigningKey::from_pkcs8(&bytes).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "atalaya/journal/0190b8a0".into(),
            size: 20_852_163,
            root: Digest::from_bytes([1; 32]),
            chain: Digest::from_bytes([2; 32]),
            dropped: DroppedDigest::of(&[KeyId::from_uuid(uuid::Uuid::from_u128(3))]),
        }
    }

    /// Notes stand in folders of other trust domains for years.
    #[test]
    fn the_note_is_as_it_ever_was() {
        let note = checkpoint().sign(&key()).unwrap();
        assert_eq!(note.to_text(), GOLDEN);
        let read = SignedNote::parse(GOLDEN.as_bytes()).unwrap();
        let verifying = key().verifying("atalaya/journal/0190b8a0").unwrap();
        assert_eq!(verifying.to_string(), VKEY);
        assert_eq!(Checkpoint::verified(&read, &verifying).unwrap(), checkpoint());
    }

    const VKEY: &str = "atalaya/journal/0190b8a0+57a5afce+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    /// Signed by OpenSSL with the same key.
    const GOLDEN: &str = "atalaya/journal/0190b8a0\n\
        20852163\n\
        AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n\
        chain AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n\
        dropped-keys 1 6lDRhOwJt82vDQaPtIQbxjUi22djDzmhhVBQzJdDfyo=\n\n\
        \u{2014} atalaya/journal/0190b8a0 V6WvzjTd9Z1Km1bN8orjCKMGYqfhxf6q5shstR6bKjHF1UrJRe0nEaHM7Y1nZ+EAUc7YERrOcsK7xTjSXtnQu2e5CQQ=\n";

    #[test]
    fn another_journals_checkpoint_is_none_of_ours() {
        let note = SignedNote::sign(checkpoint().to_text(), &key(), "other").unwrap();
        let refused = Checkpoint::verified(&note, &key().verifying("other").unwrap());
        assert!(matches!(refused, Err(CheckpointError::OtherJournal { .. })));
    }

    #[test]
    fn numbers_have_one_form() {
        for text in ["01", "+1", "-1", "", "1 ", "18446744073709551616"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_decoder_panic(text: String, first in 0_usize..200, other in 0_usize..200) {
            let _ = Checkpoint::parse(&text);
            let mut bytes = checkpoint().to_text().into_bytes();
            let length = bytes.len();
            bytes.swap(first % length, other % length);
            if let Ok(read) = Checkpoint::parse(&String::from_utf8(bytes).unwrap()) {
                let _ = read.to_text();
            }
        }
    }
}
