//! Events of the layers below, on stderr: `ATALAYA_LOG` says which, in the words of `tracing`'s filters.
//!
//! Only events of `tracing`: records of the `log` crate stay unheard, since the statement driver writes what it sends
//! into them, row values among it.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;

use crate::exit::{self, Failure};
use crate::global::{Context, Output};

/// The variable that says which events are shown.
const VARIABLE: &str = "ATALAYA_LOG";
const DEFAULT: &str = "warn";

/// Shows events from here on.
pub(crate) fn install(output: Output) -> Result<(), Failure> {
    let wanted = Context::lookup(VARIABLE).unwrap_or_else(|| DEFAULT.to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        let hint = format!("`{VARIABLE}` is a level (`error`, `warn`, `info`, `debug`, `trace`) or `part=level,...`");
        Failure::new(exit::USAGE, &error, Some(hint))
    })?;
    let subscriber = Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Plain on a terminal, too: events are for logs.
        .with_ansi(false);
    let installed = match output {
        Output::Text => tracing::subscriber::set_global_default(subscriber.finish()),
        Output::Json => tracing::subscriber::set_global_default(subscriber.json().finish()),
    };
    installed.map_err(|error| Failure::new(exit::FAILED, &error, None))
}
