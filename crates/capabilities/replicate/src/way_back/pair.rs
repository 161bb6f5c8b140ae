//! What each direction's row says of the other one, and whether both still know what is not to go round.

use std::collections::BTreeSet;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;
use crate::progress::{Migration, Store};

/// One of both servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The one that is being moved from.
    #[default]
    Source,
    /// The one that is being moved to.
    Target,
}

/// How far the way back has been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Made {
    /// Something of it may stand on either side.
    Partly,
    /// Changes of the new server are kept for the old one.
    Wholly,
}

/// What the forward migration's row on the target says of the way back.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Known {
    /// Slot and publication on the target.
    pub(super) slot: String,
    pub(super) made: Made,
    /// When it was made, as the target writes it.
    #[serde(default)]
    pub(super) since: Option<String>,
    /// The old server's `atalaya.progress` in the forward publication.
    #[serde(default)]
    pub(super) entry: Option<u32>,
    /// Why it does not run any more, where it has ended for good.
    #[serde(default)]
    pub(super) stopped: Option<String>,
    /// Since when, as the target writes it.
    #[serde(default)]
    pub(super) stopped_at: Option<String>,
    /// Tables that only the target had when it was made; none where an earlier version has made it.
    #[serde(default)]
    pub(super) alone: Option<BTreeSet<RelationName>>,
}

/// What the way back's row on the source says of the forward migration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct BackOf {
    /// The forward migration's slot: which one of that name it is.
    pub(super) slot: String,
    /// The new server's `atalaya.progress` in the way back's publication.
    pub(super) entry: Option<u32>,
}

async fn read_option<T: serde::de::DeserializeOwned>(store: &Store<'_>, option: &str) -> Result<Option<T>, Error> {
    let sql = "SELECT (options -> $2)::text FROM atalaya.migration WHERE name = $1";
    let row = store.session.query_opt(sql, &[&store.name, &option]).await?;
    let Some(text) = row.and_then(|row| row.get::<_, Option<String>>(0)) else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|_| {
        Error::refused(
            "unreadable-state",
            format!("atalaya.migration holds a value in `options.{option}` that this version cannot read"),
            "use the version of atalaya that began this migration",
        )
    })
}

impl Known {
    const OPTION: &'static str = "way_back";

    /// Reads it on the target; none where no way back is made or being made.
    pub(super) async fn read(target: &Store<'_>) -> Result<Option<Self>, Error> {
        read_option(target, Self::OPTION).await
    }

    pub(super) async fn write(&self, target: &Store<'_>) -> Result<(), Error> {
        target.merge_options(&serde_json::json!({ Self::OPTION: self })).await
    }

    pub(super) async fn forget(target: &Store<'_>) -> Result<(), Error> {
        let sql = "UPDATE atalaya.migration SET options = options - $2 WHERE name = $1";
        target.session.execute(sql, &[&target.name, &Self::OPTION]).await?;
        Ok(())
    }
}

impl BackOf {
    const OPTION: &'static str = "way_back_of";

    /// Reads it on the source; none where the row there is no way back.
    pub(super) async fn read(source: &Store<'_>) -> Result<Option<Self>, Error> {
        read_option(source, Self::OPTION).await
    }

    pub(super) async fn write(&self, source: &Store<'_>) -> Result<(), Error> {
        source.merge_options(&serde_json::json!({ Self::OPTION: self })).await
    }
}

/// A direction whose opposite stands, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The entry of the read side's `atalaya.progress` in the publication.
    entry: u32,
}

impl Pair {
    /// Reads whether the opposite direction stands, and refuses to go on where what it writes could not be known.
    pub(crate) async fn check(
        source: &Session,
        migration: &Migration,
        store: &Store<'_>,
    ) -> Result<Option<Self>, Error> {
        let Some(pair) = Self::read(store).await? else { return Ok(None) };
        if marker_entry(source, &migration.publication).await? == Some(pair.entry) {
            return Ok(Some(pair));
        }
        // The way back may have been removed just now.
        let Some(still) = Self::read(store).await? else { return Ok(None) };
        if still != pair {
            return Ok(Some(still));
        }
        Err(Error::refused(
            "marker-not-published",
            format!(
                "publication `{}` does not publish atalaya.progress any more, or did not for a while: what the opposite \
                 direction writes cannot be told from what others write",
                migration.publication
            ),
            "remove the way back and make it anew while clients are on the old server: `atalaya migrate way-back remove`",
        ))
    }

    async fn read(store: &Store<'_>) -> Result<Option<Self>, Error> {
        let row = store
            .session
            .query_opt(
                "SELECT coalesce(CASE WHEN options -> 'way_back' ->> 'made' = 'wholly'
                                      THEN (options -> 'way_back' ->> 'entry')::oid END,
                                 (options -> 'way_back_of' ->> 'entry')::oid)
                   FROM atalaya.migration WHERE name = $1",
                &[&store.name],
            )
            .await?;
        Ok(row.and_then(|row| row.get::<_, Option<u32>>(0)).map(|entry| Self { entry }))
    }
}

/// The entry of `atalaya.progress` in a publication, where it publishes its updates.
pub(super) async fn marker_entry(server: &Session, publication: &str) -> Result<Option<u32>, Error> {
    let row = server
        .query_opt(
            "SELECT r.oid FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
              WHERE p.pubname = $1 AND p.pubupdate AND r.prrelid = pg_catalog.to_regclass('atalaya.progress')
                AND to_jsonb(r) ->> 'prqual' IS NULL AND to_jsonb(r) ->> 'prattrs' IS NULL",
            &[&publication],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// Refuses a forward run where the row of its name is another move's way back.
pub(crate) async fn refuse_taken_name(store: &Store<'_>) -> Result<(), Error> {
    match BackOf::read(store).await? {
        None => Ok(()),
        Some(_) => Err(Error::refused(
            "name-taken",
            format!("`{}` is the way back of a move away from this server", store.name),
            "give this move another name",
        )),
    }
}

/// The way back's slot on the target, where there is one.
pub(crate) async fn slot(target: &Store<'_>) -> Result<Option<String>, Error> {
    Ok(Known::read(target).await?.map(|known| known.slot))
}

/// Beside what is known of the way back, since clients stay where they are when that is removed.
const SERVING: &str = "serving";

/// The server that clients are led to.
pub(crate) async fn serving(target: &Store<'_>) -> Result<Side, Error> {
    Ok(read_option(target, SERVING).await?.unwrap_or_default())
}

/// Refuses what may only be done while clients are on the old server.
pub(crate) async fn refuse_led_over(target: &Store<'_>, what: &str, remedy: &'static str) -> Result<(), Error> {
    match serving(target).await? {
        Side::Source => Ok(()),
        Side::Target => {
            Err(Error::refused("clients-led-over", format!("clients are on the new server, and {what}"), remedy))
        }
    }
}

/// Writes down which server clients are led to.
pub(crate) async fn write_serving(target: &Session, migration: &str, side: Side) -> Result<(), Error> {
    let store = Store { session: target, name: migration };
    if store.read().await?.is_none() {
        return Err(Error::refused(
            "unknown-migration",
            format!("there is no migration `{migration}`"),
            "see `atalaya migrate status`",
        ));
    }
    store.merge_options(&serde_json::json!({ SERVING: side })).await
}
