//! Rows and hashes of one table on one server.

use atalaya_postgres::Session;

use super::document::Total;
use crate::Error;
use crate::canonical::SideSql;

/// Counts and hashes every row of a side.
pub(crate) async fn total(session: &Session, side: &SideSql) -> Result<Total, Error> {
    let row = session.query_one(&side.total(), &[]).await?;
    let rows = u64::try_from(row.get::<_, i64>(0)).map_err(|_| Error::Shape { action: "counting rows" })?;
    Ok(Total { rows, hash: row.get(1) })
}

/// Why a server did not count; an error that is not the server's answer stays one.
pub(crate) fn refusal(error: Error) -> Result<String, Error> {
    match &error {
        Error::Postgres(answer) => match answer.sqlstate() {
            Some(code) => Ok(format!("the server refused to read it (SQLSTATE {code})")),
            None => Err(error),
        },
        _ => Err(error),
    }
}
