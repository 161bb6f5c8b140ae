//! `atalaya journal verify`.

use std::path::PathBuf;

use atalaya_eventstore::checkpoint::{Folder, VerifyingKey};
use atalaya_eventstore::verify::{Report, Verdict, verify};
use serde_json::json;

use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::Journal;
use crate::runtime;

/// Arguments of `atalaya journal verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya journal verify
  atalaya journal verify --against /mnt/audit/journal --key 'atalaya.journal/...+...+...'

Without exported checkpoints, a journal that was written anew as a whole cannot be told from the one that it was. The key is
the line that `atalaya journal key` printed; keep it where the journal's owner cannot change it. Without --key, the keys that
lie in the folder are believed.")]
pub(crate) struct VerifyArguments {
    /// The folder that checkpoints were exported to.
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// A public key that checkpoints are believed by; may be repeated.
    #[arg(long = "key", value_name = "KEY", requires = "against")]
    keys: Vec<String>,
}

impl VerifyArguments {
    fn folder(&self) -> Result<Option<Folder>, Failure> {
        let Some(path) = &self.against else { return Ok(None) };
        let trusted = match self.keys.is_empty() {
            true => Folder::published_keys(path)?,
            false => self.keys.iter().map(|key| key.trim().parse()).collect::<Result<Vec<VerifyingKey>, _>>()?,
        };
        Ok(Some(Folder::open(path, trusted)?))
    }
}

pub(crate) fn run(arguments: &VerifyArguments, context: &Context) -> Result<u8, Failure> {
    let folder = arguments.folder()?;
    let report = runtime::block_on(async {
        let journal = Journal::needed(context).await?;
        let report = verify(&journal.store, folder.as_ref()).await;
        journal.close().await;
        report.map_err(|error| Failure::new(exit::FAILED, &error, None))
    })??;
    let unseen = report.unseen();
    let mut json = json!(report);
    if let Some(members) = json.as_object_mut() {
        members.insert("version".to_owned(), 1.into());
        members.insert("unseen".to_owned(), json!(unseen));
    }
    context.print(&text(&report, unseen.as_deref()), &json);
    Ok(match report.verdict {
        Verdict::Intact => exit::DONE,
        Verdict::Tampered => exit::DIFFERENT,
    })
}

fn text(report: &Report, unseen: Option<&str>) -> String {
    let mut text = match &report.finding {
        None => format!("intact: {} events of {} streams", report.events, report.streams),
        Some(finding) => {
            let place = match finding.up_to {
                Some(up_to) => format!("{} to {}", finding.position, up_to),
                None => finding.position.to_string(),
            };
            format!("TAMPERED at position {place}: {}\n  {} events before it are well", finding.seen, report.events)
        }
    };
    text.push_str(&format!("\n  origin  {}\n  root    {}\n  chain   {}", report.origin, report.root, report.chain));
    if report.data_erased > 0 || report.keys_dropped > 0 {
        let (erased, dropped) = (report.data_erased, report.keys_dropped);
        text.push_str(&format!("\n  erased  {erased} events without data, {dropped} keys dropped"));
    }
    if let Some(unseen) = unseen {
        text.push_str(&format!("\nnot seen: {unseen}"));
    }
    text
}

impl From<atalaya_eventstore::checkpoint::CheckpointError> for Failure {
    fn from(error: atalaya_eventstore::checkpoint::CheckpointError) -> Self {
        Self::new(exit::FAILED, &error, None)
    }
}
