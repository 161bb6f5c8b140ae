//! `cargo run --release -p bench`: the figures of the README, each measured side by side with what it is compared to,
//! in one run, on real durable servers.

mod child;
mod error;
mod figures;
mod lab;
mod memory;
mod pairs;
mod report;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use error::Error;
use figures::{Cell, Kind, Size};
use report::Figure;

/// Measures the README's figures; a missed goal is said, not an error.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// The figures to measure instead of all but `gateway` and `cutover`, which take longest.
    figures: Vec<Kind>,
    /// Alternating pairs of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// pgbench's scale: 100,000 rows each, and as many changes in the large transaction.
    #[arg(long, default_value_t = 50)]
    scale: u32,
    /// Transactions of the backlog.
    #[arg(long, default_value_t = 200_000)]
    transactions: u32,
    /// Megabytes of the shop, with its indexes.
    #[arg(long, default_value_t = 600)]
    shop_megabytes: u64,
    /// Events that the journal's writers append at once, and that are read and verified; a tenth of them in turn, at
    /// most a fifth beside the peers, and a hundredth as many sagas.
    #[arg(long, default_value_t = 1_000_000)]
    journal_events: usize,
    /// Seconds of writes that the lag is measured over.
    #[arg(long, default_value_t = 30)]
    lag_seconds: u32,
    /// Seconds of each run of pgbench, in the gateway's figures.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=3600))]
    gateway_seconds: u16,
    /// Of `gateway` only this; may be given several times.
    #[arg(long = "gateway-cell", value_name = "CELL")]
    gateway_cells: Vec<Cell>,
    /// Megabytes of each bulk transfer through the gateway.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    gateway_megabytes: u32,
    /// Idle clients of the gateway.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=25_000))]
    gateway_clients: u32,
    /// How often clients are led there or back.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(2..=1000))]
    flips: u16,
    /// The program `atalaya` instead of the one beside this.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Also write the figures to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("error: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                text += &format!(": {inner}");
                source = inner.source();
            }
            let _closed = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let program = lab::find_program(arguments.program.clone())?;
    let size = Size {
        rounds: usize::from(arguments.rounds),
        scale: arguments.scale,
        transactions: arguments.transactions,
        shop_megabytes: arguments.shop_megabytes,
        journal_events: arguments.journal_events,
        lag_seconds: arguments.lag_seconds,
        gateway_seconds: arguments.gateway_seconds,
        gateway_cells: arguments.gateway_cells.clone(),
        gateway_megabytes: arguments.gateway_megabytes,
        gateway_clients: arguments.gateway_clients,
        flips: usize::from(arguments.flips),
    };
    let kinds = if arguments.figures.is_empty() { &Kind::BY_DEFAULT[..] } else { &arguments.figures };
    kinds.iter().try_for_each(|kind| kind.is_possible())?;
    let mut documents = Vec::new();
    for kind in kinds {
        // Servers of its own: no figure meets what another left behind.
        let lab = lab::Lab::open(&program, kind.target_major(), kind.settings())?;
        for figure in kind.measure(&lab, &size)? {
            documents.push(Figure::json(&figure));
            let _closed = write!(std::io::stdout(), "{}", figure.text());
        }
    }
    if let Some(path) = &arguments.json {
        let text = format!("{:#}\n", serde_json::json!({ "version": 1, "figures": documents }));
        std::fs::write(path, text).map_err(|source| Error::Run { program: path.display().to_string(), source })?;
    }
    Ok(())
}
