//! The messages a client sends, written to the end of a buffer.

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use crate::CodecError;

/// Asks whether the server speaks TLS; it answers with one byte, `S` or `N`.
pub fn ssl_request(out: &mut BytesMut) {
    frontend::ssl_request(out);
}

/// Opens a session of protocol 3.0.
///
/// # Errors
/// When a name or value holds a zero byte.
pub fn startup<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    out: &mut BytesMut,
) -> Result<(), CodecError> {
    frontend::startup_message(parameters, out).map_err(|_| CodecError::ZeroByte { field: "startup parameter" })
}

/// Runs one or more statements by the simple query protocol.
///
/// # Errors
/// When the text holds a zero byte.
pub fn query(sql: &str, out: &mut BytesMut) -> Result<(), CodecError> {
    frontend::query(sql, out).map_err(|_| CodecError::ZeroByte { field: "statement" })
}

/// Sends a password or its hash.
///
/// # Errors
/// When the password holds a zero byte.
pub fn password(password: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
    frontend::password_message(password, out).map_err(|_| CodecError::ZeroByte { field: "password" })
}

/// The text that answers [`crate::Authentication::Md5Password`].
#[must_use]
pub fn md5_password(user: &str, password: &str, salt: [u8; 4]) -> String {
    postgres_protocol::authentication::md5_hash(user.as_bytes(), password.as_bytes(), salt)
}

/// Ends copy data.
pub fn copy_done(out: &mut BytesMut) {
    frontend::copy_done(out);
}

/// Gives up a copy; the server then fails the statement.
///
/// # Errors
/// When the reason holds a zero byte.
pub fn copy_fail(reason: &str, out: &mut BytesMut) -> Result<(), CodecError> {
    frontend::copy_fail(reason, out).map_err(|_| CodecError::ZeroByte { field: "reason" })
}

/// Asks, on a connection of its own, that another session's statement be cancelled.
pub fn cancel_request(process_id: i32, secret_key: i32, out: &mut BytesMut) {
    frontend::cancel_request(process_id, secret_key, out);
}

/// Says goodbye.
pub fn terminate(out: &mut BytesMut) {
    frontend::terminate(out);
}
