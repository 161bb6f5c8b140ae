//! What a move is told of the target's schema; the same for the assessment and for the move itself.

use atalaya_estate::{ConflictRule, ConflictRules};

use crate::endpoints::Endpoints;

/// What moves with the rows, and what does not.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TermsArguments {
    /// Use the tables that the target has already, instead of restoring the schema.
    #[arg(long)]
    pub(crate) existing_schema: bool,
    /// Let restored objects belong to the target's role, without privileges, instead of to their owners.
    #[arg(long, conflicts_with = "existing_schema")]
    pub(crate) no_owner: bool,
    /// What is done with a row of the target that somebody else wrote: stop (the default), source-wins, target-wins or
    /// latest-wins:COLUMN; for some tables PATTERN=POLICY. May be repeated, the last that fits a table counts; once
    /// stored it stays until another is given.
    #[arg(long, value_name = "[PATTERN=]POLICY", value_parser = conflict_rule)]
    pub(crate) conflicts: Vec<ConflictRule>,
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

impl TermsArguments {
    /// The rules that the estate file and the arguments give; none where neither says anything.
    pub(crate) fn conflict_rules(&self, endpoints: &Endpoints) -> Option<ConflictRules> {
        let declared = endpoints.conflicts.clone();
        if self.conflicts.is_empty() {
            return declared;
        }
        Some(declared.unwrap_or_default().and(self.conflicts.clone()))
    }
}

fn conflict_rule(text: &str) -> Result<ConflictRule, String> {
    text.parse::<ConflictRule>().map_err(|error| format!("{error}: {}", error.hint()))
}
