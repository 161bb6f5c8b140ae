//! A proof that stands alone (C2SP `tlog-proof`): an event's place, the path to the root, and the signed checkpoint with
//! that root. Whoever has the public key needs no journal to check it.

use super::body::number;
use super::note::BYTES_MAX;
use super::{Checkpoint, CheckpointError, SignedNote, VerifyingKey};
use crate::{Digest, InclusionProof, Position};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
const INDEX: &str = "index ";
const EXTRA: &str = "extra ";

/// An inclusion proof and the checkpoint that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The proof.
    pub inclusion: InclusionProof,
    /// The checkpoint, not checked yet.
    pub checkpoint: SignedNote,
}

fn malformed(reason: &'static str) -> CheckpointError {
    CheckpointError::Malformed { what: "the proof", reason }
}

impl TlogProof {
    /// The proof as text, for a file `*.tlog-proof`.
    #[must_use]
    pub fn to_text(&self) -> String {
        // The format counts from 0.
        let mut text = format!("{FIRST_LINE}\n{INDEX}{}\n", self.inclusion.position.number().saturating_sub(1));
        for digest in &self.inclusion.path {
            text.push_str(&digest.to_base64());
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint.to_text());
        text
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is none. No input makes it panic.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        if bytes.len() > BYTES_MAX {
            return Err(malformed("it is larger than 1 MiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        let (proof, note) = text.split_once("\n\n").ok_or_else(|| malformed("no empty line ends its path"))?;
        let mut lines = proof.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(malformed("it does not begin with `c2sp.org/tlog-proof@v1`"));
        }
        lines.next_if(|line| line.starts_with(EXTRA));
        let index = lines.next().and_then(|line| line.strip_prefix(INDEX));
        let index = number(index.ok_or_else(|| malformed("it names no index"))?)?;
        let path: Option<Vec<Digest>> = lines.map(Digest::from_base64).collect();
        let path = path.ok_or_else(|| malformed("a digest is not the base64 of 32 bytes"))?;
        let checkpoint = SignedNote::parse(note.as_bytes())?;
        let size = Checkpoint::parse(checkpoint.unverified())?.size;
        let inclusion = InclusionProof { position: Position::new(index).next(), size, path };
        Ok(Self { inclusion, checkpoint })
    }

    /// The checkpoint that holds the event with this leaf; none where the proof does not lead there.
    ///
    /// # Errors
    /// When the checkpoint is not signed by the key.
    pub fn verified(&self, leaf: &Digest, key: &VerifyingKey) -> Result<Option<Checkpoint>, CheckpointError> {
        let checkpoint = Checkpoint::verified(&self.checkpoint, key)?;
        let holds = self.inclusion.size == checkpoint.size && self.inclusion.holds(leaf, &checkpoint.root);
        Ok(holds.then_some(checkpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::node_of;
    use crate::checkpoint::DroppedDigest;
    use crate::checkpoint::body::tests::key;

    #[test]
    fn a_proof_survives_being_text_and_is_checked_without_a_journal() {
        let (leaf, beside) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        let root = node_of(&leaf, &beside);
        let checkpoint =
            Checkpoint { origin: "journal".into(), size: 2, root, chain: Digest::ZERO, dropped: DroppedDigest::NONE };
        let inclusion = InclusionProof { position: Position::new(1), size: 2, path: vec![beside] };
        let proof = TlogProof { inclusion, checkpoint: checkpoint.sign(&key()).unwrap() };
        let read = TlogProof::parse(proof.to_text().as_bytes()).unwrap();
        assert_eq!(read, proof);
        let verifying = key().verifying("journal").unwrap();
        assert_eq!(read.verified(&leaf, &verifying).unwrap(), Some(checkpoint));
        assert_eq!(read.verified(&beside, &verifying).unwrap(), None);
        assert!(read.verified(&leaf, &key().verifying("other").unwrap()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>, text: String) {
            let _ = TlogProof::parse(&bytes);
            let _ = TlogProof::parse(format!("{FIRST_LINE}\n{text}").as_bytes());
        }
    }
}
