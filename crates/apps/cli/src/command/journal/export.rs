//! `atalaya journal export`.

use std::io::Write;
use std::path::{Path, PathBuf};

use atalaya_eventstore::checkpoint::{Exported, Folder, SigningKey};
use atalaya_eventstore::{Position, Read, Store, secret};
use serde_json::json;

use super::key::apart_from;
use super::shown::document;
use super::verify::{is_sound, report_of};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::Journal;
use crate::runtime;

/// Events of one page.
const PAGE: u32 = 2000;

/// Arguments of `atalaya journal export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya journal export --to /mnt/audit/journal --key /etc/atalaya/journal.key
  atalaya journal export --to /mnt/audit/journal --key /etc/atalaya/journal.key --events /mnt/audit/events.jsonl

Run it from a timer. The folder belongs to somebody whom the journal's owner cannot replace: files in it are written once. A
journal that does not continue what was exported last, since it was cut, edited, forked or restored, is refused with exit 3.")]
pub(crate) struct ExportArguments {
    /// The folder of another trust domain, which has to exist.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The signing key that `atalaya journal key` made.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Also write all events to this new file, one JSON document a line.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ExportArguments, context: &Context) -> Result<u8, Failure> {
    let apart = apart_from(context)?;
    let apart: Vec<&Path> = apart.iter().map(PathBuf::as_path).collect();
    let key = SigningKey::open(&arguments.key, &apart)?;
    for folder in &apart {
        secret::outside(&arguments.to, folder).map_err(|_| Failure {
            code: exit::REFUSED,
            message: format!(
                "`{}` lies where the journal is: whoever edits the one edits the other",
                arguments.to.display()
            ),
            hint: Some("export to a folder of another trust domain".to_owned()),
        })?;
    }
    runtime::block_on(async {
        let journal = Journal::needed(context).await?;
        let exported = export(arguments, &journal.store, &key, context).await;
        journal.close().await;
        exported
    })?
}

async fn export(
    arguments: &ExportArguments,
    store: &Store,
    key: &SigningKey,
    context: &Context,
) -> Result<u8, Failure> {
    let mut trusted = Folder::published_keys(&arguments.to)?;
    trusted.push(key.verifying(&store.origin().await?)?);
    let folder = Folder::open(&arguments.to, trusted)?;
    // Nothing is signed that was edited.
    let report = report_of(store, Some(&folder)).await?;
    if !is_sound(&report) {
        return Err(Failure {
            code: exit::DIFFERENT,
            message: "the journal is not what was written to it, so nothing was exported".to_owned(),
            hint: Some("`atalaya journal verify` says where".to_owned()),
        });
    }
    let dropped = folder.dropped()?;
    let (checkpoint, news) = match store.export(&folder, key, &dropped).await? {
        Exported::Written(checkpoint) => (checkpoint, true),
        Exported::Unchanged(checkpoint) => (checkpoint, false),
    };
    let mut text = match news {
        true => format!("exported: {} events, key {}", checkpoint.size, key.verifying(&checkpoint.origin)?.id_text()),
        false => format!("nothing has happened since the last export of {} events", checkpoint.size),
    };
    if let Some(file) = &arguments.events {
        write_events(store, checkpoint.size, file).await?;
        text.push_str(&format!("\nevents: {}", file.display()));
    }
    context.print(
        &text,
        &json!({ "version": 1, "written": news, "size": checkpoint.size, "root": checkpoint.root,
                 "chain": checkpoint.chain, "origin": checkpoint.origin, "events": arguments.events }),
    );
    Ok(exit::DONE)
}

/// Writes the first so many events to a file that was not there; all of them or none.
async fn write_events(store: &Store, size: u64, file: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure {
        code: exit::FAILED,
        message: format!("the events cannot be written to `{}`: {error}", file.display()),
        hint: Some(
            "the checkpoint is exported; the same command writes them, to a file that is not there yet".to_owned(),
        ),
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut out = std::io::BufWriter::new(tempfile::NamedTempFile::new_in(folder).map_err(failed)?);
    let mut pages = store.pages(Read::all_after(Position::START, PAGE));
    while let Some(events) = pages.next().await? {
        for event in events.iter().take_while(|event| event.position.number() <= size) {
            writeln!(out, "{}", document(event)).map_err(failed)?;
        }
        if events.last().is_none_or(|last| last.position.number() >= size) {
            break;
        }
    }
    let written = out.into_inner().map_err(|error| failed(error.into_error()))?;
    written.as_file().sync_all().map_err(failed)?;
    written.persist_noclobber(file).map(|_| ()).map_err(|error| failed(error.error))
}
