//! The start of a run: what is stored is compared with the source and with the spool, before anything is touched.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use atalaya_data::Lsn;
use rand::RngExt;
use tokio::task::spawn_blocking;

use super::format::Identity;
use super::receiver::{Context, Notes, Receiver};
use super::verify::{Promise, missing, verify};
use super::writer::{Durability, Start, Writer};
use super::{Acknowledgement, file_error, folder, segment, shared};
use crate::progress::{Migration, Phase, Received, Store, check_position, check_source};
use crate::report::{Event, Observer};
use crate::run::Connected;
use crate::schema::create_private;
use crate::{Error, Plan};

/// What a run begins with.
pub(crate) struct Begun {
    /// Reads the stream while rows are copied; none where nothing is spooled.
    pub(crate) receiver: Option<Receiver>,
    /// What it has to say.
    pub(crate) notes: Option<Notes>,
}

/// Checks source, slot and spool against what is stored, and starts to receive where changes go to a spool: while rows
/// are copied, and as long as the target has not applied what the source was told that we have.
///
/// # Errors
/// Refuses when changes would be missing.
pub(crate) async fn begin(
    plan: &Plan,
    connected: &Connected,
    store: &Store<'_>,
    migration: &Migration,
    observer: &dyn Observer,
) -> Result<Begun, Error> {
    check_source(&connected.source, migration).await?;
    let applied = store.applied().await?;
    let received = store.received().await?;
    let promised = received.as_ref().filter(|received| received.position > applied);
    let stored = promised.map_or(Lsn::ZERO, |received| received.position);
    check_position(&connected.source, migration, applied.max(stored)).await?;
    store.write_spool_figures(None).await?;
    let path = folder(&plan.options.work_folder, &migration.slot);
    if promised.is_none() {
        if received.is_some() {
            store.forget_received().await?;
        }
        if migration.phase != Phase::Copy || plan.options.spool.limit_bytes == 0 {
            shared::remove(&path)?;
            return Ok(Begun { receiver: None, notes: None });
        }
    }
    let acknowledgement = plan.options.spool.acknowledgement;
    warn(acknowledgement, promised, &path, observer);
    let identity = Identity {
        spool: promised.map_or_else(|| format!("{:032x}", rand::rng().random::<u128>()), |known| known.spool.clone()),
        migration: plan.name.to_string(),
        slot: migration.slot.clone(),
        system_identifier: migration.identity.system_identifier,
        timeline: migration.identity.timeline,
    };
    let spool = identity.spool.clone();
    let durability = match (promised, acknowledgement) {
        (None, Acknowledgement::Applied) => Durability::Cache,
        _ => Durability::Kept,
    };
    let limit_bytes = plan.options.spool.limit_bytes;
    let failpoints = plan.options.failpoints.clone();
    let promise = promised.map(|known| Promise { identity: identity.clone(), applied, received: known.position });
    let opening = spawn_blocking(move || {
        open(&path, promise, applied, durability, |lock| Start { identity, durability, limit_bytes, failpoints, lock })
    });
    let writer = match opening.await.map_err(|_| Error::Broken("the spool could not be opened"))? {
        Ok(writer) => writer,
        // Nothing depends on it yet.
        Err(error @ Error::File { .. }) if promised.is_none() => {
            let text = format!(
                "nothing is spooled, the source keeps its log while rows are copied: {}",
                atalaya_data::chain(&error)
            );
            observer.observe(&Event::Warning { text });
            return Ok(Begun { receiver: None, notes: None });
        }
        Err(error) => return Err(error),
    };
    let context = Context {
        source: plan.source.clone(),
        target: plan.target.clone(),
        migration: migration.clone(),
        spool,
        acknowledgement,
        limit_bytes,
        reconnects: plan.options.reconnects,
        failpoints: plan.options.failpoints.clone(),
    };
    let (receiver, notes) = Receiver::start(context, writer, applied, applied.max(stored));
    Ok(Begun { receiver: Some(receiver), notes: Some(notes) })
}

/// How long an interrupted run of this very process may take to leave the files.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Takes the folder for this run alone, then makes a spool anew or goes on with the one that was promised.
fn open(
    path: &Path,
    promise: Option<Promise>,
    applied: Lsn,
    durability: Durability,
    start: impl FnOnce(File) -> Start,
) -> Result<Writer, Error> {
    let Some(promise) = promise else {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        let safe = |()| if durability == Durability::Kept { sync_folders_above(path) } else { Ok(()) };
        made.and_then(safe).map_err(|error| file_error("create", path, error))?;
        let lock = lock(path)?;
        for sequence in segment::list(path).map_err(|error| file_error("read", path, error))? {
            let file = segment::path(path, sequence);
            std::fs::remove_file(&file).map_err(|error| file_error("remove", &file, error))?;
        }
        return Writer::create(start(lock), path, applied);
    };
    if !path.is_dir() {
        return Err(missing(path, &promise));
    }
    let start = start(lock(path)?);
    let (shared, mark) = verify(path, &promise, start.failpoints.clone())?;
    Writer::resume(start, shared, mark)
}

/// A folder that was just made is there after a power cut only once the ones above are on disk: the migration's, that of
/// all migrations, the state folder and where it stands.
fn sync_folders_above(path: &Path) -> std::io::Result<()> {
    const LEVELS: usize = 4;
    for folder in path.ancestors().skip(1).take(LEVELS) {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match File::open(here) {
            Ok(open) => open.sync_all()?,
            // One that may be passed but not read was not made by us.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, Error> {
    let path = path.join("lock");
    let file = create_private(&path).map_err(|error| file_error("create", &path, error))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(file_error("lock", &path, error)),
        }
    }
    Err(Error::refused(
        "spool-in-use",
        format!("another process writes to the spool in `{}`", path.display()),
        "see which one: `fuser` names it; two migrations of one slot cannot be",
    ))
}

fn warn(acknowledgement: Acknowledgement, promised: Option<&Received>, path: &Path, observer: &dyn Observer) {
    let text = match (acknowledgement, promised) {
        (Acknowledgement::Applied, None) => return,
        (Acknowledgement::Received, _) => format!(
            "--ack-spool: the source's log is freed as changes reach `{}`; from then on the move depends on this disk, \
             and losing the folder means starting the move again",
            path.display()
        ),
        (Acknowledgement::Applied, Some(received)) => format!(
            "an earlier run had the source free its log up to {}: this run reads what was spooled from `{}`, and \
             without --ack-spool frees no more of it before it is applied",
            received.position,
            path.display()
        ),
    };
    observer.observe(&Event::Warning { text });
}
