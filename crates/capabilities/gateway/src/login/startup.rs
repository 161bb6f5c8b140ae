//! What a startup packet asks for.

use atalaya_pgwire::server::{Refusal, Severity, StartupRequest, reply};
use tokio::io::AsyncWriteExt;

use super::LoginFailure;
use crate::error::refusal;
use crate::io::ClientStream;
use crate::settings::{SETTINGS_MAX, Settings};

/// The newest version spoken, 3.2.
const MINOR: u16 = 2;

/// A walsender sees every row and takes no pool's turns.
pub(super) fn refuse_replication(request: &StartupRequest) -> Result<(), Refusal> {
    let wants = |value: &str| !matches!(value.to_ascii_lowercase().as_str(), "" | "false" | "off" | "no" | "0" | "f");
    match request.replication() {
        Some(value) if wants(value) => Err(Refusal {
            hint: Some("connect to the server itself for replication".to_owned()),
            ..refusal(Severity::Fatal, "0A000", "the gateway does not serve `replication`")
        }),
        _ => Ok(()),
    }
}

/// The settings that the session is to begin with.
pub(super) fn settings(request: &StartupRequest) -> Result<Settings, Refusal> {
    let mut settings = Settings::default();
    if let Some(options) = request.get("options") {
        for (name, value) in options_of(options)? {
            settings.set(&name, value);
        }
    }
    for (name, value) in &request.parameters {
        if !matches!(name.as_str(), "user" | "database" | "options" | "replication") {
            settings.set(name, value.clone());
        }
    }
    if settings.len() > SETTINGS_MAX {
        let text = format!("more than {SETTINGS_MAX} settings in a startup packet");
        return Err(refusal(Severity::Fatal, "54000", text));
    }
    Ok(settings)
}

/// `-c name=value` and `--name=value`, separated by blanks; a backslash takes the next character as it is.
fn options_of(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let unknown = || refusal(Severity::Fatal, "0A000", "`options` may hold `-c NAME=VALUE` and `--NAME=VALUE` only");
    let mut words = words(text).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--") {
            Some(rest) => rest.to_owned(),
            None => match word.strip_prefix("-c").ok_or_else(unknown)? {
                "" => words.next().ok_or_else(unknown)?,
                rest => rest.to_owned(),
            },
        };
        let (name, value) = setting.split_once('=').ok_or_else(unknown)?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_escaped = false;
    for each in text.chars() {
        if is_escaped {
            word.get_or_insert_default().push(each);
            is_escaped = false;
        } else if each == '\\' {
            is_escaped = true;
        } else if each.is_ascii_whitespace() {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(each);
        }
    }
    words.extend(word);
    words
}

/// Tells a client that asks for more than is spoken here what it gets; returns the minor version.
pub(super) async fn negotiate(stream: &mut ClientStream, request: &StartupRequest) -> Result<u16, LoginFailure> {
    let minor = match request.minor {
        0 | 1 => 0, // there is no version 3.1
        _ => MINOR,
    };
    if minor != request.minor || !request.unknown_options.is_empty() {
        let unknown: Vec<&str> = request.unknown_options.iter().map(String::as_str).collect();
        let mut out = Vec::new();
        reply::negotiate_protocol_version(minor, &unknown, &mut out);
        stream.write_all(&out).await?;
    }
    Ok(minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_postgres_reads_them() {
        let read = |text| options_of(text).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read(r"-c a.b=it\ is -cwork_mem=1MB --lock-timeout=5"),
            [pair("a.b", "it is"), pair("work_mem", "1MB"), pair("lock_timeout", "5")]
        );
        assert_eq!(read("  "), []);
        for odd in ["-d 5", "-c", "-c x", "--x", "word"] {
            assert_eq!(options_of(odd).unwrap_err().sqlstate, "0A000", "{odd}");
        }
    }
}
