//! The messages a server sends of its own, written to the end of a buffer.
//!
//! Writing cannot fail, so texts are made to fit: one ends at its first zero byte, as it would for whoever reads it
//! (what follows could pass for a message of its own), and after [`TEXT_BYTES_MAX`] bytes.

use super::write::{message, terminated};
use crate::TransactionStatus;
use crate::frame::tag;

/// The longest text that is written, in bytes. libpq takes a message of more than 30,000 bytes for lost
/// synchronisation unless it is a row, an error or a notice; two of these and a header stay below.
pub const TEXT_BYTES_MAX: usize = 14_000;

const OPTIONS_BYTES_MAX: usize = 2 * TEXT_BYTES_MAX;

const OK: i32 = 0;
const CLEARTEXT_PASSWORD: i32 = 3;
const SASL: i32 = 10;
const SASL_CONTINUE: i32 = 11;
const SASL_FINAL: i32 = 12;

/// How bad a refusal or notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For the client's information.
    Notice,
    /// The statement goes on, with a caveat.
    Warning,
    /// The statement failed, the session goes on.
    Error,
    /// The session ends.
    Fatal,
}

impl Severity {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// What an error or notice of the gateway's own says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// How bad it is.
    pub severity: Severity,
    /// The five characters of the SQLSTATE.
    pub sqlstate: &'static str,
    /// What happened, in one line.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What the user can do.
    pub hint: Option<String>,
    /// The function of the server by which drivers know an error that it stands for.
    pub routine: Option<&'static str>,
}

/// Login is complete.
pub fn authentication_ok(out: &mut Vec<u8>) {
    authentication(OK, &[], out);
}

/// Asks for the password as it is; only over TLS may a client answer this.
pub fn authentication_cleartext_password(out: &mut Vec<u8>) {
    authentication(CLEARTEXT_PASSWORD, &[], out);
}

/// Offers SASL mechanisms, the preferred one first.
pub fn authentication_sasl(mechanisms: &[&str], out: &mut Vec<u8>) {
    message(tag::AUTHENTICATION, out, |out| {
        out.extend_from_slice(&SASL.to_be_bytes());
        texts(mechanisms, out);
        out.push(0);
    });
}

/// The next step of SASL.
pub fn authentication_sasl_continue(data: &[u8], out: &mut Vec<u8>) {
    authentication(SASL_CONTINUE, data, out);
}

/// The last step of SASL. [`authentication_ok`] follows.
pub fn authentication_sasl_final(data: &[u8], out: &mut Vec<u8>) {
    authentication(SASL_FINAL, data, out);
}

/// A setting's value.
pub fn parameter_status(name: &str, value: &str, out: &mut Vec<u8>) {
    message(tag::PARAMETER_STATUS, out, |out| texts(&[name, value], out));
}

/// What a cancel request has to name. Clients of protocol 3.0 take a secret of exactly 4 bytes.
pub fn backend_key_data(process_id: i32, secret: &[u8], out: &mut Vec<u8>) {
    message(tag::BACKEND_KEY_DATA, out, |out| {
        out.extend_from_slice(&process_id.to_be_bytes());
        out.extend_from_slice(secret);
    });
}

/// The next query may come.
pub fn ready_for_query(status: TransactionStatus, out: &mut Vec<u8>) {
    let letter = match status {
        TransactionStatus::Idle => b'I',
        TransactionStatus::Open => b'T',
        TransactionStatus::Failed => b'E',
    };
    message(tag::READY_FOR_QUERY, out, |out| out.push(letter));
}

/// Says which minor version of protocol 3 is spoken, and which options asked for are not known. The version goes out
/// with its major one, as Postgres sends it and libpq reads it; the manual names the minor one alone.
pub fn negotiate_protocol_version(minor: u16, unknown_options: &[&str], out: &mut Vec<u8>) {
    message(tag::NEGOTIATE_PROTOCOL_VERSION, out, |out| {
        out.extend_from_slice(&(0x0003_0000 | u32::from(minor)).to_be_bytes());
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let mut count = 0_u32;
        for option in unknown_options {
            if out.len() - start > OPTIONS_BYTES_MAX - TEXT_BYTES_MAX {
                break;
            }
            text(option, out);
            count += 1;
        }
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&count.to_be_bytes());
        }
    });
}

/// A statement is prepared.
pub fn parse_complete(out: &mut Vec<u8>) {
    message(b'1', out, |_| {});
}

/// A statement or portal is closed.
pub fn close_complete(out: &mut Vec<u8>) {
    message(b'3', out, |_| {});
}

/// A statement is done.
pub fn command_complete(command: &str, out: &mut Vec<u8>) {
    message(tag::COMMAND_COMPLETE, out, |out| text(command, out));
}

/// A statement failed, or the session ends.
pub fn error(refusal: &Refusal, out: &mut Vec<u8>) {
    fields(tag::ERROR_RESPONSE, refusal, out);
}

/// The same with the body of an error as a server said it.
pub fn error_body(body: &[u8], out: &mut Vec<u8>) {
    message(tag::ERROR_RESPONSE, out, |out| out.extend_from_slice(body));
}

/// A warning or notice.
pub fn notice(refusal: &Refusal, out: &mut Vec<u8>) {
    fields(tag::NOTICE_RESPONSE, refusal, out);
}

fn authentication(method: i32, data: &[u8], out: &mut Vec<u8>) {
    message(tag::AUTHENTICATION, out, |out| {
        out.extend_from_slice(&method.to_be_bytes());
        out.extend_from_slice(data);
    });
}

fn fields(tag: u8, refusal: &Refusal, out: &mut Vec<u8>) {
    let Refusal { severity, sqlstate, message: primary, detail, hint, routine } = refusal;
    message(tag, out, |out| {
        for (kind, value) in [
            (b'S', Some(severity.word())),
            (b'V', Some(severity.word())),
            (b'C', Some(*sqlstate)),
            (b'M', Some(primary.as_str())),
            (b'D', detail.as_deref()),
            (b'H', hint.as_deref()),
            (b'R', *routine),
        ] {
            if let Some(value) = value {
                out.push(kind);
                text(value, out);
            }
        }
        out.push(0);
    });
}

fn texts(all: &[&str], out: &mut Vec<u8>) {
    for one in all {
        text(one, out);
    }
}

fn text(value: &str, out: &mut Vec<u8>) {
    let value = value.split('\0').next().unwrap_or_default();
    let end = value.floor_char_boundary(TEXT_BYTES_MAX);
    terminated(value.get(..end).unwrap_or_default().as_bytes(), out);
}
