//! Which saga.

use std::fmt;

use atalaya_eventstore::{NameError, StreamName};
use serde::{Deserialize, Serialize};

/// The category of the streams that sagas are written to.
pub(crate) const CATEGORY: &str = "saga";

/// A saga's identity, given by whoever starts it: starting it twice starts it once. Never personal data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SagaId(StreamName);

impl SagaId {
    /// An identity.
    ///
    /// # Errors
    /// When it is empty, longer than 250 bytes or holds control characters.
    pub fn new(id: &str) -> Result<Self, NameError> {
        if id.is_empty() {
            return Err(NameError::Empty);
        }
        StreamName::new(format!("{CATEGORY}-{id}")).map(Self)
    }

    /// The saga that a stream belongs to, if it is one's.
    pub(crate) fn of_stream(stream: &StreamName) -> Option<Self> {
        let id = stream.as_str().strip_prefix(CATEGORY)?.strip_prefix('-')?;
        (!id.is_empty()).then(|| Self(stream.clone()))
    }

    /// The identity without the stream's category.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().get(CATEGORY.len() + 1..).unwrap_or_default()
    }

    /// The stream that the saga is written to.
    #[must_use]
    pub fn stream(&self) -> &StreamName {
        &self.0
    }
}

impl TryFrom<String> for SagaId {
    type Error = NameError;

    fn try_from(id: String) -> Result<Self, NameError> {
        Self::new(&id)
    }
}

impl From<SagaId> for String {
    fn from(id: SagaId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for SagaId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}
