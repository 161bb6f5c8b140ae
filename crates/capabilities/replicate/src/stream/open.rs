//! Opening the source's stream: what every connection that reads a migration's slot has in common.

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::wire::{ReplicationStream, WireConnection, WireOptions};
use atalaya_postgres::{Session, settings};

use super::{InProgress, pgoutput_options};
use crate::Error;
use crate::progress::Migration;

/// Opens the stream of one migration's slot, as often as it takes.
#[derive(Clone, Debug)]
pub(crate) struct StreamOpener {
    url: ConnectionUrl,
    application_name: String,
    slot: String,
    options: Vec<(String, String)>,
}

impl StreamOpener {
    /// Asks the source for what the stream's options depend on.
    ///
    /// # Errors
    /// Refuses when no publication is left.
    pub(crate) async fn prepare(
        url: &ConnectionUrl,
        migration: &Migration,
        source: &Session,
        in_progress: InProgress,
    ) -> Result<Self, Error> {
        let append = migration.append_publication();
        let publications = existing_publications(source, &[migration.publication.as_str(), append.as_str()]).await?;
        let publications: Vec<&str> = publications.iter().map(String::as_str).collect();
        Ok(Self {
            url: url.clone(),
            application_name: format!("atalaya stream {}", migration.name),
            slot: migration.slot.clone(),
            options: pgoutput_options(source.major(), &publications, in_progress),
        })
    }

    /// Opens the stream at a position that is at least what the slot has confirmed: a server skips in silence.
    pub(crate) async fn open(&self, start: Lsn) -> Result<ReplicationStream, Error> {
        let options = WireOptions {
            application_name: self.application_name.clone(),
            replication: true,
            settings: settings::as_pairs(),
            ..WireOptions::default()
        };
        let connection = WireConnection::connect(&self.url, &options).await?;
        Ok(connection.start_replication(&self.slot, start, &self.options).await?)
    }
}

async fn existing_publications(source: &Session, names: &[&str]) -> Result<Vec<String>, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let rows = source
        .query("SELECT pubname::text FROM pg_catalog.pg_publication WHERE pubname = ANY ($1) ORDER BY 1", &[&names])
        .await?;
    if rows.is_empty() {
        return Err(Error::refused(
            "publication-missing",
            "the migration's publication is gone from the source",
            "changes may be missing; `atalaya migrate abort` and start the move again",
        ));
    }
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
