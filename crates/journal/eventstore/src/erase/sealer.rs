//! Seals and opens events. Made by whoever has checked that no dropped key is alive in the key store.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::keys::Found;
use super::markers::{ERASED, OPENED, PERSONAL, SEALED, rewrite};
use super::{ErasureError, KeyStore, Personal, SealedField};
use crate::{Event, NewEvent};

/// The longest name of a subject, in bytes.
const SUBJECT_BYTES_MAX: usize = 255;

/// Seals what is personal in an event, and opens it again. Cheap to clone.
///
/// Calls block for a small transaction of SQLite; sealing the first value of a person waits for the disk.
#[derive(Clone, Debug)]
pub struct Sealer {
    keys: Arc<KeyStore>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsealed<'a> {
    subject: String,
    #[serde(borrow)]
    value: &'a RawValue,
}

impl Sealer {
    pub(super) fn new(keys: Arc<KeyStore>) -> Self {
        Self { keys }
    }

    /// The event with every new [`Personal`] in its data sealed. Those that were sealed before stay as they are.
    ///
    /// # Errors
    /// When the data is not JSON, a subject's name is empty or longer than 255 bytes, or the key store does not answer.
    pub fn seal(&self, event: NewEvent) -> Result<NewEvent, ErasureError> {
        let json = text(&event.data)?;
        let sealed = rewrite(json, PERSONAL, &mut |place, value| {
            let unsealed: Unsealed<'_> = serde_json::from_str(value.get())
                .map_err(|_| ErasureError::Data { reason: "a personal value has no subject or no value" })?;
            if unsealed.subject.is_empty() || unsealed.subject.len() > SUBJECT_BYTES_MAX {
                return Err(ErasureError::Subject { max: SUBJECT_BYTES_MAX });
            }
            let (key, secret) = self.keys.key_of(&unsealed.subject)?;
            let field = SealedField::seal(&secret, key, event.id, place, unsealed.value.get())?;
            Ok(format!(r#"{{"{SEALED}":{}}}"#, encoded(&field)?))
        })?;
        Ok(NewEvent { data: Bytes::from(sealed), ..event })
    }

    /// The event's data with every sealed field opened or marked as erased, for reading types with [`Personal`] fields;
    /// none where the whole data was erased. It holds plain text: never store it.
    ///
    /// # Errors
    /// [`ErasureError::UnknownKey`] when a key is missing that nobody dropped, [`ErasureError::Changed`] when a field was
    /// changed. A dropped key is no error.
    pub fn open(&self, event: &Event) -> Result<Option<Bytes>, ErasureError> {
        event.data.as_ref().map(|data| self.open_data(data)).transpose()
    }

    /// The same for other JSON with sealed fields: a snapshot, a message.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_data(&self, data: &[u8]) -> Result<Bytes, ErasureError> {
        let opened = rewrite(text(data)?, SEALED, &mut |_, value| {
            let field = decoded(value.get())?;
            match self.keys.find(field.key())? {
                Found::Key(secret) => {
                    let (value, sealed) = (field.open(&secret)?, value.get());
                    Ok(format!(r#"{{"{OPENED}":{{"value":{value},"sealed":{sealed}}}}}"#))
                }
                Found::Dropped => Ok(format!(r#"{{"{ERASED}":{}}}"#, value.get())),
            }
        })?;
        Ok(Bytes::from(opened))
    }

    /// One value, as a projection's row holds it.
    ///
    /// # Errors
    /// As for [`Self::open`], and when the value is of another type.
    pub fn open_one<T: DeserializeOwned>(&self, value: Personal<T>) -> Result<Personal<T>, ErasureError> {
        let Some(field) = value.field().filter(|_| value.value().is_none()).cloned() else { return Ok(value) };
        match self.keys.find(field.key())? {
            Found::Dropped => Ok(Personal::erased(field)),
            Found::Key(secret) => {
                let value = serde_json::from_str(&field.open(&secret)?);
                let value = value.map_err(|_| ErasureError::Data { reason: "a value is of another type" })?;
                Ok(Personal::opened(value, field))
            }
        }
    }
}

fn text(data: &[u8]) -> Result<&str, ErasureError> {
    std::str::from_utf8(data).map_err(|_| ErasureError::Data { reason: "it is not UTF-8" })
}

fn encoded(field: &SealedField) -> Result<String, ErasureError> {
    serde_json::to_string(field).map_err(|_| ErasureError::Data { reason: "a field cannot be written" })
}

fn decoded(json: &str) -> Result<SealedField, ErasureError> {
    serde_json::from_str(json).map_err(|_| ErasureError::Data { reason: "a sealed field is not well formed" })
}

#[cfg(test)]
mod tests;
