//! Where the journal says that clients are led, against what the move has written down of it.
//!
//! The route in the journal decides; the move hears of it only behind the decision, from whoever leads clients. Between
//! both, or while an epoch is open, nothing may end the move or its way back: it would go by what is not so any more.

use atalaya_replicate::Side;
use atalaya_route::{OpenEpoch, Routes, Standing};

use crate::endpoints::{Endpoints, Places};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::Journal;

/// The route of the move's clients; none where the estate file does not name the databases, or there is no journal.
pub(super) async fn route(endpoints: &Endpoints, context: &Context) -> Result<Option<Standing>, Failure> {
    if endpoints.places.is_none() {
        return Ok(None);
    }
    let Some(journal) = Journal::existing(context).await? else { return Ok(None) };
    let standing = standing(endpoints, &Routes::new(journal.store.clone())).await;
    journal.close().await;
    standing
}

/// The same, of a journal that is open.
pub(super) async fn standing(endpoints: &Endpoints, routes: &Routes) -> Result<Option<Standing>, Failure> {
    let Some(Places { source, .. }) = &endpoints.places else { return Ok(None) };
    match routes.standing(source).await {
        Ok(standing) => Ok(Some(standing)),
        Err(error) => {
            let hint = error.hint();
            Err(Failure::new(exit::FAILED, &error, hint))
        }
    }
}

/// Refuses while an epoch is open, or where the journal leads clients elsewhere than `serving`, which the move says; none
/// where the target knows no such move.
pub(super) fn refuse_unsettled(
    endpoints: &Endpoints,
    standing: Option<&Standing>,
    serving: Option<Side>,
) -> Result<(), Failure> {
    let (Some(places), Some(standing)) = (&endpoints.places, standing) else { return Ok(()) };
    if let Some(open) = &standing.open {
        return Err(undecided(open, places));
    }
    let led = match standing.leads_to.as_ref().is_some_and(|led| led.to == places.target) {
        true => Side::Target,
        false => Side::Source,
    };
    if serving.is_none_or(|serving| serving == led) {
        return Ok(());
    }
    let (verb, place) = match led {
        Side::Target => ("cutover", &places.target),
        Side::Source => ("rollback", &places.source),
    };
    Err(Failure {
        code: exit::REFUSED,
        message: format!(
            "the journal says that clients are led to `{place}`, and the move does not know of it: a {verb} was cut off"
        ),
        hint: Some(format!(
            "run the same command again to bring it to its end: `atalaya migrate {verb} {}`",
            endpoints.name
        )),
    })
}

fn undecided(open: &OpenEpoch, places: &Places) -> Failure {
    let verb = if open.opening.to == places.source { "rollback" } else { "cutover" };
    let rehearsal = if open.opening.rehearsal { " --rehearse" } else { "" };
    Failure {
        code: exit::REFUSED,
        message: format!("clients of `{}` are being led elsewhere: epoch {} is not decided", open.database, open.epoch),
        hint: Some(format!(
            "run the same command again to bring it to its end: `atalaya migrate {verb} {}{rehearsal}`",
            open.opening.migration
        )),
    }
}
