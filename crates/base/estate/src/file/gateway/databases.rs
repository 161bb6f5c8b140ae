//! The databases that clients of the gateway connect to.

use std::collections::BTreeMap;
use std::ops::Range;

use super::fields::Fields;
use super::keys;
use crate::file::reader::{Reader, Text, suggestion};
use crate::file::tree::Entry;
use crate::{Database, Engine, GatewayDatabase, Pooling, SessionCheck};

/// The databases of the estate; `None` for one that was declared but could not be read.
pub(crate) type Declared = BTreeMap<String, Option<Database>>;

/// A database of the gateway with the place of its name; `None` when it could not be read.
pub(crate) type Offered = BTreeMap<String, (Range<usize>, Option<GatewayDatabase>)>;

pub(crate) fn databases_of(reader: &mut Reader<'_>, gateway: &Fields<'_>, declared: &Declared) -> Offered {
    let Some(entry) = gateway.entry("databases") else { return Offered::new() };
    let entries = reader.named(&entry.value, &gateway.named("databases"));
    if entries.is_empty() {
        let message = format!("{} names none", gateway.named("databases"));
        let hint = "offer one: `NAME: { to: DATABASE }`".to_owned();
        reader.report("estate::empty", &entry.key_span, "nothing to connect to", message, hint);
    }
    let mut offered = Offered::new();
    for entry in entries {
        let database = database_of(reader, entry, declared);
        offered.insert(entry.key.clone(), (entry.key_span.clone(), database));
    }
    offered
}

fn database_of(reader: &mut Reader<'_>, entry: &Entry, declared: &Declared) -> Option<GatewayDatabase> {
    let what = format!("gateway database `{}`", reader.shown(&entry.key, &entry.key_span));
    let fields = Fields::new(reader, &entry.value, &entry.key_span, what, keys::DATABASE);
    let to = fields.text(reader, "to");
    if let Some(to) = &to {
        check_target(reader, &fields, to, declared);
    }
    // Each is read before the first that is missing ends it: all problems are told at once.
    let pooling = fields.word(reader, "pooling", &Pooling::ALL, Pooling::word);
    let servers_max = fields.number(reader, "servers_max", keys::SERVERS_MAX);
    let wait_limit = fields.seconds(reader, "wait_seconds", keys::WAIT_SECONDS);
    let server_idle_limit = fields.seconds(reader, "server_idle_seconds", keys::SERVER_IDLE_SECONDS);
    let server_lifetime = fields.seconds(reader, "server_lifetime_seconds", keys::SERVER_LIFETIME_SECONDS);
    let session_check = fields.word(reader, "check", &SessionCheck::ALL, SessionCheck::word);
    let prepared_max = fields.number(reader, "prepared_max", keys::PREPARED_MAX);
    Some(GatewayDatabase {
        to: to?.value,
        pooling: pooling?,
        servers_max: servers_max?.try_into().ok()?,
        wait_limit: wait_limit?,
        server_idle_limit: server_idle_limit?,
        server_lifetime: server_lifetime?,
        session_check: session_check?,
        prepared_max: prepared_max?,
    })
}

fn check_target(reader: &mut Reader<'_>, fields: &Fields<'_>, to: &Text, declared: &Declared) {
    match declared.get(&to.value) {
        None => {
            let shown = reader.shown(&to.raw, &to.span);
            let message = format!("{} names the unknown database `{shown}`", fields.named("to"));
            let hint = suggestion(&to.raw, declared.keys().map(String::as_str))
                .unwrap_or_else(|| "declare it under `databases` of the estate".to_owned());
            reader.report("estate::unknown_database", &to.span, "not declared", message, hint);
        }
        Some(Some(database)) if database.engine != Engine::Postgres => {
            let message = format!("{} is on {}", fields.named("to"), database.engine);
            let hint = "the gateway speaks to `postgres` databases".to_owned();
            reader.report("estate::unsupported_engine", &to.span, "cannot be served", message, hint);
        }
        // One that could not be read is told of where it stands.
        Some(_) => {}
    }
}
