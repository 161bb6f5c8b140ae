//! What the gateways say.

use futures_util::future::join_all;

use super::check::Seen;
use crate::PartError;
use crate::course::{Course, Means};
use crate::gate::GateKind;
use crate::switch::leads_nobody;

const ID: &str = "gateways";

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) {
    if means.gates.is_empty() {
        seen.fail(
            ID,
            "no gateway is named",
            "name each one with --gateway, or `gateway.admin` in the estate file, or lead clients by --switch-command",
        );
    }
    let gateways: Vec<_> = means.gates.iter().filter(|gate| gate.kind() == GateKind::Gateway).collect();
    let asked =
        gateways.iter().map(|gate| async move { (gate.address(), gate.ready(&course.database, &course.to).await) });
    let last_epoch = means.routes.standing(&course.database).await.ok().map(|standing| standing.last_epoch);
    let mut known: Vec<String> = Vec::new();
    for (address, ready) in join_all(asked).await {
        match ready {
            // It is needed for another one of several.
            Ok(None) if means.are_for_several() => {
                seen.info(ID, format!("`{address}` leads no client to `{}`", course.database));
            }
            Ok(None) => refused(address, &leads_nobody(course), seen),
            Ok(Some(ready)) => {
                if known.contains(&ready.gate) {
                    seen.fail(ID, format!("gateway `{}` is named twice", ready.gate), "name each gateway once");
                }
                let (gate, running) = (&ready.gate, ready.running);
                seen.info(ID, format!("`{gate}` at `{address}` is ready; {running} transactions run"));
                if last_epoch != Some(ready.last_epoch) {
                    seen.fail(
                        ID,
                        format!("`{gate}` reads another journal than this command"),
                        "start it with the same --journal, or the same --state where that is a folder",
                    );
                }
                if ready.pinned > 0 {
                    seen.warn(
                        "pinned-clients",
                        format!("{} clients of `{gate}` are tied to their server, and will be ended", ready.pinned),
                        "`atalaya gateway status` shows why each is tied",
                    );
                }
                if ready.misled > 0 {
                    seen.warn(
                        "pinned-clients",
                        format!(
                            "{} clients of `{gate}` know types by numbers that the other server gives to other types, and \
                             will be ended",
                            ready.misled
                        ),
                        "nothing, where they connect again by themselves",
                    );
                }
                known.push(ready.gate);
            }
            Err(error) => refused(address, &error, seen),
        }
    }
    if known.is_empty() && means.are_for_several() && !gateways.is_empty() {
        let text = format!("no gateway is ready that leads clients to `{}`", course.database);
        seen.fail(ID, text, "name every gateway with --gateway");
    }
}

fn refused(address: &str, error: &PartError, seen: &mut Seen) {
    let hint = error.hint.clone().unwrap_or_else(|| "see that the gateway runs and can be reached".to_owned());
    seen.fail(ID, format!("`{address}`: {error}"), hint);
}
