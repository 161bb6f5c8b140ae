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

/// The route of the move's clients.
pub(super) struct Route {
    standing: Standing,
    /// The migrations whose clients were led by the same decision as these, this one among them.
    led_with: Vec<String>,
}

/// The route of the move's clients; none where the estate file does not name the databases, or there is no journal.
pub(super) async fn route(endpoints: &Endpoints, context: &Context) -> Result<Option<Route>, Failure> {
    if endpoints.places.is_none() {
        return Ok(None);
    }
    let Some(journal) = Journal::existing(context).await? else { return Ok(None) };
    let standing = standing(endpoints, &Routes::new(journal.store.clone())).await;
    journal.close().await;
    standing
}

/// The same, of a journal that is open.
pub(super) async fn standing(endpoints: &Endpoints, routes: &Routes) -> Result<Option<Route>, Failure> {
    let Some(Places { source, .. }) = &endpoints.places else { return Ok(None) };
    let read = async {
        let standing = routes.standing(source).await?;
        let led = match &standing.leads_to {
            Some(led) => routes.epoch(source, led.epoch).await?,
            None => None,
        };
        let led_with = led.map_or_else(|| vec![endpoints.name.to_string()], |(epoch, _)| migrations(&epoch));
        Ok::<_, atalaya_route::Error>(Some(Route { standing, led_with }))
    };
    read.await.map_err(|error| {
        let hint = error.hint();
        Failure::new(exit::FAILED, &error, hint)
    })
}

/// Refuses while an epoch is open, or where the journal leads clients elsewhere than `serving`, which the move says; none
/// where the target knows no such move.
pub(super) fn refuse_unsettled(
    endpoints: &Endpoints,
    route: Option<&Route>,
    serving: Option<Side>,
) -> Result<(), Failure> {
    let (Some(places), Some(Route { standing, led_with })) = (&endpoints.places, route) else { return Ok(()) };
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
            led_with.join(" ")
        )),
    })
}

/// Refuses where clients are led by another decision than at the beginning, or are about to be.
pub(super) fn refuse_changed(before: Option<&Route>, now: Option<&Route>) -> Result<(), Failure> {
    let standing = |route: Option<&Route>| route.map(|route| route.standing.clone()).unwrap_or_default();
    let (before, now) = (standing(before), standing(now));
    if before.leads_to == now.leads_to && now.open.is_none() {
        return Ok(());
    }
    Err(Failure {
        code: exit::REFUSED,
        message: "clients were led elsewhere meanwhile".to_owned(),
        hint: Some(
            "see `atalaya migrate status`, and run the same command again if the move is to end still".to_owned(),
        ),
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
            migrations(open).join(" ")
        )),
    }
}

/// Every migration that is decided with an epoch, in the order of the databases' names.
fn migrations(epoch: &OpenEpoch) -> Vec<String> {
    let mut group: Vec<_> = epoch.group().collect();
    group.sort_by(|one, other| one.database.cmp(&other.database));
    group.into_iter().map(|member| member.migration).collect()
}
