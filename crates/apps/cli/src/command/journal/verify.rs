//! `atalaya journal verify`.

use std::path::PathBuf;

use atalaya_eventstore::Store;
use atalaya_eventstore::checkpoint::{CheckpointError, Folder, VerifyingKey};
use atalaya_eventstore::verify::{Report, Verdict, VerifyError, verify};
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
            false => self.keys.iter().map(|key| key.trim().parse()).collect::<Result<Vec<VerifyingKey>, _>>().map_err(
                |error| Failure::new(exit::USAGE, &error, Some("as `atalaya journal key` prints it".to_owned())),
            )?,
        };
        let folder = Folder::open(path, trusted)?;
        // A folder that is not mounted must not look like one that agrees.
        match folder.latest()? {
            Some(_) => Ok(Some(folder)),
            None => Err(Failure {
                code: exit::FAILED,
                message: format!("there is no checkpoint in `{}`", path.display()),
                hint: Some("see that the folder is the one that `atalaya journal export` writes to".to_owned()),
            }),
        }
    }
}

pub(crate) fn run(arguments: &VerifyArguments, context: &Context) -> Result<u8, Failure> {
    let folder = arguments.folder()?;
    let report = runtime::block_on(async {
        let journal = Journal::needed(context).await?;
        let report = report_of(&journal.store, folder.as_ref()).await;
        journal.close().await;
        report
    })??;
    let mut unseen: Vec<String> = report.unseen().into_iter().collect();
    if arguments.against.is_some() && arguments.keys.is_empty() {
        unseen.push(
            "the keys that lie in the folder were believed: whoever writes there could have made them".to_owned(),
        );
    }
    let sound = is_sound(&report);
    let mut json = json!(report);
    if let Some(members) = json.as_object_mut() {
        members.insert("version".to_owned(), 1.into());
        members.insert("unseen".to_owned(), json!(unseen));
    }
    context.print(&text(&report, &unseen), &json);
    Ok(if sound { exit::DONE } else { exit::DIFFERENT })
}

/// Verifies a journal.
pub(super) async fn report_of(store: &Store, folder: Option<&Folder>) -> Result<Report, Failure> {
    verify(store, folder).await.map_err(|error| match error {
        VerifyError::Checkpoints(error) => error.into(),
        error => Failure::new(exit::FAILED, &error, None),
    })
}

/// Whether nobody has changed anything. This program erases no event's data: where some is missing, somebody else did.
pub(super) fn is_sound(report: &Report) -> bool {
    report.verdict == Verdict::Intact && report.data_erased == 0
}

fn text(report: &Report, unseen: &[String]) -> String {
    let mut text = match &report.finding {
        None if report.data_erased > 0 => {
            format!("TAMPERED: the data of {} events is missing; this program never removes any", report.data_erased)
        }
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
    if report.keys_dropped > 0 {
        text.push_str(&format!("\n  erased  {} keys of people were dropped", report.keys_dropped));
    }
    for unseen in unseen {
        text.push_str(&format!("\nnot seen: {unseen}"));
    }
    text
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        let code = match &error {
            // The journal, or the folder, is not what it was.
            CheckpointError::NotAnExtension { .. }
            | CheckpointError::OtherJournal { .. }
            | CheckpointError::Unsigned { .. }
            | CheckpointError::Folder { .. } => exit::DIFFERENT,
            CheckpointError::KeyPlace(_) => exit::REFUSED,
            _ => exit::FAILED,
        };
        Self::new(code, &error, None)
    }
}
