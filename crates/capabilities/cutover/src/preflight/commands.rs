//! What commands in place of gateways cannot promise.

use super::check::Seen;
use crate::course::{Course, Means};
use crate::gate::{GateKind, Holding};

const ID: &str = "commands";

pub(super) fn look(course: &Course, means: &Means, seen: &mut Seen) {
    let kinds = means.gates.iter().map(|gate| gate.kind());
    let Some(holding) =
        kinds.filter_map(|kind| if let GateKind::Commands(how) = kind { Some(how) } else { None }).next()
    else {
        return;
    };
    let (from, migration) = (&course.from, &course.migration);
    match (holding, means.limits.grace.is_zero()) {
        (Holding::Command, _) => seen.info(
            ID,
            "clients are held as far as the command of --hold-command does; sessions that it leaves on the server are ended",
        ),
        (Holding::Nobody, true) => seen.warn(
            ID,
            format!("nobody holds clients: their sessions in `{from}` are ended, and what they run is rolled back"),
            "have applications connect and try again; --drain waits for what runs, --hold-command holds a pooler's clients",
        ),
        (Holding::Nobody, false) => seen.warn(
            ID,
            format!("nobody holds clients: their sessions in `{from}` are ended, each once its transaction is over"),
            "have applications connect again; one whose transaction begins in that very moment has to try it again",
        ),
    }
    seen.warn(
        ID,
        format!("if this command is killed while clients are kept out, nobody but the same command lets them in to `{from}`"),
        format!("run it where it stays, and run it again at once if it is gone: `{migration}` goes on, or back to where it was"),
    );
    seen.warn(
        ID,
        format!(
            "nobody sees who follows the command of --switch-command: whoever goes on to `{from}` is refused there"
        ),
        "see that it reaches every client, and how long what they have looked up is kept",
    );
}
