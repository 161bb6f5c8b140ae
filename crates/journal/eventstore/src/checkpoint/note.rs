//! Signed notes (C2SP `signed-note`): a text, an empty line, and lines of signatures over the text.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{CheckpointError, SigningKey, VerifyingKey};

/// No note that this program reads is larger, in bytes.
pub(super) const BYTES_MAX: usize = 1 << 20;
/// Nor has more signatures: witnesses may add theirs.
const SIGNATURES_MAX: usize = 100;

/// A text with its signatures, none of them checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

fn malformed(reason: &'static str) -> CheckpointError {
    CheckpointError::Malformed { what: "the signed note", reason }
}

impl SignedNote {
    /// Signs a text, which must end with a line feed and hold no other control character and no empty line.
    ///
    /// # Errors
    /// When it is another text.
    pub fn sign(text: String, key: &SigningKey, name: &str) -> Result<Self, CheckpointError> {
        if !sound(&text) {
            return Err(malformed("a text ends with a line feed and has no empty line and no control characters"));
        }
        let verifying = key.verifying(name)?;
        let bytes = key.sign(text.as_bytes());
        let signature = Signature { name: verifying.name().to_owned(), key_id: verifying.id(), bytes };
        Ok(Self { text, signatures: vec![signature] })
    }

    /// Reads a note.
    ///
    /// # Errors
    /// When it is none. No input makes it panic.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        if bytes.len() > BYTES_MAX {
            return Err(malformed("it is larger than 1 MiB"));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        // The text keeps its own line feed; the empty line belongs to neither part.
        let (text, lines) = note.rsplit_once("\n\n").ok_or_else(|| malformed("no empty line ends its text"))?;
        let text = format!("{text}\n");
        if !sound(&text) {
            return Err(malformed("its text has an empty line or a control character"));
        }
        let lines = lines.strip_suffix('\n').ok_or_else(|| malformed("its last line has no end"))?;
        let signatures = lines.split('\n').map(Signature::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(malformed("it has more than 100 signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// The note as it is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut note = format!("{}\n", self.text);
        for signature in &self.signatures {
            let bytes = [&signature.key_id[..], &signature.bytes].concat();
            note.push_str(&format!("\u{2014} {} {}\n", signature.name, BASE64_STANDARD.encode(bytes)));
        }
        note
    }

    /// The text, if this key signed it. Signatures of other keys count for nothing; one in this key's name that is not
    /// its own spoils the note.
    ///
    /// # Errors
    /// When the key did not sign it.
    pub fn verified(&self, key: &VerifyingKey) -> Result<&str, CheckpointError> {
        let mut own = self.signatures.iter().filter(|one| one.name == key.name() && one.key_id == key.id()).peekable();
        let signed = own.peek().is_some() && own.all(|one| key.verifies(self.text.as_bytes(), &one.bytes));
        if signed { Ok(&self.text) } else { Err(CheckpointError::Unsigned { key: key.to_string() }) }
    }

    /// The text, signed by whomever.
    pub(super) fn unverified(&self) -> &str {
        &self.text
    }
}

impl Signature {
    fn parse(line: &str) -> Result<Self, CheckpointError> {
        let parts = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
        let (name, encoded) = parts.ok_or_else(|| malformed("a signature has no name or no bytes"))?;
        if !sound_name(name) {
            return Err(malformed("a signature's name is empty or holds a space or a plus sign"));
        }
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| malformed("a signature is not base64"))?;
        let (key_id, bytes) = bytes.split_first_chunk::<4>().ok_or_else(|| malformed("a signature is too short"))?;
        if bytes.is_empty() {
            return Err(malformed("a signature is too short"));
        }
        Ok(Self { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
    }
}

fn sound(text: &str) -> bool {
    text.len() > 1
        && text.ends_with('\n')
        && !text.starts_with('\n')
        && !text.contains("\n\n")
        && !text.chars().any(|letter| letter < ' ' && letter != '\n')
}

/// Whether a key may have this name.
pub(super) fn sound_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|letter| letter.is_whitespace() || letter.is_control() || letter == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Go module `golang.org/x/mod/sumdb/note`, which the format comes from.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_that_another_program_signed_is_verified() {
        let note = SignedNote::parse(NOTE.as_bytes()).unwrap();
        assert_eq!(note.to_text(), NOTE);
        let key: VerifyingKey = KEY.parse().unwrap();
        assert!(note.verified(&key).unwrap().starts_with("If you think"));
        let changed = SignedNote::parse(NOTE.replace("answer", "remedy").as_bytes()).unwrap();
        assert!(matches!(changed.verified(&key), Err(CheckpointError::Unsigned { .. })));
    }

    #[test]
    fn a_wrong_signature_in_the_keys_name_spoils_a_note() {
        let mut note = SignedNote::parse(NOTE.as_bytes()).unwrap();
        let mut forged = note.signatures[0].clone();
        forged.bytes[0] ^= 1;
        note.signatures.push(forged);
        assert!(note.verified(&KEY.parse().unwrap()).is_err());
        // A witness's signature does not.
        note.signatures[1].name = "witness".into();
        note.verified(&KEY.parse().unwrap()).unwrap();
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            let _ = SignedNote::parse(&bytes);
        }

        #[test]
        fn a_changed_note_is_read_or_refused_and_never_verified(at in 0_usize..100, letter: char) {
            let mut letters: Vec<char> = NOTE.chars().collect();
            proptest::prop_assume!(letters[at] != letter && at < 98);
            letters[at] = letter;
            if let Ok(note) = SignedNote::parse(letters.into_iter().collect::<String>().as_bytes()) {
                proptest::prop_assert!(note.verified(&KEY.parse().unwrap()).is_err());
            }
        }
    }
}
