//! The Ed25519 key that signs checkpoints, and the public one that checks them.
//!
//! The signing key lies outside the journal's folder, or whoever edits the journal signs it again. It is made once, by
//! [`create_key`], and never by the way.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::CheckpointError;
use super::note::sound_name;
use crate::{Digest, secret};

/// Ed25519 in signed notes.
const ALGORITHM: u8 = 1;

/// The key that signs checkpoints.
pub struct SigningKey(Ed25519KeyPair);

/// The public key that checks signatures made in a name. Its text is C2SP's `vkey`: `NAME+ID+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    public: [u8; 32],
}

/// Makes a signing key in a file that was not there: PKCS#8, mode 0600.
///
/// # Errors
/// When the file is there, lies in one of the folders that it must be apart from (the journal's, the state's), or cannot
/// be written.
pub fn create_key(path: &Path, apart_from: &[&Path]) -> Result<(), CheckpointError> {
    apart_from.iter().try_for_each(|folder| secret::outside(path, folder))?;
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| CheckpointError::NoRandomness)?;
    Ok(secret::create(path, document.as_ref())?)
}

impl SigningKey {
    /// Reads a key file.
    ///
    /// # Errors
    /// When others may read it, it lies in one of the folders that it must be apart from, or it holds no key.
    pub fn open(path: &Path, apart_from: &[&Path]) -> Result<Self, CheckpointError> {
        apart_from.iter().try_for_each(|folder| secret::outside(path, folder))?;
        Self::from_pkcs8(&secret::read(path)?)
    }

    pub(super) fn from_pkcs8(bytes: &[u8]) -> Result<Self, CheckpointError> {
        // OpenSSL writes version 1, without the public key.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map(Self).map_err(|_| CheckpointError::NotAKey)
    }

    /// The public key under a name: a journal's origin.
    ///
    /// # Errors
    /// When no key can have the name: it is empty, or holds white space or a plus sign.
    pub fn verifying(&self, name: &str) -> Result<VerifyingKey, CheckpointError> {
        let public = self.0.public_key().as_ref().try_into().map_err(|_| CheckpointError::NotAKey)?;
        VerifyingKey::new(name, public)
    }

    pub(super) fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(..)")
    }
}

impl VerifyingKey {
    fn new(name: &str, public: [u8; 32]) -> Result<Self, CheckpointError> {
        if sound_name(name) { Ok(Self { name: name.to_owned(), public }) } else { Err(malformed("its name")) }
    }

    /// Whose key it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// By which signatures name it: the first four bytes of a SHA-256 over name and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let digest = Digest::of(&[self.name.as_bytes(), b"\n", &[ALGORITHM], &self.public]);
        digest.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// [`Self::id`] as eight hexadecimal digits.
    #[must_use]
    pub fn id_text(&self) -> String {
        self.id().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(text, signature).is_ok()
    }
}

fn malformed(reason: &'static str) -> CheckpointError {
    CheckpointError::Malformed { what: "the public key", reason }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ALGORITHM][..], &self.public].concat();
        write!(formatter, "{}+{}+{}", self.name, self.id_text(), BASE64_STANDARD.encode(key))
    }
}

impl FromStr for VerifyingKey {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        // The key's own base64 may hold plus signs.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed("it has the form `NAME+ID+KEY`"));
        };
        let key = BASE64_STANDARD.decode(key).map_err(|_| malformed("it is not base64"))?;
        let public = match key.split_first() {
            Some((&ALGORITHM, public)) => public.try_into().map_err(|_| malformed("it has another length"))?,
            _ => return Err(malformed("it is no Ed25519 key")),
        };
        let key = Self::new(name, public)?;
        if key.id_text() == id { Ok(key) } else { Err(malformed("its id is that of another key")) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::secret::SecretFileError;

    #[test]
    fn a_key_is_made_once_outside_the_journals_folder_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let inside = create_key(&state.join("key"), &[&state]);
        assert!(matches!(inside, Err(CheckpointError::KeyPlace(_))));

        let path = folder.path().join("key");
        create_key(&path, &[&state]).unwrap();
        assert!(create_key(&path, &[&state]).is_err());
        let key = SigningKey::open(&path, &[&state]).unwrap();
        let verifying = key.verifying("journal").unwrap();
        assert!(verifying.verifies(b"text", &key.sign(b"text")));
        assert_eq!(verifying.to_string().parse::<VerifyingKey>().unwrap(), verifying);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let readable = SigningKey::open(&path, &[&state]);
        assert!(matches!(readable, Err(CheckpointError::KeyFile(SecretFileError::Permissions { .. }))));
        std::fs::rename(&path, state.join("key")).unwrap();
        assert!(matches!(SigningKey::open(&state.join("key"), &[&state]), Err(CheckpointError::KeyPlace(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_text_and_no_file_make_the_decoders_panic(text: String, bytes: Vec<u8>) {
            let _ = text.parse::<VerifyingKey>();
            proptest::prop_assert!(SigningKey::from_pkcs8(&bytes).is_err());
        }
    }
}
