//! Messages to a server that a gateway writes anew, with another statement's name or of its own.
//!
//! A zero byte in a name or text would let what follows it be read as something else, so it is an error.

use super::client_message::{Named, client_tag};
use super::write::{header, message, terminated};
use crate::CodecError;

/// No formats of parameters, no parameters, no formats of results.
const NO_FORMATS_AND_VALUES: [u8; 6] = [0; 6];
/// As many rows as there are.
const ALL_ROWS: [u8; 4] = [0; 4];

/// Prepares a statement; `rest` as in [`Parse`](super::Parse).
///
/// # Errors
/// When the name or text holds a zero byte, or all is larger than a message can be. Nothing is written then.
pub fn parse(name: &[u8], sql: &[u8], rest: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    checked(name, "statement name")?;
    checked(sql, "statement")?;
    header(client_tag::PARSE, name.len() + sql.len() + rest.len() + 2, out)?;
    terminated(name, out);
    terminated(sql, out);
    out.extend_from_slice(rest);
    Ok(())
}

/// Begins a Bind: the header and both names. `rest_bytes` more bytes, its formats and values, have to follow.
///
/// # Errors
/// When a name holds a zero byte, or all is larger than a message can be. Nothing is written then.
pub fn bind_head(portal: &[u8], statement: &[u8], rest_bytes: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    checked(portal, "portal name")?;
    checked(statement, "statement name")?;
    header(client_tag::BIND, (portal.len() + statement.len() + 2).saturating_add(rest_bytes), out)?;
    terminated(portal, out);
    terminated(statement, out);
    Ok(())
}

/// Binds a statement without parameters, whose results are wanted as texts.
///
/// # Errors
/// When a name holds a zero byte.
pub fn bind(portal: &[u8], statement: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    bind_head(portal, statement, NO_FORMATS_AND_VALUES.len(), out)?;
    out.extend_from_slice(&NO_FORMATS_AND_VALUES);
    Ok(())
}

/// Runs a portal to its end.
///
/// # Errors
/// When the name holds a zero byte.
pub fn execute(portal: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    checked(portal, "portal name")?;
    header(client_tag::EXECUTE, portal.len() + 1 + ALL_ROWS.len(), out)?;
    terminated(portal, out);
    out.extend_from_slice(&ALL_ROWS);
    Ok(())
}

/// Asks for a statement's parameters and columns.
///
/// # Errors
/// When the name holds a zero byte.
pub fn describe_statement(name: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    statement(client_tag::DESCRIBE, name, out)
}

/// Closes a statement.
///
/// # Errors
/// When the name holds a zero byte.
pub fn close_statement(name: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    statement(client_tag::CLOSE, name, out)
}

/// Has the server send what it has answered so far.
pub fn flush(out: &mut Vec<u8>) {
    message(client_tag::FLUSH, out, |_| {});
}

/// Ends a series of messages of the extended query protocol.
pub fn sync(out: &mut Vec<u8>) {
    message(client_tag::SYNC, out, |_| {});
}

/// Runs statements by the simple query protocol.
///
/// # Errors
/// When the text holds a zero byte or is larger than a message can be.
pub fn query(sql: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    checked(sql, "statement")?;
    header(client_tag::QUERY, sql.len() + 1, out)?;
    terminated(sql, out);
    Ok(())
}

fn statement(tag: u8, name: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    checked(name, "statement name")?;
    header(tag, name.len() + 2, out)?;
    out.push(Named::STATEMENT);
    terminated(name, out);
    Ok(())
}

fn checked(text: &[u8], field: &'static str) -> Result<(), CodecError> {
    match text.contains(&0) {
        true => Err(CodecError::ZeroByte { field }),
        false => Ok(()),
    }
}
