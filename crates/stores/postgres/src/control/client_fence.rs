//! Whether clients are kept out of a database, and how they are let in again, as the rows of `atalaya.fence` say.
//!
//! Whoever raises a fence writes there the statement that lifts it, so that everybody with a session of the fencing role
//! can: a coordinator that goes on with another one's work, and gateways that lead clients back to a server that they had
//! been led away from.

use tokio_postgres::types::Type;

use crate::{Error, Session};

/// There is no such table, so no fence was ever raised here; or it is not for this role, who then neither raised it nor could
/// lift it.
const NO_TABLE: [&str; 3] = ["42P01", "3F000", "42501"];

/// A fence as its row says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFence {
    /// The last epoch that was fenced.
    pub raised: u64,
    /// The last epoch that was lifted, or that was over before it was fenced.
    pub lifted: u64,
    /// What lifts the one that was raised.
    pub lift: Option<String>,
}

impl ClientFence {
    /// Whether clients are kept out.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.raised > self.lifted
    }
}

/// The fence of a route in this session's database; as if none was ever raised where there is no row.
///
/// # Errors
/// The server's.
pub async fn client_fence(session: &Session, route: &str) -> Result<ClientFence, Error> {
    let sql = "SELECT raised, lifted, lift FROM atalaya.fence WHERE database = $1";
    let rows = match session.query_typed(sql, &[(&route, Type::TEXT)]).await {
        Err(error) if error.sqlstate().is_some_and(|state| NO_TABLE.contains(&state)) => Vec::new(),
        read => read?,
    };
    Ok(rows.first().map_or_else(ClientFence::default, |row| ClientFence {
        raised: u64::try_from(row.get::<_, i64>(0)).unwrap_or_default(),
        lifted: u64::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
        lift: row.get(2),
    }))
}

/// Lifts the fence that stands where one of the epochs up to `last` raised it; says which one that was. What a later epoch
/// has raised is left alone.
///
/// # Errors
/// The server's.
pub async fn lift_client_fence(session: &Session, route: &str, last: u64) -> Result<Option<u64>, Error> {
    let fence = client_fence(session, route).await?;
    if !fence.is_up() || fence.raised > last {
        return Ok(None);
    }
    let Some(lift) = fence.lift else {
        return Err(Error::Shape { action: "reading what lifts a fence".to_owned() });
    };
    session.batch(&lift).await?;
    Ok(Some(fence.raised))
}
