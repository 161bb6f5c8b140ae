//! A value's text as a parameter, without a copy and without judging its encoding: the server does that.

use atalaya_pgwire::pgoutput::Value;
use atalaya_postgres::{BytesMut, ToSql};

/// The text of a value, sent as `text`.
#[derive(Clone, Copy)]
pub(crate) struct TextValue<'a>(pub(crate) &'a [u8]);

// The bytes are the source's own output and may be a row's value.
impl std::fmt::Debug for TextValue<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TextValue(..)")
    }
}

impl ToSql for TextValue<'_> {
    fn to_sql(
        &self,
        _type: &atalaya_postgres::Type,
        out: &mut BytesMut,
    ) -> Result<atalaya_postgres::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(atalaya_postgres::IsNull::No)
    }

    fn accepts(sql_type: &atalaya_postgres::Type) -> bool {
        *sql_type == atalaya_postgres::Type::TEXT
    }

    atalaya_postgres::to_sql_checked!();
}

/// SQL for the output function's own text of an expression; NULL stays NULL.
pub(crate) fn output_sql(expression: &str) -> String {
    // `IS NOT NULL` would be false for a row value with a NULL in it.
    format!("CASE WHEN pg_catalog.num_nonnulls({expression}) = 1 THEN pg_catalog.concat({expression}) END")
}

/// The text of a value; none for NULL and for what did not travel.
pub(crate) fn text_of(value: Option<&Value>) -> Option<TextValue<'_>> {
    match value {
        Some(Value::Text(bytes) | Value::Binary(bytes)) => Some(TextValue(bytes)),
        _ => None,
    }
}
