//! A value of type `json` as the text that the server sends, for whoever reads it by himself.

use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

/// The text of a `json`; it need not be read to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(pub String);

impl<'a> FromSql<'a> for JsonText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::JSON
    }
}
