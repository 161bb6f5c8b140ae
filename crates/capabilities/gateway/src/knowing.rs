//! Clients that have seen, or may have seen, a type's number that another server may give to another type.

use std::collections::BTreeSet;

use parking_lot::Mutex;

/// See the module. By the number that a client's cancel key names.
#[derive(Default)]
pub(crate) struct KnowingTypes(Mutex<BTreeSet<i32>>);

impl KnowingTypes {
    pub(crate) fn note(&self, process_id: i32) {
        self.0.lock().insert(process_id);
    }

    pub(crate) fn forget(&self, process_id: i32) {
        self.0.lock().remove(&process_id);
    }

    /// How many there are that are none of these.
    pub(crate) fn but_for(&self, others: &BTreeSet<i32>) -> usize {
        self.0.lock().iter().filter(|process_id| !others.contains(process_id)).count()
    }
}
