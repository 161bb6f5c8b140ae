//! Making the target's large objects equal the source's.

use atalaya_data::quote_identifier;
use atalaya_postgres::Session;

use super::listing::{self, LargeObject, Listed, PIECE_BYTES};
use crate::progress::Store;
use crate::report::{Event, Observer};
use crate::{Error, Plan};

/// Its presence says that large objects are part of the move.
const STEP: &str = "large objects";
/// OIDs that a refusal names.
const NAMED: usize = 5;

/// Whether they were brought over.
pub(crate) async fn are_there(store: &Store<'_>) -> Result<bool, Error> {
    store.has_step(STEP).await
}

/// Brings every large object that the target lacks or has with other bytes; each in a transaction of its own.
pub(crate) async fn bring(
    plan: &Plan,
    source: &Session,
    store: &Store<'_>,
    no_owner: bool,
    observer: &dyn Observer,
) -> Result<(), Error> {
    observer.observe(&Event::Phase { phase: "large objects" });
    let (mut objects, mut bytes) = (0, 0);
    let mut pages = Pages::new(source, store.session);
    while let Some((ours, theirs)) = pages.next().await? {
        for (oid, object) in &ours {
            if theirs.get(oid).is_some_and(|there| there.same_bytes(object)) {
                continue;
            }
            let exists = theirs.contains_key(oid);
            bring_one(source, store, *oid, object, exists, no_owner).await?;
            plan.options.failpoints.reach("large-object-brought");
            objects += 1;
            bytes += u64::try_from(object.bytes).unwrap_or_default();
        }
    }
    observer.observe(&Event::LargeObjects { objects, bytes });
    if !store.has_step(STEP).await? {
        store.session.batch(&store.step_sql(STEP)).await?;
    }
    Ok(())
}

/// Refuses to end a move whose large objects are not equal; nothing where they are no part of it.
pub(crate) async fn refuse_different(source: &Session, store: &Store<'_>) -> Result<(), Error> {
    if !store.has_step(STEP).await? {
        return Ok(());
    }
    let (mut count, mut named) = (0_u64, Vec::new());
    let mut pages = Pages::new(source, store.session);
    while let Some((ours, theirs)) = pages.next().await? {
        let missing =
            ours.iter().filter(|(oid, object)| !theirs.get(oid).is_some_and(|there| there.same_bytes(object)));
        let extra = theirs.keys().filter(|oid| !ours.contains_key(oid));
        for oid in missing.map(|(oid, _)| oid).chain(extra) {
            count += 1;
            if named.len() < NAMED {
                named.push(oid.to_string());
            }
        }
    }
    if count == 0 {
        return Ok(());
    }
    Err(Error::refused(
        "large-objects-changed",
        format!("{count} large objects are not the same on both sides, with the OIDs {} first", named.join(", ")),
        "stop what writes them, and run `atalaya migrate finish --copy-large-objects`, which brings them again; one that only \
         the target has is removed there by `SELECT lo_unlink(OID)`",
    ))
}

/// Both sides' large objects, some OIDs at a time.
struct Pages<'a> {
    source: &'a Session,
    target: &'a Session,
    after: u32,
    ended: bool,
}

impl<'a> Pages<'a> {
    fn new(source: &'a Session, target: &'a Session) -> Self {
        Self { source, target, after: 0, ended: false }
    }

    async fn next(&mut self) -> Result<Option<(Listed, Listed)>, Error> {
        if self.ended {
            return Ok(None);
        }
        let (on_source, source_ends) = listing::next_ids(self.source, self.after).await?;
        let (on_target, target_ends) = listing::next_ids(self.target, self.after).await?;
        // Up to the lesser of both ends, so that neither side has more than it lists at once.
        let to = match (source_ends, target_ends) {
            (true, true) => None,
            (false, true) => on_source,
            (true, false) => on_target,
            (false, false) => on_source.min(on_target),
        };
        let ours = listing::list(self.source, self.after, to).await?;
        let theirs = listing::list(self.target, self.after, to).await?;
        match to {
            None => self.ended = true,
            Some(to) => self.after = to,
        }
        Ok(Some((ours, theirs)))
    }
}

async fn bring_one(
    source: &Session,
    store: &Store<'_>,
    oid: u32,
    object: &LargeObject,
    exists: bool,
    no_owner: bool,
) -> Result<(), Error> {
    let target = store.session;
    let brought = async {
        let unlink = if exists { format!("SELECT pg_catalog.lo_unlink({oid});") } else { String::new() };
        target.batch(&format!("BEGIN; {}; {unlink} SELECT pg_catalog.lo_create({oid});", store.marker_sql())).await?;
        let mut at = 0_i64;
        while at < object.bytes {
            let row = source.query_opt("SELECT pg_catalog.lo_get($1, $2, $3)", &[&oid, &at, &PIECE_BYTES]).await?;
            let piece: Vec<u8> = row.map(|row| row.get(0)).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            target.execute("SELECT pg_catalog.lo_put($1, $2, $3)", &[&oid, &at, &piece]).await?;
            at += i64::from(PIECE_BYTES);
        }
        let mut rights = String::new();
        if !no_owner {
            rights = object.grants.iter().map(|grant| format!("GRANT {grant};")).collect();
            rights += &format!("ALTER LARGE OBJECT {oid} OWNER TO {};", quote_identifier(&object.owner));
        }
        target.batch(&format!("{rights} COMMIT")).await
    };
    let brought: Result<(), atalaya_postgres::Error> = brought.await;
    if brought.is_err() {
        // The error is what counts; a session that is lost has rolled back already.
        let _rolled_back = target.batch("ROLLBACK").await;
    }
    Ok(brought?)
}
