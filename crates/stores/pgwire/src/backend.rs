//! The messages a server sends, decoded from frames.

use bytes::Bytes;

use crate::frame::{Frame, tag};
use crate::reader::Reader;
use crate::{CodecError, ServerError};

/// What the server wants for login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Login is complete.
    Ok,
    /// The password as it is.
    CleartextPassword,
    /// The password hashed by MD5 with this salt.
    Md5Password {
        /// Four random bytes.
        salt: [u8; 4],
    },
    /// One of these SASL mechanisms.
    Sasl {
        /// Names in the server's order of preference.
        mechanisms: Vec<String>,
    },
    /// The next step of SASL.
    SaslContinue(Bytes),
    /// The last step of SASL, which proves that the server knows the password too.
    SaslFinal(Bytes),
    /// A method that is not supported here (Kerberos, GSSAPI, SSPI), by its number.
    Unsupported(i32),
}

/// Where the session stands between statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside a transaction.
    Idle,
    /// Inside a transaction.
    Open,
    /// Inside a transaction that failed.
    Failed,
}

/// One message of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendMessage {
    /// A step of login.
    Authentication(Authentication),
    /// What a cancel request has to name.
    BackendKeyData {
        /// The server process of this session.
        process_id: i32,
        /// The secret that goes with it.
        secret_key: i32,
    },
    /// A setting's value.
    ParameterStatus {
        /// The setting.
        name: String,
        /// Its value now.
        value: String,
    },
    /// The server waits for the next query.
    ReadyForQuery(TransactionStatus),
    /// A statement failed, or the session ends.
    Error(ServerError),
    /// A warning or notice.
    Notice(ServerError),
    /// The columns of the rows to come.
    RowDescription {
        /// Column names.
        columns: Vec<String>,
    },
    /// A row; `None` is NULL.
    DataRow {
        /// Values in the format asked for; text in simple queries.
        values: Vec<Option<Bytes>>,
    },
    /// A statement is done.
    CommandComplete {
        /// The command's tag, such as `INSERT 0 3`.
        command: String,
    },
    /// The query held no statement.
    EmptyQuery,
    /// The server wants copy data.
    CopyIn,
    /// Copy data follows.
    CopyOut,
    /// Both directions of copy data are open: replication.
    CopyBoth,
    /// A piece of copy data.
    CopyData(Bytes),
    /// Copy data is complete.
    CopyDone,
    /// A message of LISTEN.
    Notification,
    /// The server knows only an older minor version of the protocol.
    NegotiateProtocolVersion,
}

impl BackendMessage {
    /// Understands one frame.
    ///
    /// # Errors
    /// When the tag is unknown or the body is not what the tag promises.
    pub fn decode(frame: Frame) -> Result<Self, CodecError> {
        Ok(match frame.tag {
            tag::COPY_DATA => Self::CopyData(frame.body),
            tag::DATA_ROW => Self::DataRow { values: data_row(frame.body)? },
            tag::AUTHENTICATION => Self::Authentication(authentication(frame.body)?),
            tag::BACKEND_KEY_DATA => {
                let mut reader = Reader::new("backend key", frame.body);
                Self::BackendKeyData { process_id: reader.i32("process")?, secret_key: reader.i32("secret")? }
            }
            tag::PARAMETER_STATUS => {
                let mut reader = Reader::new("parameter status", frame.body);
                Self::ParameterStatus { name: reader.lossy_text("name")?, value: reader.lossy_text("value")? }
            }
            tag::READY_FOR_QUERY => Self::ReadyForQuery(transaction_status(frame.body)?),
            tag::ERROR_RESPONSE => Self::Error(ServerError::decode(frame.body)?),
            tag::NOTICE_RESPONSE => Self::Notice(ServerError::decode(frame.body)?),
            tag::ROW_DESCRIPTION => Self::RowDescription { columns: row_description(frame.body)? },
            tag::COMMAND_COMPLETE => {
                Self::CommandComplete { command: Reader::new("command complete", frame.body).text("command")? }
            }
            tag::EMPTY_QUERY_RESPONSE => Self::EmptyQuery,
            tag::COPY_IN_RESPONSE => Self::CopyIn,
            tag::COPY_OUT_RESPONSE => Self::CopyOut,
            tag::COPY_BOTH_RESPONSE => Self::CopyBoth,
            tag::COPY_DONE => Self::CopyDone,
            tag::NOTIFICATION_RESPONSE => Self::Notification,
            tag::NEGOTIATE_PROTOCOL_VERSION => Self::NegotiateProtocolVersion,
            tag => {
                return Err(CodecError::UnknownTag { context: "server", tag });
            }
        })
    }

    /// The number of rows at the end of a command's tag (`COPY 5`, `INSERT 0 3`); 0 where there is none.
    #[must_use]
    pub fn rows_of_command(command: &str) -> u64 {
        command.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

fn authentication(body: Bytes) -> Result<Authentication, CodecError> {
    let mut reader = Reader::new("authentication", body);
    Ok(match reader.i32("method")? {
        0 => Authentication::Ok,
        3 => Authentication::CleartextPassword,
        5 => {
            let salt = reader.take(4, "salt")?;
            let salt = salt.first_chunk::<4>().copied().ok_or_else(|| reader.invalid("salt"))?;
            Authentication::Md5Password { salt }
        }
        10 => {
            let mut mechanisms = Vec::new();
            loop {
                let name = reader.text("mechanism")?;
                if name.is_empty() {
                    break Authentication::Sasl { mechanisms };
                }
                mechanisms.push(name);
            }
        }
        11 => Authentication::SaslContinue(reader.rest()),
        12 => Authentication::SaslFinal(reader.rest()),
        other => Authentication::Unsupported(other),
    })
}

fn transaction_status(body: Bytes) -> Result<TransactionStatus, CodecError> {
    let mut reader = Reader::new("ready for query", body);
    match reader.u8("transaction status")? {
        b'I' => Ok(TransactionStatus::Idle),
        b'T' => Ok(TransactionStatus::Open),
        b'E' => Ok(TransactionStatus::Failed),
        _ => Err(reader.invalid("transaction status")),
    }
}

fn row_description(body: Bytes) -> Result<Vec<String>, CodecError> {
    const FIXED_BYTES: usize = 18;
    let mut reader = Reader::new("row description", body);
    let count = reader.u16("column count")?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(reader.text("column name")?);
        reader.take(FIXED_BYTES, "column")?;
    }
    reader.finish()?;
    Ok(columns)
}

fn data_row(body: Bytes) -> Result<Vec<Option<Bytes>>, CodecError> {
    let mut reader = Reader::new("data row", body);
    let count = reader.u16("column count")?;
    let mut values = Vec::with_capacity(usize::from(count).min(reader.remaining()));
    for _ in 0..count {
        let length = reader.i32("value length")?;
        values.push(match usize::try_from(length) {
            Ok(length) => Some(reader.take(length, "value")?),
            Err(_) if length == -1 => None,
            Err(_) => return Err(reader.invalid("value length")),
        });
    }
    reader.finish()?;
    Ok(values)
}
