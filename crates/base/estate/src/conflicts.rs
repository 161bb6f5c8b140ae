//! What is done with a row of the target that somebody else wrote: one policy a table.
//!
//! Only the words and the choice by name. What a policy needs of a table is said in one place
//! ([`ConflictPolicy::refusal`]), for the assessment and for the move itself.

use std::fmt;
use std::str::FromStr;

use atalaya_catalog::{Relation, ReplicaIdentity};
use atalaya_data::{RelationName, quote_identifier};

use crate::{PatternError, TablePattern};

/// What happens when a change does not find on the target what it found on the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// Stop before the change and say what was seen.
    #[default]
    Stop,
    /// The target's row becomes what the source's is.
    SourceWins,
    /// The target's row stays as it is.
    TargetWins,
    /// The row with the later time in a column stays; a delete counts with the time of its commit.
    LatestWins {
        /// The column's name as the catalog holds it.
        column: String,
    },
}

/// Types of time that a commit's time can be compared with: timestamp, timestamptz.
const TIMES: [u32; 2] = [1114, 1184];

impl ConflictPolicy {
    /// Every policy's word; the last needs a column after a colon.
    pub const WORDS: [&'static str; 4] = ["stop", "source-wins", "target-wins", "latest-wins:COLUMN"];

    /// Whether the run stops at any conflict.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        *self == Self::Stop
    }

    /// Whether rows of the target may differ from the source's by decision.
    #[must_use]
    pub fn keeps_rows_of_the_target(&self) -> bool {
        matches!(self, Self::TargetWins | Self::LatestWins { .. })
    }

    /// Why a table of the source cannot have this policy, and what to do; none where it can.
    #[must_use]
    pub fn refusal(&self, table: &Relation) -> Option<(String, String)> {
        if self.is_stop() {
            return None;
        }
        let sql = table.name.to_sql();
        let full = table.replica_identity == ReplicaIdentity::Full;
        if table.key.is_none() || !table.followable {
            return Some((
                format!("`{self}` needs a key by which the target's row is found"),
                format!("add a primary key, or say `--conflicts '{}=stop'`", table.name),
            ));
        }
        if table.deferrable_unique {
            return Some((
                format!("`{self}` cannot settle a deferrable unique key: who holds it is known at the commit only"),
                format!("make the constraint NOT DEFERRABLE, or say `--conflicts '{}=stop'`", table.name),
            ));
        }
        match self {
            Self::TargetWins if !full => Some((
                "`target-wins` has to see that somebody changed the target's row, which takes the source's old row"
                    .to_owned(),
                format!("ALTER TABLE {sql} REPLICA IDENTITY FULL;"),
            )),
            Self::LatestWins { column } => {
                let found = table.data_columns().find(|each| each.name == *column);
                match found.map(|each| TIMES.contains(&each.type_oid)) {
                    Some(true) => None,
                    Some(false) => Some((
                        format!(
                            "column {} is no timestamp: a delete's commit time cannot be compared with it",
                            quote_identifier(column)
                        ),
                        "name a column of type `timestamptz`, or of `timestamp` that holds UTC".to_owned(),
                    )),
                    None => Some((
                        format!(
                            "there is no column {} that the row's time could be read from",
                            quote_identifier(column)
                        ),
                        format!("name another column, or say `--conflicts '{}=stop'`", table.name),
                    )),
                }
            }
            _ => None,
        }
    }
}

/// As it is written and stored.
impl fmt::Display for ConflictPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop => formatter.write_str("stop"),
            Self::SourceWins => formatter.write_str("source-wins"),
            Self::TargetWins => formatter.write_str("target-wins"),
            Self::LatestWins { column } if is_plain(column) => write!(formatter, "latest-wins:{column}"),
            Self::LatestWins { column } => write!(formatter, "latest-wins:{}", quote_identifier(column)),
        }
    }
}

/// Whether a name reads back as itself without quotes.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Why a text is no policy. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not one of the words.
    #[error("this is no conflict policy")]
    Unknown,
    /// `latest-wins` alone.
    #[error("`latest-wins` names no column")]
    NoColumn,
    /// What stands before `=` is no pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl PolicyError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown => {
                "write `stop`, `source-wins`, `target-wins` or `latest-wins:COLUMN`, for one table `PATTERN=POLICY`"
            }
            Self::NoColumn => "name the column with the row's time: `latest-wins:updated_at`",
            Self::Pattern(error) => error.hint(),
        }
    }
}

impl FromStr for ConflictPolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text.trim() {
            "stop" => Ok(Self::Stop),
            "source-wins" => Ok(Self::SourceWins),
            "target-wins" => Ok(Self::TargetWins),
            "latest-wins" | "latest-wins:" => Err(PolicyError::NoColumn),
            other => match other.strip_prefix("latest-wins:") {
                Some(column) => {
                    Ok(Self::LatestWins { column: identifier(column.trim()).ok_or(PolicyError::NoColumn)? })
                }
                None => Err(PolicyError::Unknown),
            },
        }
    }
}

/// A name as SQL reads it: folded, unless it stands in double quotes.
fn identifier(text: &str) -> Option<String> {
    let name = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?.replace("\"\"", "\""),
        None => text.to_ascii_lowercase(),
    };
    (!name.is_empty()).then_some(name)
}

/// One policy for the tables of a pattern, or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictRule {
    /// Which tables; none for every one.
    pub tables: Option<TablePattern>,
    /// What happens there.
    pub policy: ConflictPolicy,
}

/// `POLICY` or `PATTERN=POLICY`.
impl FromStr for ConflictRule {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let mut quoted = false;
        let sign = text.char_indices().find(|(_, each)| {
            quoted ^= *each == '"';
            *each == '=' && !quoted
        });
        match sign.and_then(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?))) {
            Some((pattern, policy)) => Ok(Self { tables: Some(pattern.parse()?), policy: policy.parse()? }),
            None => Ok(Self { tables: None, policy: text.parse()? }),
        }
    }
}

/// Rules in their order; the last that fits a table counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConflictRules(Vec<ConflictRule>);

impl ConflictRules {
    /// Rules in the order in which they were given.
    #[must_use]
    pub fn new(rules: Vec<ConflictRule>) -> Self {
        Self(rules)
    }

    /// These rules and then others, which count more.
    #[must_use]
    pub fn and(mut self, others: Vec<ConflictRule>) -> Self {
        self.0.extend(others);
        self
    }

    /// The policy of a relation: `stop` unless a rule says otherwise. A partition goes by its root's name.
    #[must_use]
    pub fn of(&self, relation: &Relation) -> ConflictPolicy {
        let name: &RelationName = relation.partition_root.as_ref().unwrap_or(&relation.name);
        let fits = |rule: &&ConflictRule| rule.tables.as_ref().is_none_or(|pattern| pattern.matches(name));
        self.0.iter().rev().find(fits).map(|rule| rule.policy.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_they_are_written() {
        for text in ["stop", "source-wins", "target-wins", "latest-wins:updated_at", "latest-wins:\"Updated \"\"at\""] {
            assert_eq!(text.parse::<ConflictPolicy>().unwrap().to_string(), text);
        }
        let folded = "latest-wins:Updated_At".parse::<ConflictPolicy>().unwrap();
        assert_eq!(folded, ConflictPolicy::LatestWins { column: "updated_at".into() });
        for (text, error) in [
            ("latest-wins", PolicyError::NoColumn),
            ("latest-wins:", PolicyError::NoColumn),
            ("latest-wins:\"\"", PolicyError::NoColumn),
            ("latest-wins:\"open", PolicyError::NoColumn),
            ("sourcewins", PolicyError::Unknown),
            ("", PolicyError::Unknown),
        ] {
            assert_eq!(text.parse::<ConflictPolicy>().unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_rule_is_a_policy_or_a_pattern_with_one() {
        let rule = "\"odd=name\".*=latest-wins:\"a=b\"".parse::<ConflictRule>().unwrap();
        assert_eq!(rule.tables.unwrap().to_string(), "\"odd=name\".*");
        assert_eq!(rule.policy, ConflictPolicy::LatestWins { column: "a=b".into() });
        assert_eq!("stop".parse::<ConflictRule>().unwrap().tables, None);
        assert!(matches!("a b=stop".parse::<ConflictRule>(), Err(PolicyError::Pattern(_))));
        assert_eq!("orders=wins".parse::<ConflictRule>().unwrap_err(), PolicyError::Unknown);
    }
}
