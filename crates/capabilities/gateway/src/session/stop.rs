//! Why looking through a client's requests stops.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The message is not all there yet.
    Incomplete,
    /// It has to wait: for a server, for the gate, or for answers.
    Later,
}
