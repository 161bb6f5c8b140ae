//! `atalaya gateway verifier`.

use std::io::{IsTerminal, Read};

use atalaya_gateway::verifier_of;

use crate::exit::{self, Failure};
use crate::global::Context;

/// Longer passwords are accepted by no server.
const PASSWORD_BYTES_MAX: u64 = 65_535;

/// Arguments of `atalaya gateway verifier`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  printf %s \"$PASSWORD\" | atalaya gateway verifier
  atalaya gateway verifier < password.txt

A verifier lets the gateway check a password without knowing it. It is what Postgres keeps in pg_authid.rolpassword, and
that can be used as well.")]
pub(crate) struct VerifierArguments {
    /// Rounds of hashing: more make guessing slower, and logins too.
    #[arg(long, value_name = "NUMBER", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(4096..=1_000_000))]
    iterations: u32,
}

pub(super) fn run(arguments: &VerifierArguments, context: &Context) -> Result<u8, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure {
            hint: Some("pipe the password in, for example from a file".to_owned()),
            ..Failure::usage("the password is read from standard input, which is a terminal")
        });
    }
    let mut password = String::new();
    let read = stdin.lock().take(PASSWORD_BYTES_MAX + 2).read_to_string(&mut password);
    read.map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    let password = password.strip_suffix('\n').unwrap_or(&password);
    if password.is_empty() || u64::try_from(password.len()).unwrap_or(u64::MAX) > PASSWORD_BYTES_MAX {
        return Err(Failure::usage(format!("a password has 1 to {PASSWORD_BYTES_MAX} bytes")));
    }
    let verifier = verifier_of(password, arguments.iterations);
    context.print(&verifier, &serde_json::json!({ "format": 1, "verifier": verifier }));
    Ok(exit::DONE)
}
