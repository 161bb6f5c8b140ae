//! The section as a whole: every part read, and what only all of them together can tell.

use super::databases::{Declared, Offered, databases_of};
use super::doors::doors_of;
use super::fields::Fields;
use super::keys;
use super::users::users_of;
use crate::Gateway;
use crate::file::problem::Finding;
use crate::file::reader::Reader;
use crate::file::tree::{Node, Value};

/// Reads the section; `None` when it is empty, or when something was reported.
pub(in crate::file) fn read(reader: &mut Reader<'_>, node: &Node, declared: &Declared) -> Option<Gateway> {
    if matches!(node.value, Value::Null) {
        return None; // a section that is still empty is no mistake
    }
    let at = node.span.start..node.span.start;
    let fields = Fields::new(reader, node, &at, "`gateway`".to_owned(), keys::GATEWAY);
    let doors = doors_of(reader, &fields);
    let workers = fields.number(reader, "workers", keys::WORKERS).and_then(|number| number.try_into().ok());
    let clients_max = fields.number(reader, "clients_max", keys::CLIENTS_MAX);
    let offered = databases_of(reader, &fields, declared);
    let users = users_of(reader, &fields, &offered);
    let gateway = Gateway {
        listen: doors.listen,
        workers,
        clients_max: clients_max?,
        tls: doors.tls,
        admin: doors.admin,
        metrics: doors.metrics,
        users,
        databases: offered.iter().filter_map(|(name, (_, read))| Some((name.clone(), read.clone()?))).collect(),
    };
    warn_of_closed_databases(reader, &offered, &gateway);
    Some(gateway)
}

/// A database that nobody has a secret for can be named by clients, and reached by none.
fn warn_of_closed_databases(reader: &mut Reader<'_>, offered: &Offered, gateway: &Gateway) {
    for (name, (span, _)) in offered {
        if gateway.users.values().any(|user| user.secrets.contains_key(name)) {
            continue;
        }
        let message = format!("gateway database `{}` is open to nobody", reader.shown(name, span));
        reader.warnings.push(Finding {
            code: "estate::unreachable",
            at: span.clone(),
            message,
            label: "no user has a secret for it",
            hint: Some("add it to `secrets` of a user".to_owned()),
        });
    }
}
