//! What is written down of a migration besides its saga's steps.

use atalaya_eventstore::{Event, EventId, EventType, NewEvent, StreamName};
use serde::{Deserialize, Serialize};

use atalaya_data::MigrationId;

/// The category of the streams that these events stand in.
const CATEGORY: &str = "migration";
/// The most bytes of a text that is kept.
const TEXT_BYTES: usize = 4096;
/// The most names that one event lists.
const NAMES: usize = 200;

/// What a proof looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Every row.
    Full,
    /// The keys that were written since every row was proven.
    Touched,
}

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both sides are equal.
    Equal,
    /// What differs was accepted.
    Accepted,
    /// Something differs.
    Different,
    /// Nothing was found to differ, and something could not be proven.
    Unproven,
}

/// One event. Stored as JSON; names of variants and fields are a format. Texts are what the program tells people, who are
/// never told a row's value or a credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MigrationEvent {
    /// A process began to copy or follow.
    RunBegan {
        /// Which run: drawn by it.
        run: String,
        /// The program's version.
        version: String,
        /// The machine that it runs on.
        host: String,
        /// Its process.
        process: u32,
        /// Who started it.
        by: String,
    },
    /// A part of the work began.
    PhaseBegan {
        /// Which.
        phase: String,
    },
    /// A table's rows are copied.
    TableCopied {
        /// Its name.
        table: String,
        /// How many.
        rows: u64,
    },
    /// Everything that the source had written when the copy ended is applied.
    CaughtUp,
    /// A change of the source's schema was made on the target.
    SchemaFollowed {
        /// Which.
        change: String,
    },
    /// Something an operator was told of.
    Warned {
        /// What.
        text: String,
    },
    /// A lost connection, and another try.
    Reconnected {
        /// Which try.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// The process ended its work. A run without this event was killed, or lost its journal.
    RunEnded {
        /// Which run.
        run: String,
        /// `caught up`, `stopped`, `failed`, `refused`, `interrupted`.
        outcome: String,
        /// Why, where it was not asked for.
        reason: Option<String>,
    },
    /// Another run began, and the journal knew no end of the one before: it was killed, or could not write down its last
    /// events.
    RunEndUnknown {
        /// Which run has no end.
        run: String,
    },
    /// Somebody asked the run to end.
    StopAsked {
        /// Who.
        by: String,
    },
    /// Tables became part of the move, or are copied once more.
    TablesAdded {
        /// Who asked for it.
        by: String,
        /// Which.
        tables: Vec<String>,
    },
    /// What is written to the target is brought back to the source from here on.
    WayBackMade {
        /// Who asked for it.
        by: String,
    },
    /// It is not any more.
    WayBackRemoved {
        /// Who asked for it.
        by: String,
    },
    /// Both sides were compared.
    Proven {
        /// Who asked for it.
        by: String,
        /// What was looked at.
        extent: Extent,
        /// What it came to.
        verdict: Verdict,
        /// How many tables were compared.
        tables: u64,
        /// How many rows of the source.
        rows: u64,
        /// Tables that differ.
        different: Vec<String>,
    },
    /// Rows were put right on the target.
    Repaired {
        /// Who asked for it.
        by: String,
        /// How many.
        rows: u64,
    },
    /// What is ours was removed from both sides.
    Removed {
        /// Who asked for it.
        by: String,
        /// Replication slots of the source.
        slots: Vec<String>,
        /// Tables of the target that were dropped, since that was asked for.
        dropped: Vec<String>,
    },
    /// So many events came faster than they could be written, or while the journal could not be.
    Unrecorded {
        /// How many.
        events: u64,
    },
}

impl MigrationEvent {
    /// The type it is stored under.
    pub(crate) const fn type_name(&self) -> &'static str {
        match self {
            Self::RunBegan { .. } => "MigrationRunBegan",
            Self::PhaseBegan { .. } => "MigrationPhaseBegan",
            Self::TableCopied { .. } => "MigrationTableCopied",
            Self::CaughtUp => "MigrationCaughtUp",
            Self::SchemaFollowed { .. } => "MigrationSchemaFollowed",
            Self::Warned { .. } => "MigrationWarned",
            Self::Reconnected { .. } => "MigrationReconnected",
            Self::RunEnded { .. } => "MigrationRunEnded",
            Self::RunEndUnknown { .. } => "MigrationRunEndUnknown",
            Self::StopAsked { .. } => "MigrationStopAsked",
            Self::TablesAdded { .. } => "MigrationTablesAdded",
            Self::WayBackMade { .. } => "MigrationWayBackMade",
            Self::WayBackRemoved { .. } => "MigrationWayBackRemoved",
            Self::Proven { .. } => "MigrationProven",
            Self::Repaired { .. } => "MigrationRepaired",
            Self::Removed { .. } => "MigrationRemoved",
            Self::Unrecorded { .. } => "MigrationUnrecorded",
        }
    }

    /// What an event of the journal says of a migration, where it is one that says such.
    #[must_use]
    pub fn read(event: &Event) -> Option<(String, Self)> {
        let id = event.stream.as_str().strip_prefix(CATEGORY)?.strip_prefix('-')?;
        let said: Self = serde_json::from_slice(event.data.as_deref()?).ok()?;
        (said.type_name() == event.event_type.as_str()).then(|| (id.to_owned(), said))
    }

    /// As it is stored.
    pub(crate) fn stored(&self) -> Option<NewEvent> {
        let data = serde_json::to_vec(&self.bounded()).ok()?;
        let event_type = EventType::new(self.type_name()).ok()?;
        Some(NewEvent { id: EventId::generate(), ..NewEvent::new(event_type, data) })
    }

    /// The same with no text or list longer than is kept.
    fn bounded(&self) -> Self {
        let mut event = self.clone();
        match &mut event {
            Self::SchemaFollowed { change: text } | Self::Warned { text } | Self::Reconnected { reason: text, .. } => {
                cut(text);
            }
            Self::RunEnded { reason, .. } => {
                if let Some(reason) = reason {
                    cut(reason);
                }
            }
            Self::TablesAdded { tables: names, .. }
            | Self::Proven { different: names, .. }
            | Self::Removed { dropped: names, .. } => names.truncate(NAMES),
            Self::RunBegan { .. }
            | Self::PhaseBegan { .. }
            | Self::TableCopied { .. }
            | Self::CaughtUp
            | Self::RunEndUnknown { .. }
            | Self::StopAsked { .. }
            | Self::WayBackMade { .. }
            | Self::WayBackRemoved { .. }
            | Self::Repaired { .. }
            | Self::Unrecorded { .. } => {}
        }
        event
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(TEXT_BYTES));
}

/// The types that the table of migrations is made of.
pub(crate) const SHOWN_TYPES: [&str; 5] =
    ["MigrationRunBegan", "MigrationPhaseBegan", "MigrationRunEnded", "MigrationProven", "MigrationTableCopied"];

/// The stream of a migration's events.
pub(crate) fn stream(id: &MigrationId) -> Option<StreamName> {
    StreamName::new(format!("{CATEGORY}-{id}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored for good: what was written once has to be read by every later version.
    #[test]
    fn events_are_stored_as_ever() {
        let proven = MigrationEvent::Proven {
            by: "ann".to_owned(),
            extent: Extent::Full,
            verdict: Verdict::Equal,
            tables: 2,
            rows: 7,
            different: Vec::new(),
        };
        let golden = [
            (
                r#"{"kind":"run_began","run":"r1","version":"0.1.0","host":"h","process":7,"by":"ann"}"#,
                MigrationEvent::RunBegan {
                    run: "r1".to_owned(),
                    version: "0.1.0".to_owned(),
                    host: "h".to_owned(),
                    process: 7,
                    by: "ann".to_owned(),
                },
            ),
            (
                r#"{"kind":"run_ended","run":"r1","outcome":"failed","reason":"no"}"#,
                MigrationEvent::RunEnded {
                    run: "r1".to_owned(),
                    outcome: "failed".to_owned(),
                    reason: Some("no".to_owned()),
                },
            ),
            (
                r#"{"kind":"proven","by":"ann","extent":"full","verdict":"equal","tables":2,"rows":7,"different":[]}"#,
                proven,
            ),
            (r#"{"kind":"caught_up"}"#, MigrationEvent::CaughtUp),
            (r#"{"kind":"way_back_made","by":"ann"}"#, MigrationEvent::WayBackMade { by: "ann".to_owned() }),
            (r#"{"kind":"way_back_removed","by":"ann"}"#, MigrationEvent::WayBackRemoved { by: "ann".to_owned() }),
            (r#"{"kind":"run_end_unknown","run":"r1"}"#, MigrationEvent::RunEndUnknown { run: "r1".to_owned() }),
        ];
        for (text, event) in golden {
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
            assert_eq!(serde_json::from_str::<MigrationEvent>(text).unwrap(), event);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let event = MigrationEvent::Warned { text: "ä".repeat(TEXT_BYTES) };
        let MigrationEvent::Warned { text } = event.bounded() else { panic!("another event") };
        assert_eq!(text, "ä".repeat(TEXT_BYTES / 2));
    }
}
