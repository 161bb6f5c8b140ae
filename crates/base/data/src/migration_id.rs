//! Which migration, among all that ever had its name.

use std::fmt;
use std::str::FromStr;

use crate::MigrationName;

/// A migration's name with the number that was drawn when it began. Its slot is called after both, so that the target's
/// row, the source's slot and the journal speak of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MigrationId {
    name: MigrationName,
    number: u32,
}

/// The text is no identity of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a migration's identity is its name, `-` and 8 hexadecimal digits")]
pub struct MigrationIdError;

impl MigrationId {
    /// The migration of this name that drew this number.
    #[must_use]
    pub const fn new(name: MigrationName, number: u32) -> Self {
        Self { name, number }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &MigrationName {
        &self.name
    }

    /// `atalaya_<name>_<8 hex digits>`; a slot's name has no `-`.
    #[must_use]
    pub fn slot_name(&self) -> String {
        format!("atalaya_{}_{:08x}", self.name.replace('-', "_"), self.number)
    }

    /// The migration of a name that a slot belongs to, if it does.
    #[must_use]
    pub fn of_slot(name: &MigrationName, slot: &str) -> Option<Self> {
        let (_, digits) = slot.rsplit_once('_')?;
        let found = Self { name: name.clone(), number: number(digits)? };
        (found.slot_name() == slot).then_some(found)
    }
}

fn number(digits: &str) -> Option<u32> {
    if digits.len() == 8 { u32::from_str_radix(digits, 16).ok() } else { None }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:08x}", self.name, self.number)
    }
}

impl FromStr for MigrationId {
    type Err = MigrationIdError;

    fn from_str(text: &str) -> Result<Self, MigrationIdError> {
        let (name, digits) = text.rsplit_once('-').ok_or(MigrationIdError)?;
        let name = name.parse().map_err(|_| MigrationIdError)?;
        let found = Self { name, number: number(digits).ok_or(MigrationIdError)? };
        if found.to_string() == text { Ok(found) } else { Err(MigrationIdError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_from_its_text_and_from_its_slot() {
        let id = MigrationId::new("orders-to-18".parse().unwrap(), 0x0a1b_2c3d);
        assert_eq!(id.to_string(), "orders-to-18-0a1b2c3d");
        assert_eq!(id.slot_name(), "atalaya_orders_to_18_0a1b2c3d");
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        // With `_append` a publication's name stays whole, too.
        let longest = MigrationId::new("x".repeat(39).parse().unwrap(), 1);
        assert!(longest.slot_name().len() + "_append".len() <= 63);
        assert_eq!(MigrationId::of_slot(id.name(), &id.slot_name()), Some(id.clone()));
        for slot in ["atalaya_other_0a1b2c3d", "atalaya_orders_to_18_0a1b2c", "atalaya_orders_to_18_+a1b2c3d", "", "_"]
        {
            assert_eq!(MigrationId::of_slot(id.name(), slot), None, "{slot}");
        }
        for text in ["orders", "orders-", "orders-0A1B2C3D", "-0a1b2c3d", "orders-+a1b2c3d"] {
            assert_eq!(text.parse::<MigrationId>(), Err(MigrationIdError), "{text}");
        }
    }
}
