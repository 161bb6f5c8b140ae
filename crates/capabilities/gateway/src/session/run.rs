//! What goes to the server: a run of the client's own bytes where nothing is changed, else put together anew.

use crate::io::Assembly;

/// Collects what is to be sent of one read. Nothing is copied until something has to be changed.
pub(super) struct Run<'a> {
    bytes: &'a [u8],
    start: usize,
    end: usize,
    assembly: Option<Assembly>,
}

impl<'a> Run<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, start: 0, end: 0, assembly: None }
    }

    /// Passes on bytes as they are.
    pub(super) fn pass(&mut self, from: usize, to: usize) {
        if self.start == self.end {
            self.start = from;
        } else if self.end != from {
            self.cut();
            self.start = from;
        }
        self.end = to;
    }

    /// A place for something else, after all that was passed on so far.
    pub(super) fn other(&mut self) -> &mut Vec<u8> {
        self.cut();
        &mut self.assembly.get_or_insert_with(Assembly::take).0
    }

    fn cut(&mut self) {
        if self.start < self.end {
            let run = self.bytes.get(self.start..self.end).unwrap_or_default();
            self.assembly.get_or_insert_with(Assembly::take).0.extend_from_slice(run);
        }
        self.start = 0;
        self.end = 0;
    }

    /// Everything in its order.
    pub(super) fn finished(&mut self) -> &[u8] {
        if self.assembly.is_some() {
            self.cut();
        }
        match &self.assembly {
            Some(assembly) => &assembly.0,
            None => self.bytes.get(self.start..self.end).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_bytes_are_not_copied() {
        let bytes = b"abcdef";
        let mut run = Run::new(bytes);
        run.pass(1, 3);
        run.pass(3, 5);
        assert_eq!(run.finished(), b"bcde");
        assert!(run.assembly.is_none());
    }

    #[test]
    fn changes_and_gaps_keep_the_order() {
        let bytes = b"abcdef";
        let mut run = Run::new(bytes);
        run.pass(0, 2);
        run.other().extend_from_slice(b"-");
        run.pass(2, 3);
        run.pass(5, 6);
        assert_eq!(run.finished(), b"ab-cf");
    }
}
