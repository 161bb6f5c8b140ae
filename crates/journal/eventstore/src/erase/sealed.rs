//! A sealed field as it stands in an event's data, in a snapshot, in a projection's row.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::ErasureError;
use super::crypt::{NONCE_BYTES, Secret, random};
use crate::EventId;
use crate::chain::Canonical;
use crate::erase::KeyId;

/// A value that only its key opens, with all that is needed to find that key. In JSON
/// `{"key": id, "event": id, "field": pointer, "nonce": base64, "text": base64}`: ChaCha20-Poly1305 over the value's
/// JSON, bound to the three first.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedField {
    key: KeyId,
    event: EventId,
    field: String,
    nonce: Base64<NONCE_BYTES>,
    text: Text,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Base64<const N: usize>([u8; N]);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Text(Vec<u8>);

impl SealedField {
    /// Seals the JSON of a value.
    pub(super) fn seal(
        secret: &Secret,
        key: KeyId,
        event: EventId,
        field: &str,
        value: &str,
    ) -> Result<Self, ErasureError> {
        Self::seal_with(secret, random()?, (key, event, field), value)
    }

    fn seal_with(
        secret: &Secret,
        nonce: [u8; NONCE_BYTES],
        place: (KeyId, EventId, &str),
        value: &str,
    ) -> Result<Self, ErasureError> {
        let (key, event, field) = place;
        let text = secret.seal(nonce, &bound(&key, &event, field), value.as_bytes().to_vec())?;
        Ok(Self { key, event, field: field.to_owned(), nonce: Base64(nonce), text: Text(text) })
    }

    /// The JSON of the value.
    pub(super) fn open(&self, secret: &Secret) -> Result<String, ErasureError> {
        let opened = secret.open(self.nonce.0, &bound(&self.key, &self.event, &self.field), self.text.0.clone());
        opened.and_then(|text| String::from_utf8(text).ok()).ok_or(ErasureError::Changed { key: self.key })
    }

    /// Under which key.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The event that it was sealed for; another one may carry it on.
    #[must_use]
    pub const fn event(&self) -> EventId {
        self.event
    }

    /// Where in that event's data (RFC 6901).
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Debug for SealedField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealedField({} of {} under {})", self.field, self.event, self.key)
    }
}

fn bound(key: &KeyId, event: &EventId, field: &str) -> Vec<u8> {
    let mut canonical = Canonical::new("atalaya sealed field 1");
    canonical.bytes(event.as_uuid().as_bytes());
    canonical.text(field);
    canonical.bytes(key.as_uuid().as_bytes());
    canonical.as_slice().to_vec()
}

impl<const N: usize> TryFrom<String> for Base64<N> {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = BASE64_STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("it is not base64 of the right length")
    }
}

impl<const N: usize> From<Base64<N>> for String {
    fn from(bytes: Base64<N>) -> Self {
        BASE64_STANDARD.encode(bytes.0)
    }
}

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        BASE64_STANDARD.decode(text).map(Self).map_err(|_| "it is not base64")
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        BASE64_STANDARD.encode(text.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (KeyId, EventId, &'static str) {
        let id = uuid::Uuid::from_u128;
        (KeyId::from_uuid(id(1)), EventId::from_uuid(id(2)), "/email")
    }

    /// Sealed fields stand in journals; computed by another implementation.
    #[test]
    fn the_sealed_form_is_as_it_ever_was() {
        let secret = Secret::from_bytes([7; 32]);
        let sealed = SealedField::seal_with(&secret, [9; 12], place(), "\"eve@example.com\"").unwrap();
        assert_eq!(serde_json::to_string(&sealed).unwrap(), GOLDEN);
        let read: SealedField = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(read.open(&secret).unwrap(), "\"eve@example.com\"");
    }

    const GOLDEN: &str = r#"{"key":"00000000-0000-0000-0000-000000000001","event":"00000000-0000-0000-0000-000000000002","field":"/email","nonce":"CQkJCQkJCQkJCQkJ","text":"3hyNsqRr/cSwGGJd7oTLvFxxd4R3qWh2QQM4hx1lU27v"}"#;

    #[test]
    fn a_field_that_is_said_to_be_of_another_event_place_or_key_does_not_open() {
        let secret = Secret::generate().unwrap();
        let (key, event, field) = place();
        let sealed = SealedField::seal(&secret, key, event, field, "1").unwrap();
        assert_eq!(sealed.open(&secret).unwrap(), "1");
        let moved = [
            SealedField { event: EventId::generate(), ..sealed.clone() },
            SealedField { field: "/name".into(), ..sealed.clone() },
            SealedField { key: KeyId::generate(), ..sealed },
        ];
        for moved in moved {
            assert!(matches!(moved.open(&secret), Err(ErasureError::Changed { .. })));
        }
        assert!(!format!("{:?}", moved_debug()).contains("text"));
    }

    fn moved_debug() -> SealedField {
        SealedField::seal(&Secret::from_bytes([1; 32]), place().0, place().1, place().2, "1").unwrap()
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_decoder_panic(text: String, at in 0_usize..200, letter in 32_u8..127) {
            let _ = serde_json::from_str::<SealedField>(&text);
            let mut changed = GOLDEN.to_owned().into_bytes();
            let at = at % changed.len();
            changed[at] = letter;
            if let Ok(read) = serde_json::from_slice::<SealedField>(&changed) {
                let opened = read.open(&Secret::from_bytes([7; 32]));
                proptest::prop_assert!(opened.is_err() || read == serde_json::from_str(GOLDEN).unwrap());
            }
        }
    }
}
