//! How long the owners of others' sagas have been silent, by this process's own clock, which nobody sets back.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::SagaId;

/// The version that each saga was first seen at, and when. Holds those that others own at present.
#[derive(Debug, Default)]
pub(crate) struct Silence(Mutex<HashMap<SagaId, (u64, Instant)>>);

impl Silence {
    /// How long a saga has been at a version.
    pub(crate) fn of(&self, id: &SagaId, version: u64) -> Duration {
        let Ok(mut seen) = self.0.lock() else { return Duration::ZERO };
        let (at, since) = seen.entry(id.clone()).or_insert((version, Instant::now()));
        if *at != version {
            (*at, *since) = (version, Instant::now());
        }
        since.elapsed()
    }

    /// It is not waited for any more.
    pub(crate) fn forget(&self, id: &SagaId) {
        if let Ok(mut seen) = self.0.lock() {
            seen.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_begins_anew_with_each_version() {
        let silence = Silence::default();
        let id = SagaId::new("o1").unwrap();
        assert!(silence.of(&id, 1) < Duration::from_secs(60));
        if let Some((_, since)) = silence.0.lock().unwrap().get_mut(&id) {
            *since -= Duration::from_secs(100);
        }
        assert!(silence.of(&id, 1) >= Duration::from_secs(100));
        assert!(silence.of(&id, 2) < Duration::from_secs(60));
        silence.forget(&id);
        assert!(silence.0.lock().unwrap().is_empty());
    }
}
