//! Every check in one list, put together from the families when compiled.

use crate::Check;

use super::{
    activity, capacity, collations, conflicts, event_trigger, extensions, identity, objects, privileges, roles,
    row_security, standby, tables, target, triggers, versions, wal,
};

const FAMILIES: &[&[Check]] = &[
    versions::CHECKS,
    wal::CHECKS,
    capacity::CHECKS,
    privileges::CHECKS,
    standby::CHECKS,
    event_trigger::CHECKS,
    tables::CHECKS,
    row_security::CHECKS,
    identity::CHECKS,
    conflicts::CHECKS,
    triggers::CHECKS,
    objects::CHECKS,
    extensions::CHECKS,
    collations::CHECKS,
    roles::CHECKS,
    activity::CHECKS,
    target::CHECKS,
];

/// Every check, in the order of the report.
pub static ALL: std::sync::LazyLock<Vec<&'static Check>> =
    std::sync::LazyLock::new(|| FAMILIES.iter().flat_map(|family| family.iter()).collect());

/// The check with that id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Check> {
    ALL.iter().copied().find(|check| check.id == id)
}
