//! What the tables of one version are called.

/// The names of a version's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    version: u32,
}

impl Names {
    pub(super) fn new(version: u32) -> Self {
        Self { version }
    }

    /// A table of this version, quoted for SQL. Readers use the view of the table's own name.
    #[must_use]
    pub fn of(&self, table: &str) -> String {
        atalaya_data::quote_identifier(&format!("{table}__v{}", self.version))
    }
}
