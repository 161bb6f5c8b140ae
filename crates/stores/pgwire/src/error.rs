//! What can be wrong with bytes from a peer.

/// Bytes that are not what the protocol promises. No text here repeats the bytes: they may be row values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A message ended before the field that had to come.
    #[error("a {message} message ends before its {field}")]
    Truncated {
        /// Which message.
        message: &'static str,
        /// Which field was being read.
        field: &'static str,
    },
    /// A message goes on after its last field.
    #[error("a {message} message is {extra} bytes longer than its fields")]
    TooLong {
        /// Which message.
        message: &'static str,
        /// How many bytes are left over.
        extra: usize,
    },
    /// A field holds a value that the protocol does not know.
    #[error("a {message} message holds an unknown {field}")]
    Invalid {
        /// Which message.
        message: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A name or setting is no UTF-8, although the session's client_encoding is.
    #[error("a {message} message holds a {field} that is not UTF-8")]
    NotUtf8 {
        /// Which message.
        message: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A message announces more bytes than are accepted.
    #[error("a message with tag `{}` announces {announced} bytes, more than the {limit} accepted", tag.escape_ascii())]
    OverLimit {
        /// The message's tag byte.
        tag: u8,
        /// The announced length in bytes.
        announced: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message announces a length shorter than its own length field.
    #[error("a message with tag `{}` announces an impossible length", tag.escape_ascii())]
    ImpossibleLength {
        /// The message's tag byte.
        tag: u8,
    },
    /// A message type that this side of the protocol does not know.
    #[error("unknown {context} message with tag `{}`", tag.escape_ascii())]
    UnknownTag {
        /// Which family of messages.
        context: &'static str,
        /// The tag byte.
        tag: u8,
    },
    /// A text to be sent holds a zero byte, which would end it early.
    #[error("a {field} with a zero byte cannot be sent")]
    ZeroByte {
        /// Which field.
        field: &'static str,
    },
    /// A message to be sent is larger than the protocol's length field.
    #[error("a {field} is too large to be sent")]
    TooLargeToSend {
        /// Which field.
        field: &'static str,
    },
    /// The password exchange did not go as SCRAM requires; the peer may not be the server.
    #[error("the server's part of the password exchange is wrong: {reason}")]
    Sasl {
        /// Which step failed.
        reason: &'static str,
    },
    /// A first packet announces a length that no startup packet has.
    #[error("a first packet announces an impossible length of {announced} bytes")]
    StartupLength {
        /// The announced length in bytes, its own four included.
        announced: u32,
    },
    /// A client wants a protocol that is not version 3.
    #[error("unsupported frontend protocol {major}.{minor}: the server supports 3.0 and later minor versions")]
    UnsupportedProtocol {
        /// The major version asked for.
        major: u16,
        /// The minor version asked for.
        minor: u16,
    },
    /// A startup packet names no user.
    #[error("no user name specified in the startup packet")]
    NoUser,
    /// Bytes followed a request for encryption before it was answered; somebody in the middle may have put them there.
    #[error("a client sent {extra} bytes unencrypted after asking for encryption")]
    UnencryptedBytes {
        /// How many bytes.
        extra: usize,
    },
    /// A name is longer than any that is accepted.
    #[error("a {message} message holds a {field} of more than {limit} bytes")]
    NameTooLong {
        /// Which message.
        message: &'static str,
        /// Which name.
        field: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
}

impl CodecError {
    /// The SQLSTATE by which a server tells its client.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::UnsupportedProtocol { .. } => "0A000",
            Self::NoUser => "28000",
            Self::NotUtf8 { .. } => "22021",
            Self::TooLargeToSend { .. } => "54000",
            _ => "08P01",
        }
    }
}
