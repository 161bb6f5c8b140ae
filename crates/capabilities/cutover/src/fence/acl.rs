//! Who has which right on a database, from whom, and in which order: all of it can be made again by GRANT.
//!
//! Pure: what a server says is read elsewhere. Every right is kept, since an entry whose last right is revoked loses its
//! place in the list, and what stands behind it has to be revoked and granted again to come back in the old order.

use atalaya_data::quote_identifier;

/// A right on a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privilege {
    /// To create schemas.
    Create,
    /// To create temporary tables.
    Temporary,
    /// To log in to it.
    Connect,
}

impl Privilege {
    pub(super) const ALL: [Self; 3] = [Self::Create, Self::Temporary, Self::Connect];

    /// As SQL has it, and as `aclexplode` says it.
    #[must_use]
    pub const fn as_sql(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Temporary => "TEMPORARY",
            Self::Connect => "CONNECT",
        }
    }

    /// The right of a name that `aclexplode` has said.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|privilege| privilege.as_sql() == text)
    }
}

/// Whether whoever has a right may give it to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantable {
    /// Only the owner may.
    No,
    /// WITH GRANT OPTION.
    Yes,
}

/// Who has a right.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// Everybody.
    Public,
    /// A role and its members.
    Role(String),
}

impl Grantee {
    pub(super) fn is(&self, role: &str) -> bool {
        matches!(self, Self::Role(name) if name == role)
    }

    pub(super) fn to_sql(&self) -> String {
        match self {
            Self::Public => "PUBLIC".to_owned(),
            Self::Role(name) => quote_identifier(name),
        }
    }
}

/// What one grantor has given to one grantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who has it.
    pub grantee: Grantee,
    /// Who gave it.
    pub grantor: String,
    /// What, each right once.
    pub rights: Vec<(Privilege, Grantable)>,
}

impl Entry {
    pub(super) fn has(&self, privilege: Privilege) -> Option<Grantable> {
        self.rights.iter().find(|(of, _)| *of == privilege).map(|(_, grantable)| *grantable)
    }

    fn gives_on(&self, privilege: Privilege, to: &str) -> bool {
        self.grantee.is(to) && self.has(privilege) == Some(Grantable::Yes)
    }
}

/// The places of the entries that have a right, in an order in which each can be revoked while nobody depends on it.
pub(super) fn revocable_order(entries: &[Entry], owner: &str, privilege: Privilege) -> Vec<usize> {
    let mut left: Vec<(usize, &Entry)> =
        entries.iter().enumerate().filter(|(_, entry)| entry.has(privilege).is_some()).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_free = |(_, entry): &&(usize, &Entry)| {
            !left.iter().any(|(_, other)| other.grantor != owner && entry.grantee.is(&other.grantor))
        };
        // No two depend on one another: a server does not let them come about.
        let place = left.iter().rev().find(is_free).or(left.last()).map(|(place, _)| *place);
        left.retain(|(other, _)| Some(*other) != place);
        order.extend(place);
    }
    order
}

/// The places of the entries in an order in which each can be granted: their own, unless somebody gives on what he got later.
pub(super) fn grantable_order(entries: &[Entry], owner: &str) -> Vec<usize> {
    let mut left: Vec<usize> = (0..entries.len()).collect();
    let mut order: Vec<usize> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let can_be_given = |place: &usize| {
            entries.get(*place).is_some_and(|entry| {
                entry.grantor == owner
                    || entry.rights.iter().all(|(privilege, _)| {
                        let given = order.iter().filter_map(|place| entries.get(*place));
                        given.into_iter().any(|other| other.gives_on(*privilege, &entry.grantor))
                    })
            })
        };
        let place = left.iter().copied().find(can_be_given).or(left.first().copied());
        left.retain(|other| Some(*other) != place);
        order.extend(place);
    }
    order
}
