//! What a proof of one direction means for the other one, whose source clients are led to.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_postgres::Session;

use crate::moment::APPLICATION_NAME;
use crate::proof::{Ledger, Standing};
use crate::survey::{Survey, survey};
use crate::{Error, Plan, Scope};

/// Has the replicator of a migration note the keys that it writes from its next fence or start on. For a way back: to be
/// done while nobody has been led over yet.
///
/// # Errors
/// When a side cannot be reached, there is no such migration, or another proof of it runs.
pub async fn note_from_now_on(plan: &Plan) -> Result<(), Error> {
    let Some((ledger, survey, standing)) = open(plan).await? else { return Ok(()) };
    ledger.arm(&standing, &survey.units).await
}

/// Takes every table of a migration for compared row by row, `age` ago: another proof has found both sides equal at rest,
/// and this migration's replicator notes what it writes since before. `at` is the position of the plan's source then. Written
/// by a session on the plan's target that its caller knows to be in charge.
///
/// # Errors
/// When a side cannot be reached, there is no such migration, or that session is lost.
pub async fn take_for_proven(plan: &Plan, writing: &Session, at: Lsn, age: Duration) -> Result<(), Error> {
    let Some((ledger, survey, standing)) = open(plan).await? else { return Ok(()) };
    ledger.take_for_proven(writing, &standing, &survey.units, at, age).await
}

/// Takes no table of a migration for compared any more, until it is again: clients write to its target by now, and its
/// replicator notes nothing of that. Written by a session as that of [`take_for_proven`].
///
/// # Errors
/// When that session is lost.
pub async fn forget_proven(plan: &Plan, writing: &Session) -> Result<(), Error> {
    let (Scope::Drained { name } | Scope::Migration { name }) = &plan.scope else { return Ok(()) };
    crate::proof::forget_proven(writing, name).await
}

async fn open(plan: &Plan) -> Result<Option<(Ledger, Survey, Standing)>, Error> {
    let (Scope::Drained { name } | Scope::Migration { name }) = &plan.scope else { return Ok(None) };
    let (source, target) = tokio::try_join!(
        Session::connect_for_control(&plan.source, APPLICATION_NAME),
        Session::connect_for_control(&plan.target, APPLICATION_NAME)
    )?;
    let survey = survey(plan, &source, &target).await?;
    let standing = Standing::read(&target, name).await?;
    match Ledger::open(plan, name).await? {
        Some(ledger) => Ok(Some((ledger, survey, standing))),
        None => Err(Error::AnotherProof { name: name.clone() }),
    }
}
