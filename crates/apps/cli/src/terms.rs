//! What a move is told of the target's schema; the same for the assessment and for the move itself.

/// What moves with the rows, and what does not.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TermsArguments {
    /// Use the tables that the target has already, instead of restoring the schema.
    #[arg(long)]
    pub(crate) existing_schema: bool,
    /// Let restored objects belong to the target's role, without privileges, instead of to their owners.
    #[arg(long, conflicts_with = "existing_schema")]
    pub(crate) no_owner: bool,
    /// Large objects stay behind, on purpose.
    #[arg(long, conflicts_with = "copy_large_objects")]
    exclude_large_objects: bool,
    /// Bring large objects over once, before changes are followed. They are not in the stream of changes: `finish`
    /// compares them, and refuses when one has changed. Given to `finish`, they are brought once more.
    #[arg(long)]
    copy_large_objects: bool,
}

impl TermsArguments {
    /// What the assessment holds large objects against.
    pub(crate) fn assessed_large_objects(&self) -> atalaya_assess::LargeObjects {
        match (self.exclude_large_objects, self.copy_large_objects) {
            (true, _) => atalaya_assess::LargeObjects::Left,
            (_, true) => atalaya_assess::LargeObjects::Copied,
            _ => atalaya_assess::LargeObjects::Refused,
        }
    }

    /// What the move does with large objects.
    pub(crate) fn moved_large_objects(&self) -> atalaya_replicate::LargeObjects {
        if self.copy_large_objects {
            atalaya_replicate::LargeObjects::Copied
        } else {
            atalaya_replicate::LargeObjects::Left
        }
    }
}
