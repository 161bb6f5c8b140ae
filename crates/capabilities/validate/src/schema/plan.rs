//! What is asked of a comparison of schemas.

use atalaya_estate::ConnectionUrl;

use crate::TableFilter;

/// Two databases whose schemas are compared.
#[derive(Clone, Debug)]
pub struct SchemaPlan {
    /// The side that is right by definition.
    pub source: ConnectionUrl,
    /// The side that is checked.
    pub target: ConnectionUrl,
    /// The migration between them; when the target knows it, what its end restores is pending.
    pub migration: Option<String>,
    /// Which tables count, by name; a partition goes with its root, other objects with the schemas of these tables.
    pub tables: TableFilter,
    /// Whether owners and privileges are left out, as by a move that left them behind.
    pub no_owner: bool,
}
