//! A client's first packet, which has no tag: a wish for encryption, a cancel request, or the start of a session.
//!
//! What comes here comes from anybody. Names and values of settings are read exactly as Postgres reads them, because
//! a gateway that reads them otherwise than the server behind it can be told one thing while the server is told another.

use std::collections::HashSet;
use std::fmt;

use crate::CodecError;

use super::cursor::Cursor;

/// The longest first packet accepted, in bytes without its length field; that of Postgres.
pub const STARTUP_BYTES_MAX: usize = 10_000;

const LENGTH_BYTES: usize = 4;
const VERSION_BYTES: usize = 4;
const SECRET_BYTES_MIN: usize = 4;
const SECRET_BYTES_MAX: usize = 256;

/// The first byte of a TLS handshake record. As the first byte of a length it would announce 352 MiB or more.
const TLS_HANDSHAKE: u8 = 0x16;

/// The "major version" of requests that are no session.
const REQUEST: u16 = 1234;
const CANCEL: u16 = 5678;
const SSL: u16 = 5679;
const GSS: u16 = 5680;

/// Keys of a startup packet that are no settings; Postgres tells their letters' case apart.
const OWN_KEYS: [&str; 4] = ["user", "database", "options", "replication"];

/// What a client begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstPacket {
    /// It asks for TLS; the answer is one byte, `S` or `N`.
    Ssl,
    /// It asks for GSSAPI encryption; the answer is one byte, `G` or `N` (never an error: clients take that for an
    /// old server and connect again).
    Gss,
    /// It asks that another session's statement be cancelled. Nothing is answered.
    Cancel(CancelKey),
    /// It opens a session.
    Startup(StartupRequest),
    /// A TLS handshake without asking before. Nothing is consumed: the bytes belong to TLS, whose ALPN protocol has
    /// to be `postgresql`.
    DirectTls,
}

/// What a cancel request names, and what `BackendKeyData` hands out.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CancelKey {
    /// The number of the session's server process.
    pub process_id: i32,
    /// The secret that goes with it: 4 bytes in protocol 3.0, 4 to 256 since 3.2.
    pub secret: Box<[u8]>,
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CancelKey").field("process_id", &self.process_id).finish_non_exhaustive()
    }
}

impl CancelKey {
    pub(crate) fn read(mut cursor: Cursor<'_>) -> Result<Self, CodecError> {
        let process_id = cursor.i32("process")?;
        let secret = cursor.rest();
        match secret.len() {
            length if length < SECRET_BYTES_MIN => Err(cursor.truncated("secret")),
            length if length > SECRET_BYTES_MAX => Err(cursor.invalid("secret")),
            _ => Ok(Self { process_id, secret: secret.into() }),
        }
    }
}

/// A wish for a session of protocol 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupRequest {
    /// The minor version asked for. A server that knows only older ones says so with
    /// [`negotiate_protocol_version`](super::reply::negotiate_protocol_version) and goes on.
    pub minor: u16,
    /// Names and values in their order. Of a name given twice only the last is here, as only that has effect.
    pub parameters: Vec<(String, String)>,
    /// Names of protocol options (`_pq_.`), which are to be named back to the client where they are not known.
    pub unknown_options: Vec<String>,
}

impl StartupRequest {
    /// The user to log in as; never empty. It may be longer than the 63 bytes that Postgres keeps of a name.
    #[must_use]
    pub fn user(&self) -> &str {
        self.get("user").unwrap_or_default()
    }

    /// The database; the user's name where none is given.
    #[must_use]
    pub fn database(&self) -> &str {
        self.get("database").filter(|name| !name.is_empty()).unwrap_or_else(|| self.user())
    }

    /// What the client says of replication: `database`, or a boolean in any form that Postgres reads.
    #[must_use]
    pub fn replication(&self) -> Option<&str> {
        self.get("replication")
    }

    /// A parameter's value. As in Postgres `Role` is the setting `role`, while `User` is not the key `user`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let wanted = effective_name(name);
        self.parameters.iter().find(|(name, _)| effective_name(name) == wanted).map(|(_, value)| value.as_str())
    }
}

/// The form in which names are compared.
fn effective_name(name: &str) -> (bool, String) {
    let is_own = OWN_KEYS.contains(&name);
    (is_own, name.to_ascii_lowercase())
}

/// Reads a client's first packet from the start of `bytes`. `None`: more bytes are needed. Else the packet and how
/// many bytes it takes; after [`FirstPacket::Ssl`] and [`FirstPacket::Gss`] another first packet follows, on the
/// connection as it then is. Asking twice for the same is for the caller to refuse.
///
/// # Errors
/// When it is none, or of another major version than 3. A request for encryption with anything behind it is refused:
/// read on as if it had come encrypted, it would let somebody in the middle put words into the session's mouth.
pub fn first_packet(bytes: &[u8]) -> Result<Option<(FirstPacket, usize)>, CodecError> {
    if bytes.first() == Some(&TLS_HANDSHAKE) {
        return Ok(Some((FirstPacket::DirectTls, 0)));
    }
    let Some((length, _)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let announced = u32::from_be_bytes(*length);
    let length = usize::try_from(announced)
        .ok()
        .filter(|length| (LENGTH_BYTES + VERSION_BYTES..=LENGTH_BYTES + STARTUP_BYTES_MAX).contains(length))
        .ok_or(CodecError::StartupLength { announced })?;
    let Some(body) = bytes.get(LENGTH_BYTES..length) else {
        return Ok(None);
    };
    let mut cursor = Cursor::new("startup", body);
    let packet = match (cursor.u16("version")?, cursor.u16("version")?) {
        (REQUEST, SSL) => FirstPacket::Ssl,
        (REQUEST, GSS) => FirstPacket::Gss,
        (REQUEST, CANCEL) => FirstPacket::Cancel(CancelKey::read(Cursor::new("cancel request", cursor.rest()))?),
        (3, minor) => FirstPacket::Startup(startup(minor, cursor)?),
        (major, minor) => return Err(CodecError::UnsupportedProtocol { major, minor }),
    };
    if matches!(packet, FirstPacket::Ssl | FirstPacket::Gss) {
        match bytes.len() - LENGTH_BYTES - VERSION_BYTES {
            0 => {}
            extra => return Err(CodecError::UnencryptedBytes { extra }),
        }
    }
    Ok(Some((packet, length)))
}

fn startup(minor: u16, mut cursor: Cursor<'_>) -> Result<StartupRequest, CodecError> {
    let mut parameters = Vec::new();
    let mut unknown_options = Vec::new();
    loop {
        let name = cursor.utf8("name")?;
        if name.is_empty() {
            break;
        }
        let value = cursor.utf8("value")?;
        match name.starts_with("_pq_.") {
            true => unknown_options.push(name.to_owned()),
            false => parameters.push((name.to_owned(), value.to_owned())),
        }
    }
    cursor.finish()?;
    let mut seen = HashSet::new();
    parameters.reverse();
    parameters.retain(|(name, _)| seen.insert(effective_name(name)));
    parameters.reverse();
    let request = StartupRequest { minor, parameters, unknown_options };
    if request.user().is_empty() {
        return Err(CodecError::NoUser);
    }
    Ok(request)
}
