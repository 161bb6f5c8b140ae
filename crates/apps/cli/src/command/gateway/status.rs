//! `atalaya gateway status`.

use std::fmt::Write;
use std::time::Duration;

use atalaya_gateway::admin::{Answer, DatabaseStatus, GatewayStatus, HeldFor, Request};

use super::ask::{AdminArguments, ask, unexpected};
use crate::exit::{self, Failure};
use crate::global::Context;

const ANSWER: Duration = Duration::from_secs(10);

/// Arguments of `atalaya gateway status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  atalaya gateway status
  atalaya --output json gateway status
  atalaya gateway status --admin gateway.example:6433 --certificate me.crt --key me.key --authority gateways.pem")]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    admin: AdminArguments,
}

pub(super) fn run(arguments: &StatusArguments, context: &Context) -> Result<u8, Failure> {
    let Answer::Status(status) = ask(&arguments.admin, &Request::Status, ANSWER, context)? else {
        return Err(unexpected());
    };
    let json = serde_json::to_value(&status).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&text(&status), &json);
    Ok(exit::DONE)
}

fn text(status: &GatewayStatus) -> String {
    let mut text = format!("serving for {} s, {} clients\n", status.serving_seconds, status.clients);
    for database in &status.databases {
        describe(&mut text, database);
    }
    text
}

fn describe(text: &mut String, database: &DatabaseStatus) {
    let waiting = database.gate.waiting;
    let gate = match (database.gate.paused_epoch, database.gate.paused_ms, database.gate.held) {
        (_, Some(ms), Some(HeldFor::Route)) => {
            format!("SHUT for {ms} ms: where the journal leads it is not known; {waiting} clients wait")
        }
        (_, Some(ms), Some(HeldFor::Epoch { epoch })) => {
            format!("HELD for {ms} ms until epoch {epoch} of its route is decided, {waiting} clients wait")
        }
        (Some(epoch), Some(ms), None) => format!("PAUSED for {ms} ms under epoch {epoch}, {waiting} clients wait"),
        _ => "open".to_owned(),
    };
    let led = database.led_by_epoch.map(|epoch| format!(", led by epoch {epoch}")).unwrap_or_default();
    // Writing to a text cannot fail.
    let _written = write!(
        text,
        "\n{} -> {}{led} ({} pooling)\n  gate          {gate}, {} transactions run\n  clients       {}\n",
        database.name, database.to, database.pooling, database.gate.running, database.clients,
    );
    for pool in &database.pools {
        let _written = writeln!(
            text,
            "  user {}: servers {} used, {} idle, {} connecting; {} clients wait",
            pool.user, pool.servers_used, pool.servers_idle, pool.servers_connecting, pool.clients_waiting,
        );
    }
    let _written = writeln!(
        text,
        "  transactions  {} (half within {} us, 99 of 100 within {} us), {} statements\n  waited        {} times, 99 of 100 \
         no longer than {} us; refused: {}",
        database.transactions,
        database.transaction_time.p50_us,
        database.transaction_time.p99_us,
        database.queries,
        database.wait_time.count,
        database.wait_time.p99_us,
        database.refused_for_waiting,
    );
    for kept in &database.kept {
        let _written = writeln!(
            text,
            "  client {} keeps server process {}: {}",
            kept.process_id,
            kept.server_process_id,
            kept.because.join(", ")
        );
    }
}
