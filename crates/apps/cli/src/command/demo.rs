//! `atalaya demo`: a live move of a generated shop, from servers that are started for it to a proof.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use atalaya_demo::{Canvas, Error, Options, Stage};
use terminal_size::{Width, terminal_size_of};

use crate::command::{migrate, sandbox};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::progress::PlayProgress;
use crate::runtime;
use crate::size::parse_bytes;

/// Clients that write to the shop.
const CLIENTS: u32 = 16;

/// Arguments of `atalaya demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya demo
  atalaya demo --size 200MB --from 15 --to 17
  atalaya demo --output json > report.json

Starts two servers of its own, fills the older one, and puts a gateway before it. While clients write through that: assess,
migrate start, a proof, one cell corrupted on the target, found and repaired; then a rehearsal, a cutover, a rollback with
another proof, and the cutover again. Then the clients stop, and what they were told is compared with both servers; they go
on, and migrate finish ends the move meanwhile and writes a certificate. Shown is how long clients were held each time, and what they
committed per 100 ms over the whole time: as a plot, or as numbers with --output json. Any failed transaction is exit code 1.
Servers and files are removed at the end, after an interrupt too, unless --keep is given.")]
pub(crate) struct DemoArguments {
    /// Bytes of the shop with its indexes; about four times as much disk is needed.
    #[arg(long, value_name = "SIZE", default_value = "2GB", value_parser = parse_bytes)]
    size: u64,
    /// The old server's major version.
    #[arg(long, value_name = "MAJOR", default_value_t = 13)]
    from: u16,
    /// The new server's major version.
    #[arg(long, value_name = "MAJOR", default_value_t = 18)]
    to: u16,
    /// Transactions a second that clients begin during the whole move.
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How long clients may be held while they are led elsewhere: a number with ms or s. What is not done by then is broken
    /// off, with clients where they were, and tried again, three times in all.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = migrate::duration)]
    max_pause: Duration,
    /// The folder below which servers and files are kept meanwhile, instead of the system's temporary folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Leave both servers running at the end, as if by `atalaya sandbox up`; `atalaya sandbox down` removes them.
    #[arg(long)]
    keep: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::DiskShort { .. } | Error::Downgrade { .. } => exit::REFUSED,
            Error::Verb(atalaya_verbs::Error::Different { .. }) => exit::DIFFERENT,
            _ => exit::FAILED,
        };
        let hint = error.hint();
        Self::new(code, &error, hint)
    }
}

pub(crate) fn run(arguments: &DemoArguments, context: &Context) -> Result<u8, Failure> {
    if arguments.keep {
        sandbox::refuse_recorded(context)?;
    }
    let failed = |error: std::io::Error| Failure::new(exit::FAILED, &error, None);
    let folder = arguments.data.clone().unwrap_or_else(std::env::temp_dir);
    let options = Options {
        program: std::env::current_exe().map_err(failed)?,
        folder: folder.canonicalize().map_err(failed)?,
        from: arguments.from,
        to: arguments.to,
        bytes: arguments.size,
        rate: arguments.rate,
        clients: CLIENTS,
        max_pause: arguments.max_pause,
    };
    let progress = Arc::new(PlayProgress::new(context.output));
    let played = runtime::block_on(atalaya_demo::play(&options, progress.clone()));
    progress.finish();
    let (report, stage) = played.map_err(|interrupted| Failure {
        hint: Some("servers and files of the demo are removed".to_owned()),
        ..interrupted
    })??;
    if arguments.keep {
        sandbox::keep(vec![stage.source, stage.target], Stage::DATABASE, context)?;
        context.note("both servers go on: see `atalaya sandbox status --show-url`; `atalaya sandbox down` ends them");
    } else {
        drop(stage);
    }
    let json = serde_json::to_value(&report).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&atalaya_demo::render_text(&report, canvas()), &json);
    Ok(if report.complaints.is_empty() { exit::DONE } else { exit::FAILED })
}

/// As wide as the terminal where stdout is one; what is read later, or elsewhere, is short.
fn canvas() -> Canvas {
    let stdout = std::io::stdout();
    match terminal_size_of(&stdout) {
        Some((Width(columns), _)) if stdout.is_terminal() => Canvas::terminal(columns),
        _ => Canvas::PLAIN,
    }
}
