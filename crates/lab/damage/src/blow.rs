//! What can be wrong with bytes that were right.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// No more bytes are put in, taken out or said again at a time.
const STRETCH_BYTES_MAX: usize = 12;

/// Lengths and counts at which a careless reader would overflow, go back, or ask for all the memory there is.
const PROMISES: [u32; 10] = [0, 1, 3, 4, 0x0000_ffff, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// One thing that is broken. A place is taken modulo the bytes' length.
#[derive(Clone, Debug)]
pub enum Blow {
    /// A byte is another one.
    Flip {
        /// Where.
        at: Index,
        /// The bits that differ; not 0.
        bits: u8,
    },
    /// The rest does not come.
    Cut {
        /// From where on.
        at: Index,
    },
    /// Four bytes promise what is not there, or less than there is.
    Promise {
        /// Where they begin.
        at: Index,
        /// What they say.
        length: u32,
    },
    /// Something is put in between.
    Insert {
        /// Before what.
        at: Index,
        /// What.
        bytes: Vec<u8>,
    },
    /// Something is left out.
    Remove {
        /// From where on.
        at: Index,
        /// How many bytes at most.
        count: usize,
    },
    /// Something is said again.
    Repeat {
        /// From where on.
        at: Index,
        /// How many bytes at most.
        count: usize,
    },
}

impl Blow {
    /// Breaks the bytes. Of no bytes only an insertion makes some.
    pub fn strike(&self, bytes: &mut Vec<u8>) {
        let place = |at: &Index| if bytes.is_empty() { 0 } else { at.index(bytes.len()) };
        let stretch = |at: &Index, count: usize| place(at)..bytes.len().min(place(at) + count);
        match self {
            Self::Flip { at, bits } => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Self::Cut { at } => bytes.truncate(place(at)),
            Self::Promise { at, length } => {
                let at = place(at);
                for (byte, said) in bytes.iter_mut().skip(at).zip(length.to_be_bytes()) {
                    *byte = said;
                }
            }
            Self::Insert { at, bytes: more } => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove { at, count } => {
                let gone = stretch(at, *count);
                bytes.drain(gone);
            }
            Self::Repeat { at, count } => {
                let said = stretch(at, *count);
                let again = bytes.get(said.clone()).unwrap_or_default().to_vec();
                bytes.splice(said.end..said.end, again);
            }
        }
    }
}

/// Any of them.
pub fn blow() -> impl Strategy<Value = Blow> {
    let at = any::<Index>;
    let count = || 1..STRETCH_BYTES_MAX;
    prop_oneof![
        (at(), 1..=u8::MAX).prop_map(|(at, bits)| Blow::Flip { at, bits }),
        at().prop_map(|at| Blow::Cut { at }),
        (at(), prop_oneof![select(&PROMISES[..]), any::<u32>()]).prop_map(|(at, length)| Blow::Promise { at, length }),
        (at(), vec(any::<u8>(), count())).prop_map(|(at, bytes)| Blow::Insert { at, bytes }),
        (at(), count()).prop_map(|(at, count)| Blow::Remove { at, count }),
        (at(), count()).prop_map(|(at, count)| Blow::Repeat { at, count }),
    ]
}

/// One of these, with one to three things broken. There has to be one at least.
pub fn damaged<Bytes: AsRef<[u8]>>(true_ones: impl IntoIterator<Item = Bytes>) -> impl Strategy<Value = Vec<u8>> {
    let true_ones: Vec<Vec<u8>> = true_ones.into_iter().map(|bytes| bytes.as_ref().to_vec()).collect();
    (select(true_ones), vec(blow(), 1..4)).prop_map(|(mut bytes, blows)| {
        for blow in blows {
            blow.strike(&mut bytes);
        }
        bytes
    })
}

/// Bytes that are more often a zero and a letter than anything else, as texts of the protocol are.
pub fn texts() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), Just(0), Just(b'a'), Just(b'_'), Just(0xff), any::<u8>()], 0..60)
}
