//! What the journal says.

use super::check::Seen;
use crate::Error;
use crate::course::{Course, Means};

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) -> Result<(), Error> {
    const ID: &str = "route";
    let standing = means.routes.standing(&course.database).await?;
    if let Some(open) = standing.open {
        let text = format!("epoch {} is open, for the migration `{}`", open.epoch, open.opening.migration);
        seen.fail(
            ID,
            text,
            "run the command that opened it again, which ends it; a gateway closes it by itself when its lease is over, commands never do",
        );
    }
    let leads_to = standing.leads_to.map_or_else(|| course.database.clone(), |led| led.to);
    if leads_to == course.to {
        seen.fail(ID, format!("clients are led to `{leads_to}` already"), "nothing is left to do");
    } else if leads_to != course.from {
        seen.fail(
            ID,
            format!("clients are led to `{leads_to}`, not to `{}`", course.from),
            "another migration of this database has to be ended first",
        );
    }
    Ok(())
}
