//! The master key, which wraps the keys of all people, and its file.
//!
//! Every erasure replaces it, so that an older copy of the key store opens nothing.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use uuid::Uuid;

use super::ErasureError;
use super::crypt::{KEY_BYTES, NONCE_BYTES, Secret, random};
use crate::chain::Canonical;
use crate::erase::KeyId;

const FIRST_LINE: &str = "atalaya master key 1";

/// A master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Master {
    id: Uuid,
    secret: Secret,
}

/// A person's key with the person it is of.
#[derive(Debug)]
pub(super) struct Unwrapped {
    pub(super) secret: Secret,
    pub(super) subject: String,
}

impl Master {
    pub(super) fn generate() -> Result<Self, ErasureError> {
        Ok(Self { id: Uuid::new_v4(), secret: Secret::generate()? })
    }

    /// By which the key store names it.
    pub(super) const fn id(&self) -> &Uuid {
        &self.id
    }

    /// What its file holds: three lines.
    pub(super) fn to_text(&self) -> String {
        format!("{FIRST_LINE}\n{}\n{}\n", self.id, BASE64_STANDARD.encode(self.secret.as_bytes()))
    }

    /// The key of a file; none where it holds something else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split('\n');
        let (first, id, secret) = (lines.next()?, lines.next()?, lines.next()?);
        let secret: [u8; KEY_BYTES] = BASE64_STANDARD.decode(secret).ok()?.try_into().ok()?;
        let whole = first == FIRST_LINE && lines.next().is_none();
        let id = Uuid::try_parse(id).ok().filter(|read| read.to_string() == id);
        id.filter(|_| whole).map(|id| Self { id, secret: Secret::from_bytes(secret) })
    }

    /// By which a person's key is found, and which tells nothing without the master key.
    pub(super) fn tag(&self, subject: &str) -> [u8; KEY_BYTES] {
        let derived = self.derived(b"atalaya subject 1");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, derived.as_bytes()), subject.as_bytes());
        tag.as_ref().try_into().unwrap_or_default()
    }

    /// A key with its person's name, as it is stored.
    pub(super) fn wrap(&self, store: &Uuid, key: &KeyId, unwrapped: &Unwrapped) -> Result<Vec<u8>, ErasureError> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let text = [&unwrapped.secret.as_bytes()[..], unwrapped.subject.as_bytes()].concat();
        let sealed = self.derived(b"atalaya wrap 1").seal(nonce, &bound(store, key), text)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// A key as it was stored.
    pub(super) fn unwrap(&self, store: &Uuid, key: &KeyId, wrapped: &[u8]) -> Result<Unwrapped, ErasureError> {
        let opened = wrapped.split_first_chunk::<NONCE_BYTES>().and_then(|(nonce, sealed)| {
            self.derived(b"atalaya wrap 1").open(*nonce, &bound(store, key), sealed.to_vec())
        });
        let parts = opened.as_deref().and_then(<[u8]>::split_first_chunk::<KEY_BYTES>);
        let subject = parts.and_then(|(_, subject)| String::from_utf8(subject.to_vec()).ok());
        match (parts, subject) {
            (Some((secret, _)), Some(subject)) => Ok(Unwrapped { secret: Secret::from_bytes(*secret), subject }),
            _ => Err(ErasureError::Damaged { seen: "a key does not open under the master key" }),
        }
    }

    fn derived(&self, purpose: &[u8]) -> Secret {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes()), purpose);
        // HMAC-SHA-256 has 32 bytes.
        Secret::from_bytes(derived.as_ref().try_into().unwrap_or_default())
    }
}

/// What a wrapped key is bound to: a row moved to another key or another store does not open.
fn bound(store: &Uuid, key: &KeyId) -> Vec<u8> {
    let mut canonical = Canonical::new("atalaya wrapped key 1");
    canonical.bytes(store.as_bytes());
    canonical.bytes(key.as_uuid().as_bytes());
    canonical.as_slice().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_as_it_ever_was() {
        let text = "atalaya master key 1\n00000000-0000-0000-0000-000000000007\n\
                    CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n";
        let master = Master { id: Uuid::from_u128(7), secret: Secret::from_bytes([9; 32]) };
        assert_eq!(master.to_text(), text);
        assert_eq!(Master::parse(text.as_bytes()), Some(master));
        assert_eq!(Master::parse(text.trim_end().as_bytes()), None);
        assert_eq!(Master::parse(format!("{text}more\n").as_bytes()), None);
    }

    #[test]
    fn a_wrapped_key_opens_in_its_own_row_under_its_own_master_alone() {
        let (master, other) = (Master::generate().unwrap(), Master::generate().unwrap());
        let (store, key) = (Uuid::from_u128(1), KeyId::generate());
        let unwrapped = Unwrapped { secret: Secret::generate().unwrap(), subject: "customer-7".into() };
        let wrapped = master.wrap(&store, &key, &unwrapped).unwrap();
        assert_eq!(master.unwrap(&store, &key, &wrapped).unwrap().subject, "customer-7");
        assert!(master.unwrap(&store, &KeyId::generate(), &wrapped).is_err());
        assert!(master.unwrap(&Uuid::from_u128(2), &key, &wrapped).is_err());
        assert!(other.unwrap(&store, &key, &wrapped).is_err());
        assert_ne!(master.tag("customer-7"), other.tag("customer-7"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoders_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(Master::parse(&bytes).is_none());
            let master = Master { id: Uuid::from_u128(7), secret: Secret::from_bytes([9; 32]) };
            proptest::prop_assert!(master.unwrap(&Uuid::nil(), &KeyId::from_uuid(Uuid::nil()), &bytes).is_err());
        }
    }
}
