//! Named places where a test may end the process, to show that a resumed run loses nothing.
//!
//! Whoever reaches a place only says so; what happens there is the caller's, and in a release build nothing ever does.

use std::sync::Arc;

/// Called at every named place.
#[derive(Clone)]
pub struct Failpoints(Arc<dyn Fn(&'static str) + Send + Sync>);

impl Failpoints {
    /// Nothing happens anywhere.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(|_| {}))
    }

    /// Calls `reached` at every place.
    pub fn new(reached: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(reached))
    }

    /// Says that a place is reached.
    pub fn reach(&self, name: &'static str) {
        (self.0)(name);
    }
}

impl std::fmt::Debug for Failpoints {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Failpoints(..)")
    }
}
