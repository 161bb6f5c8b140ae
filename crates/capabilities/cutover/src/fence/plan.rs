//! How a database is fenced and how the fence is lifted, decided before either is done.
//!
//! Pure. What lifts the fence is complete SQL that stands in the journal and beside the fence before it is raised: whoever
//! closes an epoch runs it, also where the process that raised it is gone.

use atalaya_data::{quote_identifier, quote_literal};

use super::acl::{Entry, Grantable, Grantee, Privilege, grantable_order, revocable_order};

/// Whether the fencing role is a superuser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Acts as the owner of everything, and is let in everywhere.
    Superuser,
    /// Has to be the owner, or a member of it.
    Ordinary,
}

/// A database's rights as they were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The database's name on its server.
    pub database: String,
    /// Its owner.
    pub owner: String,
    /// The list as the server writes it; none where nobody ever changed it, so that the server's own defaults hold.
    pub text: Option<String>,
    /// The list, or what the defaults are.
    pub entries: Vec<Entry>,
    /// The role that fences, and that is let in.
    pub role: String,
    /// What it may do.
    pub power: Power,
}

/// What raises a fence and what lifts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) rights: Rights,
    /// Statements in their order.
    pub(super) raising: Vec<String>,
    /// Statements in their order.
    pub(super) lifting: Vec<String>,
    /// What lets everybody in again where the rest of the list cannot be put in order: somebody has changed it meanwhile.
    pub(super) admitting: Vec<String>,
}

impl Plan {
    /// The plan for a database.
    #[must_use]
    pub fn of(rights: Rights) -> Self {
        let planner = Planner { rights: &rights, database: quote_identifier(&rights.database) };
        let (raising, lifting, admitting) = (planner.raising(), planner.lifting(), planner.admitting());
        Self { raising, lifting, admitting, rights }
    }

    /// The rights that it was made from.
    #[must_use]
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// What raises the fence, for people to read.
    #[must_use]
    pub fn raising(&self) -> &[String] {
        &self.raising
    }

    /// What gives everybody back what he had, for people to read.
    #[must_use]
    pub fn lifting(&self) -> &[String] {
        &self.lifting
    }

    /// Roles other than the owner that gave a right to others; the fencing role has to be able to act as them.
    pub fn grantors(&self) -> impl Iterator<Item = &str> {
        let given = self.rights.entries.iter().filter(|entry| entry.grantor != self.rights.owner);
        given.map(|entry| entry.grantor.as_str())
    }
}

struct Planner<'a> {
    rights: &'a Rights,
    database: String,
}

impl Planner<'_> {
    /// The entry by which the owner lets the fencing role in.
    fn is_ours(&self, entry: &Entry) -> bool {
        entry.grantor == self.rights.owner && entry.grantee.is(&self.rights.role)
    }

    /// Whether the fencing role has to be let in by the plan itself.
    fn lets_us_in(&self) -> bool {
        let is_in = |entry: &Entry| self.is_ours(entry) && entry.has(Privilege::Connect).is_some();
        self.rights.power == Power::Ordinary && !self.rights.entries.iter().any(is_in)
    }

    fn ours(&self) -> Grantee {
        Grantee::Role(self.rights.role.clone())
    }

    /// A statement as its grantor: rights belong to whom they were given by.
    fn by(&self, grantor: &str, statement: &str) -> String {
        let is_us = match self.rights.power {
            Power::Superuser => grantor == self.rights.owner,
            Power::Ordinary => grantor == self.rights.role,
        };
        if is_us {
            return format!("{statement};");
        }
        format!("SET LOCAL ROLE {}; {statement}; SET LOCAL ROLE NONE;", quote_identifier(grantor))
    }

    fn grant(&self, to: &Grantee, what: &[Privilege], grantable: Grantable, by: &str) -> String {
        let option = match grantable {
            Grantable::Yes => " WITH GRANT OPTION",
            Grantable::No => "",
        };
        let what = what.iter().map(|privilege| privilege.as_sql()).collect::<Vec<_>>().join(", ");
        self.by(by, &format!("GRANT {what} ON DATABASE {} TO {}{option}", self.database, to.to_sql()))
    }

    fn revoke(&self, from: &Grantee, what: Privilege, by: &str) -> String {
        self.by(by, &format!("REVOKE {} ON DATABASE {} FROM {}", what.as_sql(), self.database, from.to_sql()))
    }

    fn raising(&self) -> Vec<String> {
        let mut statements = Vec::new();
        if self.lets_us_in() {
            statements.push(self.grant(&self.ours(), &[Privilege::Connect], Grantable::No, &self.rights.owner));
        }
        let order = revocable_order(&self.rights.entries, &self.rights.owner, Privilege::Connect);
        let revoked = order.into_iter().filter_map(|place| self.rights.entries.get(place));
        let revoked = revoked.filter(|entry| !self.is_ours(entry));
        statements.extend(revoked.map(|entry| self.revoke(&entry.grantee, Privilege::Connect, &entry.grantor)));
        statements
    }

    /// What is left of an entry while the fence stands.
    fn remnant(&self, entry: &Entry) -> Entry {
        let mut left = entry.clone();
        if !self.is_ours(entry) {
            left.rights.retain(|(privilege, _)| *privilege != Privilege::Connect);
        }
        left
    }

    /// From where on entries have to be granted anew to stand in their old order.
    fn first_moved(&self, remnants: &[Entry]) -> usize {
        let first = remnants.iter().position(|entry| entry.rights.is_empty()).unwrap_or(remnants.len());
        let all_by_owner = self.rights.entries.iter().all(|entry| entry.grantor == self.rights.owner);
        if all_by_owner || first == remnants.len() { first } else { 0 }
    }

    fn lifting(&self) -> Vec<String> {
        let owner = &self.rights.owner;
        let remnants: Vec<Entry> = self.rights.entries.iter().map(|entry| self.remnant(entry)).collect();
        let first = self.first_moved(&remnants);
        let mut statements = Vec::new();
        let moved = remnants.get(first..).unwrap_or_default();
        for privilege in Privilege::ALL {
            let order = revocable_order(moved, owner, privilege).into_iter().filter_map(|place| moved.get(place));
            statements.extend(
                order.map(|entry| self.guarded(entry, &self.revoke(&entry.grantee, privilege, &entry.grantor))),
            );
        }
        if self.lets_us_in() {
            statements.push(self.revoke(&self.ours(), Privilege::Connect, owner));
        }
        for place in grantable_order(&self.rights.entries, owner) {
            let Some(entry) = self.rights.entries.get(place) else { continue };
            let lost =
                |privilege: &Privilege| place >= first || !self.is_ours(entry) && *privilege == Privilege::Connect;
            for grantable in [Grantable::Yes, Grantable::No] {
                let of = |privilege: &Privilege| entry.has(*privilege) == Some(grantable);
                let what: Vec<_> = Privilege::ALL.into_iter().filter(of).filter(lost).collect();
                if !what.is_empty() {
                    let grant = self.grant(&entry.grantee, &what, grantable, &entry.grantor);
                    statements.push(self.guarded(entry, &grant));
                }
            }
        }
        if self.rights.text.is_none() && self.rights.power == Power::Superuser {
            // No GRANT makes a list that was never there go away again.
            statements.push(
                "UPDATE pg_catalog.pg_database SET datacl = NULL WHERE datname = pg_catalog.current_database() \
                 AND datacl = pg_catalog.acldefault('d', datdba);"
                    .to_owned(),
            );
        }
        statements
    }

    fn admitting(&self) -> Vec<String> {
        let order = grantable_order(&self.rights.entries, &self.rights.owner);
        let entries = order.into_iter().filter_map(|place| self.rights.entries.get(place));
        let lost = entries.filter(|entry| !self.is_ours(entry));
        let granted = lost.filter_map(|entry| {
            let grantable = entry.has(Privilege::Connect)?;
            let grant = self.grant(&entry.grantee, &[Privilege::Connect], grantable, &entry.grantor);
            Some(self.guarded(entry, &grant))
        });
        granted.collect()
    }

    /// A role that was dropped meanwhile keeps nobody else from getting back what he had.
    fn guarded(&self, entry: &Entry, statement: &str) -> String {
        let grantor = (entry.grantor != self.rights.owner).then_some(entry.grantor.as_str());
        let grantee = match &entry.grantee {
            Grantee::Role(name) if *name != self.rights.owner => Some(name.as_str()),
            _ => None,
        };
        let there =
            |name: &str| format!("pg_catalog.to_regrole({}) IS NOT NULL", quote_literal(&quote_identifier(name)));
        let conditions: Vec<_> = grantor.into_iter().chain(grantee).map(there).collect();
        if conditions.is_empty() {
            return statement.to_owned();
        }
        format!("IF {} THEN {statement} END IF;", conditions.join(" AND "))
    }
}

#[cfg(test)]
mod tests;
