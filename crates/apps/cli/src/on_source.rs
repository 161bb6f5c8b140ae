//! What spares the source, and what is made on it; the same for the assessment and for the move itself.

use atalaya_data::MigrationId;
use atalaya_estate::ConnectionUrl;
use rand::RngExt;

use crate::endpoints::{Endpoints, resolve_url};
use crate::exit::Failure;
use crate::global::Context;

/// How a move is told of it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OnSourceArguments {
    /// Make an event trigger on the source, which tells of each statement about a table within its own transaction: a
    /// refusal names the statement and who ran it, and rewrites with other values are seen, too. From version 14 of the
    /// source on; needs a superuser of the source, or the role that a managed service allows it to, which is tried in a
    /// transaction that is rolled back. It stays until `finish` or `abort`, also for runs without this option.
    #[arg(long)]
    ddl_trigger: bool,
    /// Read the rows of the copy, and the schema, from a physical standby of the source, to spare the source: a URL,
    /// `env:VARIABLE`, or `source` for the source itself, whatever the estate file says.
    ///
    /// The standby is PostgreSQL 16 or later and has wal_level = logical; its role may replicate. Changes still come from
    /// the source's own slot. With hot_standby_feedback off, a vacuum on the source may end the snapshot: tables that are
    /// not finished are then copied anew, as they are when the standby goes down. --source-active-limit looks at the
    /// standby; --source-connections counts the sessions on the source alone. To be given again to a start that goes on:
    /// without it what is left is copied from the source.
    #[arg(long, value_name = "URL")]
    snapshot_from: Option<String>,
}

/// What arguments and estate file say together.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnSource {
    /// The standby that rows and schema are read from.
    pub(crate) snapshot_from: Option<ConnectionUrl>,
    /// Whether an event trigger is made.
    pub(crate) ddl_trigger: bool,
}

impl OnSourceArguments {
    /// Arguments win over the estate file.
    pub(crate) fn resolve(&self, endpoints: &Endpoints, context: &Context) -> Result<OnSource, Failure> {
        let snapshot_from = match self.snapshot_from.as_deref() {
            None => endpoints.snapshot_from.clone(),
            Some("source") => None,
            Some(text) => Some(resolve_url(text, "--snapshot-from", context)?),
        };
        Ok(OnSource { snapshot_from, ddl_trigger: self.ddl_trigger || endpoints.ddl_trigger })
    }
}

/// Has the replicator try its own trigger for the assessment.
pub(crate) struct TriggerTrial(MigrationId);

impl TriggerTrial {
    /// Under the name that the move would give it, but for its number.
    pub(crate) fn of(endpoints: &Endpoints) -> Self {
        Self(MigrationId::new(endpoints.name.clone(), rand::rng().random()))
    }
}

impl atalaya_assess::EventTriggerTrial for TriggerTrial {
    fn try_out<'a>(&'a self, source: &'a ConnectionUrl) -> atalaya_assess::Trying<'a> {
        Box::pin(async move {
            match atalaya_replicate::try_event_trigger(source, &self.0).await {
                Ok(()) => Ok(None),
                Err(atalaya_replicate::Error::Refused { seen, hint, .. }) => {
                    Ok(Some(atalaya_assess::Obstacle { seen, remedy: hint }))
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}
