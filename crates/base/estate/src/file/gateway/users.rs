//! Who may log in at the gateway, and how the gateway logs in for them.
//!
//! What stands where a verifier or a secret belongs may be a password: no message repeats it.

use std::collections::BTreeMap;

use super::databases::Offered;
use super::fields::Fields;
use super::keys;
use crate::file::problem::Finding;
use crate::file::reader::{Reader, Text, suggestion};
use crate::file::tree::{Entry, Value};
use crate::{GatewayUser, SecretSource, ServerLogin, SourceError, Verifier};

/// What RFC 7677 asks for, and what Postgres makes.
const ITERATIONS_USUAL: u32 = 4096;

pub(crate) fn users_of(
    reader: &mut Reader<'_>,
    gateway: &Fields<'_>,
    offered: &Offered,
) -> BTreeMap<String, GatewayUser> {
    let mut users = BTreeMap::new();
    let Some(node) = gateway.node("users") else { return users };
    for entry in reader.named(node, &gateway.named("users")) {
        if let Some(user) = user_of(reader, entry, offered) {
            users.insert(entry.key.clone(), user);
        }
    }
    users
}

fn user_of(reader: &mut Reader<'_>, entry: &Entry, offered: &Offered) -> Option<GatewayUser> {
    let what = format!("gateway user `{}`", reader.shown(&entry.key, &entry.key_span));
    let fields = Fields::new(reader, &entry.value, &entry.key_span, what, keys::USER);
    let verifier = fields.text(reader, "verifier").and_then(|text| verifier_of(reader, &fields, &text));
    let mut secrets = BTreeMap::new();
    let entries = fields.node("secrets").map(|node| reader.named(node, &fields.named("secrets")));
    for entry in entries.into_iter().flatten() {
        if !offered.contains_key(&entry.key) {
            let shown = reader.shown(&entry.key, &entry.key_span);
            let message = format!("{} names `{shown}`, which the gateway does not offer", fields.named("secrets"));
            let hint = suggestion(&entry.key, offered.keys().map(String::as_str))
                .unwrap_or_else(|| "declare it under `databases` of `gateway`".to_owned());
            reader.report("estate::unknown_database", &entry.key_span, "not declared", message, hint);
        }
        if let Some(login) = login_of(reader, &fields, entry) {
            secrets.insert(entry.key.clone(), login);
        }
    }
    Some(GatewayUser { verifier: verifier?, secrets })
}

fn verifier_of(reader: &mut Reader<'_>, fields: &Fields<'_>, text: &Text) -> Option<Verifier> {
    let what = fields.named("verifier");
    match text.value.parse::<Verifier>() {
        Ok(verifier) => {
            if verifier.iterations() < ITERATIONS_USUAL {
                reader.warnings.push(Finding {
                    code: "estate::weak_verifier",
                    at: text.span.clone(),
                    message: format!("{what} was made with fewer than {ITERATIONS_USUAL} iterations"),
                    label: "easily guessed at",
                    hint: Some("make another one: `atalaya gateway verifier`".to_owned()),
                });
            }
            Some(verifier)
        }
        Err(error) => {
            let hint = "make one with `atalaya gateway verifier`; a password is never written here".to_owned();
            reader.report("estate::verifier", &text.span, "not usable", format!("{what} is {error}"), hint);
            None
        }
    }
}

fn login_of(reader: &mut Reader<'_>, fields: &Fields<'_>, entry: &Entry) -> Option<ServerLogin> {
    let what = format!("the secret for `{}` of {}", reader.shown(&entry.key, &entry.key_span), fields.what);
    if !matches!(entry.value.value, Value::Map(_)) {
        let text = reader.text(&entry.value, &what)?;
        let secret = secret_of(reader, &text, &what)?;
        return Some(ServerLogin { user: None, secret });
    }
    let login = Fields::new(reader, &entry.value, &entry.key_span, what, keys::LOGIN);
    let user = login.text(reader, "user");
    let text = login.text(reader, "secret");
    let secret = text.and_then(|text| secret_of(reader, &text, &login.what));
    if login.node("user").is_some() && user.is_none() {
        return None;
    }
    Some(ServerLogin { user: user.map(|text| text.value), secret: secret? })
}

fn secret_of(reader: &mut Reader<'_>, text: &Text, what: &str) -> Option<SecretSource> {
    let error = match SecretSource::parse(&text.value, reader.folder) {
        Ok(source) => return Some(source),
        Err(error) => error,
    };
    let hint = match error {
        SourceError::Unknown if text.from_variable => {
            "write `env:NAME` instead of `${NAME}`: the secret is then read when it is needed"
        }
        SourceError::Unknown => {
            "a secret is never written here: keep it in a variable or in a file of the gateway's own"
        }
        SourceError::VariableName => "write `env:NAME`, with letters, digits and `_` in the name",
        SourceError::NoPath => "write `file:PATH`, for example `file:/run/secrets/shop`",
    };
    reader.report("estate::secret", &text.span, "not usable", format!("{what} is {error}"), hint.to_owned());
    None
}
