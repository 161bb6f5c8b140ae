//! Why a client keeps its server between transactions.

/// What ties a session to one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins(u8);

/// One such tie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Pin {
    /// Temporary tables, views, functions.
    TemporaryObjects = 1,
    /// LISTEN.
    Listening = 2,
    /// A cursor WITH HOLD.
    HeldCursor = 4,
    /// A session's advisory lock.
    AdvisoryLock = 8,
    /// Something that no query shows, or more than is carried; it ends with the session.
    Unseen = 16,
    /// A statement too large to be kept, until another takes its place.
    LargeStatement = 32,
}

impl Pin {
    /// Every tie, and its name for people.
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::TemporaryObjects, "temporary objects"),
        (Self::Listening, "LISTEN"),
        (Self::HeldCursor, "a cursor WITH HOLD"),
        (Self::AdvisoryLock, "an advisory lock"),
        (Self::Unseen, "a function that binds the session"),
        (Self::LargeStatement, "a large prepared statement"),
    ];
}

impl Pins {
    pub(crate) fn set(&mut self, pin: Pin) {
        self.0 |= pin as u8;
    }

    pub(crate) fn clear(&mut self, pin: Pin) {
        self.0 &= !(pin as u8);
    }

    pub(crate) fn has(self, pin: Pin) -> bool {
        self.0 & pin as u8 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Takes over what a look at the server found; what it cannot show stays as it was.
    pub(crate) fn found(&mut self, seen: Self) {
        let unseen = self.0 & (Pin::Unseen as u8 | Pin::LargeStatement as u8);
        self.0 = unseen | seen.0;
    }

    /// Their names.
    pub(crate) fn names(self) -> Vec<&'static str> {
        Pin::ALL.into_iter().filter(|(pin, _)| self.has(*pin)).map(|(_, name)| name).collect()
    }
}
