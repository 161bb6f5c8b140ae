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
    #[arg(long)]
    pub(crate) exclude_large_objects: bool,
}
