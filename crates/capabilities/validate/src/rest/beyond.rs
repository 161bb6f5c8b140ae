//! Tables of which a proof at rest could not tell, found out before anybody is held.

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use super::{is_small, left_out};
use crate::moment::APPLICATION_NAME;
use crate::proof::Standing;
use crate::survey::survey;
use crate::{Error, Plan, Scope};

/// A table of which a proof at rest could not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeyondRest {
    /// The source's.
    pub table: RelationName,
    /// Why not.
    pub why: Beyond,
}

/// Why a proof at rest could not tell of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// It is not compared yet by any proof.
    NotCompared,
    /// It has no key, too many rows to be compared as a whole, and was written to since the last proof.
    NoKeyWritten,
    /// The same, but it was not written to since.
    NoKey,
}

/// Tables of a migration of which a proof at rest could not tell, as things are, however often they are proven before:
/// those with a key are compared while clients work, and what they write behind that is looked up.
///
/// # Errors
/// As [`RestProof::prepare`].
pub async fn beyond_rest(plan: &Plan, full_rows_max: u64) -> Result<Vec<BeyondRest>, Error> {
    let (Scope::Drained { name } | Scope::Migration { name }) = &plan.scope else {
        return Err(Error::Shape { action: "looking what a proof at rest can tell" });
    };
    let (source, target) = tokio::try_join!(
        Session::connect_for_control(&plan.source, APPLICATION_NAME),
        Session::connect_for_control(&plan.target, APPLICATION_NAME)
    )?;
    let survey = survey(plan, &source, &target).await?;
    let standing = Standing::read(&target, name).await?;
    let keyless = survey.units.iter().filter(|unit| unit.key.is_empty() && !is_small(unit, full_rows_max));
    let keyless = keyless.map(|unit| {
        let is_written = standing.of(&unit.target_name).is_none_or(|table| table.whole || table.keys > 0);
        let why = if is_written { Beyond::NoKeyWritten } else { Beyond::NoKey };
        BeyondRest { table: unit.source_name.clone(), why }
    });
    let not_compared = left_out(&survey, crate::SkipVerdict::NotProven).into_iter();
    Ok(keyless.chain(not_compared.map(|table| BeyondRest { table, why: Beyond::NotCompared })).collect())
}
