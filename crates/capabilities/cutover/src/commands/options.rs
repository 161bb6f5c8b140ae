//! What has to be given again, so that what commands have begun comes to its end: the names of options, never their texts.

use crate::course::Means;
use crate::gate::{GateKind, Holding};

/// How a gate of commands names itself.
pub const COMMANDS: &str = "commands";
/// The same where one of them holds clients: somebody has to let them go on.
pub(crate) const HOLDING_COMMANDS: &str = "commands that hold";

const ALL: [&str; 3] = ["--hold-command", "--switch-command", "--release-command"];
const SWITCH: [&str; 1] = ["--switch-command"];

/// The options with which an epoch of these gates was opened; none where only gateways lead its clients.
#[must_use]
pub fn options_of(gates: &[String]) -> &'static [&'static str] {
    let named = |name| gates.iter().any(|gate| gate == name);
    match (named(HOLDING_COMMANDS), named(COMMANDS)) {
        (true, _) => &ALL,
        (false, true) => &SWITCH,
        (false, false) => &[],
    }
}

/// Whether an epoch of these gates is led by gateways, too: those close it by themselves.
#[must_use]
pub fn has_gateways(gates: &[String]) -> bool {
    gates.iter().any(|gate| gate != COMMANDS && gate != HOLDING_COMMANDS)
}

impl Means {
    /// The options of the commands that are given; none where only gateways lead clients.
    #[must_use]
    pub fn command_options(&self) -> &'static [&'static str] {
        let mut kinds = self.gates.iter().map(|gate| gate.kind()).filter(|kind| *kind != GateKind::Gateway);
        match kinds.next() {
            Some(GateKind::Commands(Holding::Command)) => &ALL,
            Some(_) => &SWITCH,
            None => &[],
        }
    }
}
