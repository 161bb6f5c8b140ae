//! What a client sends after its first packet; bodies without the header, borrowed.
//!
//! Only what a gateway has to know is read. Texts are bytes: their encoding is the session's affair.

use crate::CodecError;

use super::cursor::Cursor;

/// Tag bytes of the messages a client sends.
pub mod client_tag {
    #![expect(missing_docs, reason = "each is named as in the manual's chapter on message formats")]
    pub const BIND: u8 = b'B';
    pub const CLOSE: u8 = b'C';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_FAIL: u8 = b'f';
    pub const DESCRIBE: u8 = b'D';
    pub const EXECUTE: u8 = b'E';
    pub const FLUSH: u8 = b'H';
    pub const FUNCTION_CALL: u8 = b'F';
    pub const PARSE: u8 = b'P';
    /// A password, or a step of SASL.
    pub const PASSWORD: u8 = b'p';
    pub const QUERY: u8 = b'Q';
    pub const SYNC: u8 = b'S';
    pub const TERMINATE: u8 = b'X';
}

/// Statements of the simple query protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// The text; it holds no zero byte.
    pub sql: &'a [u8],
}

impl<'a> Query<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// When the text does not end with the body.
    pub fn decode(body: &'a [u8]) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new("query", body);
        let sql = cursor.text("statement")?;
        cursor.finish()?;
        Ok(Self { sql })
    }
}

/// A statement to be prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty for the unnamed one.
    pub name: &'a [u8],
    /// Its text; it holds no zero byte.
    pub sql: &'a [u8],
    /// The number of given parameter types in two bytes and their OIDs in four each.
    pub rest: &'a [u8],
}

impl<'a> Parse<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is cut short, too long, or its name is longer than 10,000 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Self, CodecError> {
        const OID_BYTES: usize = 4;
        let mut cursor = Cursor::new("parse", body);
        let name = cursor.name("statement name")?;
        let sql = cursor.text("statement")?;
        let rest = cursor.rest();
        let announced = usize::from(cursor.u16("parameter count")?) * OID_BYTES;
        match cursor.rest().len() {
            length if length < announced => Err(cursor.truncated("parameter types")),
            length if length > announced => Err(CodecError::TooLong { message: "parse", extra: length - announced }),
            _ => Ok(Self { name, sql, rest }),
        }
    }
}

/// The names at the beginning of a Bind; what follows may be large and is for the server to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindNames<'a> {
    /// The portal's name; empty for the unnamed one.
    pub portal: &'a [u8],
    /// The statement's name; empty for the unnamed one.
    pub statement: &'a [u8],
    /// What is there of formats and values.
    pub rest: &'a [u8],
}

impl<'a> BindNames<'a> {
    /// Reads the beginning of a body. `None`: the names go on after these bytes. For a body that is all there
    /// use [`Self::decode`], which takes that for an error.
    ///
    /// # Errors
    /// When a name is longer than 10,000 bytes.
    pub fn decode_prefix(body: &'a [u8]) -> Result<Option<Self>, CodecError> {
        let mut cursor = Cursor::new("bind", body);
        let Some(portal) = cursor.partial_name("portal name")? else {
            return Ok(None);
        };
        let Some(statement) = cursor.partial_name("statement name")? else {
            return Ok(None);
        };
        Ok(Some(Self { portal, statement, rest: cursor.rest() }))
    }

    /// Reads the names of a body that is all there.
    ///
    /// # Errors
    /// When a name has no end or is longer than 10,000 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Self, CodecError> {
        Self::decode_prefix(body)?.ok_or(CodecError::Truncated { message: "bind", field: "statement name" })
    }
}

/// A Describe or a Close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// `S` for a statement, `P` for a portal.
    pub kind: u8,
    /// Its name; empty for the unnamed one.
    pub name: &'a [u8],
}

impl<'a> Named<'a> {
    /// The kind of a prepared statement.
    pub const STATEMENT: u8 = b'S';
    /// The kind of a portal.
    pub const PORTAL: u8 = b'P';

    /// Reads a body.
    ///
    /// # Errors
    /// When it names neither a statement nor a portal, is cut short or too long.
    pub fn decode(body: &'a [u8]) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new("describe or close", body);
        let kind = cursor.u8("kind")?;
        if !matches!(kind, Self::STATEMENT | Self::PORTAL) {
            return Err(cursor.invalid("kind"));
        }
        let name = cursor.name("name")?;
        cursor.finish()?;
        Ok(Self { kind, name })
    }
}

/// A portal to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The portal's name; empty for the unnamed one.
    pub portal: &'a [u8],
    /// The most rows to send before the portal is suspended; 0 or less for all.
    pub rows_max: i32,
}

impl<'a> Execute<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is cut short, too long, or its name is longer than 10,000 bytes.
    pub fn decode(body: &'a [u8]) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new("execute", body);
        let portal = cursor.name("portal name")?;
        let rows_max = cursor.i32("row limit")?;
        cursor.finish()?;
        Ok(Self { portal, rows_max })
    }
}

/// The first step of SASL. The steps after it are the message's body as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SaslInitial<'a> {
    /// The mechanism that the client chose.
    pub mechanism: &'a str,
    /// Its first message; empty where it sent none.
    pub data: &'a [u8],
}

impl<'a> SaslInitial<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is cut short or too long.
    pub fn decode(body: &'a [u8]) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new("SASL initial response", body);
        let mechanism = cursor.utf8("mechanism")?;
        let announced = cursor.i32("length")?;
        let data = cursor.rest();
        match usize::try_from(announced) {
            Ok(length) if length == data.len() => Ok(Self { mechanism, data }),
            Ok(length) if length > data.len() => Err(cursor.truncated("data")),
            Err(_) if announced != -1 => Err(cursor.invalid("length")),
            _ => cursor.finish().map(|()| Self { mechanism, data }),
        }
    }
}

/// The password in a PasswordMessage's body, without its final zero.
///
/// # Errors
/// When it does not end with the body.
pub fn password(body: &[u8]) -> Result<&[u8], CodecError> {
    let mut cursor = Cursor::new("password", body);
    let password = cursor.text("password")?;
    cursor.finish()?;
    Ok(password)
}
