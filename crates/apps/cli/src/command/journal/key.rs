//! `atalaya journal key`.

use std::path::{Path, PathBuf};

use atalaya_eventstore::checkpoint::{SigningKey, create_key};
use serde_json::json;

use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::Journal;
use crate::runtime;

/// Arguments of `atalaya journal key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya journal key /etc/atalaya/journal.key

Prints the public key, by which `atalaya journal verify` believes checkpoints. A file that is there is never replaced. The key
lies outside of the folder for local state, or whoever edits the journal signs it again.")]
pub(crate) struct KeyArguments {
    /// The file to make, readable by its owner alone.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// The folders that a key must lie outside of.
pub(super) fn apart_from(context: &Context) -> Result<Vec<PathBuf>, Failure> {
    let state = std::path::absolute(&context.state).unwrap_or_else(|_| context.state.clone());
    Ok([Some(state), Journal::folder(context)?].into_iter().flatten().collect())
}

pub(crate) fn run(arguments: &KeyArguments, context: &Context) -> Result<u8, Failure> {
    let apart = apart_from(context)?;
    let apart: Vec<&Path> = apart.iter().map(PathBuf::as_path).collect();
    let public = runtime::block_on(async {
        let journal = Journal::needed(context).await?;
        let origin = journal.store.origin().await?;
        journal.close().await;
        create_key(&arguments.file, &apart)?;
        Ok::<_, Failure>(SigningKey::open(&arguments.file, &apart)?.verifying(&origin)?)
    })??;
    context.print(
        &format!("{public}"),
        &json!({ "version": 1, "file": arguments.file, "public_key": public.to_string() }),
    );
    Ok(exit::DONE)
}
