//! What the gateways say.

use futures_util::future::join_all;

use super::check::Seen;
use crate::course::{Course, Means};

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) {
    const ID: &str = "gateways";
    if means.gates.is_empty() {
        seen.fail(ID, "no gateway is named", "name each one with --gateway, or `gateway.admin` in the estate file");
    }
    let asked =
        means.gates.iter().map(|gate| async move { (gate.address(), gate.ready(&course.database, &course.to).await) });
    let last_epoch = means.routes.standing(&course.database).await.ok().map(|standing| standing.last_epoch);
    let mut known: Vec<String> = Vec::new();
    for (address, ready) in join_all(asked).await {
        match ready {
            Ok(ready) => {
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
                known.push(ready.gate);
            }
            Err(error) => {
                let hint =
                    error.hint.clone().unwrap_or_else(|| "see that the gateway runs and can be reached".to_owned());
                seen.fail(ID, format!("`{address}`: {error}"), hint);
            }
        }
    }
}
