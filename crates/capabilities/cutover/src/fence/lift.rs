//! Lets everybody in again who could log in before.

use atalaya_postgres::Session;
use atalaya_postgres::control::lift_client_fence;

use super::{FenceError, Plan, statements};

/// The statements that lift the fence of an epoch, for whoever may have to do it: run as one batch, by a session of the
/// fencing role. Run again, or by several at once, they do nothing more.
#[must_use]
pub fn lifting(plan: &Plan, route: &str, epoch: u64) -> Vec<String> {
    vec![statements::lifting(plan, route, epoch)]
}

/// Runs statements that lift a fence.
///
/// # Errors
/// The server's.
pub async fn lift(session: &Session, statements: &[String]) -> Result<(), FenceError> {
    Ok(session.batch(&statements.join(";\n")).await?)
}

/// Lifts the fence that stands where one of the epochs up to `last` raised it; says which one that was. What a later epoch
/// has raised is left alone.
///
/// # Errors
/// The server's.
pub async fn lift_standing(session: &Session, route: &str, last: u64) -> Result<Option<u64>, FenceError> {
    Ok(lift_client_fence(session, route, last).await?)
}
