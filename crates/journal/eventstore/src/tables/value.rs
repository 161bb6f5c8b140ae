//! Values on their way into and out of tables.

use atalaya_postgres::{IsNull, ToSql, Type, to_sql_checked};
use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// One value.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// True or false; 1 or 0 in SQLite.
    Boolean(bool),
    /// Text; in Postgres also a uuid or json by its text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row.
pub type Row = Vec<Value>;

impl std::fmt::Debug for Value {
    /// The kind alone: what is in it is somebody's.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Null => "null",
            Self::Integer(_) => "integer",
            Self::Real(_) => "real",
            Self::Boolean(_) => "boolean",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        })
    }
}

impl Value {
    /// The whole number, if it is one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The bytes, if it is some.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Boolean(value) => ValueRef::Integer(i64::from(*value)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

pub(super) fn from_sqlite(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// A value that the parameter's type cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("a parameter of type `{expected}` was given another kind of value")]
struct OtherKind {
    expected: String,
}

impl ToSql for Value {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let other = || OtherKind { expected: of.name().to_owned() };
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => match *of {
                Type::INT2 => i16::try_from(*number)?.to_sql(of, out),
                Type::INT4 => i32::try_from(*number)?.to_sql(of, out),
                Type::INT8 => number.to_sql(of, out),
                _ => Err(other().into()),
            },
            Self::Real(number) if *of == Type::FLOAT8 => number.to_sql(of, out),
            Self::Boolean(value) if *of == Type::BOOL => value.to_sql(of, out),
            Self::Bytes(bytes) if *of == Type::BYTEA => bytes.to_sql(of, out),
            Self::Text(text) => match *of {
                Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::UNKNOWN | Type::JSON => {
                    out.extend_from_slice(text.as_bytes());
                    Ok(IsNull::No)
                }
                Type::JSONB => {
                    // jsonb's binary form is its text after a version.
                    out.extend_from_slice(&[1]);
                    out.extend_from_slice(text.as_bytes());
                    Ok(IsNull::No)
                }
                Type::UUID => {
                    out.extend_from_slice(uuid::Uuid::parse_str(text)?.as_bytes());
                    Ok(IsNull::No)
                }
                _ => Err(other().into()),
            },
            _ => Err(other().into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

pub(super) fn from_postgres(row: &atalaya_postgres::Row, column: usize, of: &Type) -> Option<Value> {
    Some(match *of {
        Type::INT2 => row.try_get::<_, Option<i16>>(column).ok()?.map(i64::from).into(),
        Type::INT4 => row.try_get::<_, Option<i32>>(column).ok()?.map(i64::from).into(),
        Type::INT8 => row.try_get::<_, Option<i64>>(column).ok()?.into(),
        Type::FLOAT8 => row.try_get::<_, Option<f64>>(column).ok()?.map_or(Value::Null, Value::Real),
        Type::BOOL => row.try_get::<_, Option<bool>>(column).ok()?.into(),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(column).ok()?.into(),
        _ => row.try_get::<_, Option<String>>(column).ok()?.into(),
    })
}
