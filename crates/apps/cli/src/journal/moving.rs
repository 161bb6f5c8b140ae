//! A migration as the journal and the target know it.

use atalaya_data::MigrationId;
use atalaya_migration::{Idle, Known, MigrationEvent, Migrations, Reached, Subject};
use atalaya_replicate::Status;

use super::Journal;
use crate::endpoints::Endpoints;
use crate::exit::{self, Failure};
use crate::global::Context;

/// What the arguments or the estate file name.
pub(crate) fn subject_of(endpoints: &Endpoints) -> Subject {
    Subject::new(endpoints.name.clone(), &endpoints.source, &endpoints.target)
}

/// What the target says of a migration.
pub(crate) fn known_of(endpoints: &Endpoints, status: &Status) -> Result<Known, Failure> {
    let id = MigrationId::of_slot(&endpoints.name, &status.slot.name).ok_or_else(|| Failure {
        code: exit::REFUSED,
        message: format!("the slot `{}` of the migration is not named as a slot of ours", status.slot.name),
        hint: Some("somebody has changed the table atalaya.migration on the target".to_owned()),
    })?;
    let reached = match status.phase.as_str() {
        "created" => Reached::Begun,
        "copy" => Reached::Copy,
        "finished" => Reached::Finished,
        _ => Reached::Stream,
    };
    Ok(Known { id, reached })
}

/// Writes down what was done about a migration that the target knows, where there is a journal. What was done is done:
/// that it cannot be written down is told, and no failure.
pub(crate) async fn note(endpoints: &Endpoints, status: &Status, events: &[MigrationEvent], context: &Context) {
    let noting = async {
        let Some(journal) = Journal::existing(context).await? else { return Ok(()) };
        let migrations = Migrations::open(journal.store.clone(), journal.tables.clone(), std::sync::Arc::new(Idle))?;
        if let Some(operation) = migrations.find(&subject_of(endpoints), Some(known_of(endpoints, status)?)).await? {
            operation.note(events).await?;
        }
        journal.close().await;
        Ok::<_, Failure>(())
    };
    if let Err(failure) = noting.await {
        context.note(&format!("warning: it is not written down in the journal: {}", failure.message));
    }
}
