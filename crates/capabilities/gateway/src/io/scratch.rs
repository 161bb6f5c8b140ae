//! Buffers that a thread's sessions share, since no two of them work at once: an idle session holds none.

use std::cell::Cell;

/// Room for one read.
pub(crate) const SCRATCH_BYTES: usize = 128 << 10;
/// An assembly larger than this is given back to the allocator.
const ASSEMBLY_KEPT_BYTES: usize = 256 << 10;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static ASSEMBLY: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

/// Lends the thread's read buffer; its contents are of no use afterwards.
pub(crate) fn with_scratch<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = SCRATCH.take().unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice());
    let result = work(&mut buffer);
    SCRATCH.set(Some(buffer));
    result
}

/// The thread's buffer for messages that are put together anew. It goes back when this is dropped.
pub(crate) struct Assembly(pub(crate) Vec<u8>);

impl Assembly {
    /// Takes the buffer, empty.
    pub(crate) fn take() -> Self {
        Self(ASSEMBLY.take().unwrap_or_default())
    }
}

impl Drop for Assembly {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() <= ASSEMBLY_KEPT_BYTES {
            buffer.clear();
            ASSEMBLY.set(Some(buffer));
        }
    }
}
