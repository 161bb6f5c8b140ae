//! One transaction before it is sent: its statements with their values.

use atalaya_postgres::ToSql;

use super::outcome::Ending;
use super::statements::Phrase;

/// A statement's parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(i64),
    Text(String),
}

impl Value {
    pub(super) fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Number(number) => number,
            Self::Text(text) => text,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A transaction of one round trip.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<(Phrase, Vec<Value>)>,
    pub(super) ending: Ending,
}

impl Plan {
    pub(super) fn begin() -> Self {
        Self { steps: vec![(Phrase::Begin, Vec::new())], ending: Ending::Commit }
    }

    pub(super) fn say<const N: usize>(&mut self, phrase: Phrase, values: [Value; N]) {
        self.steps.push((phrase, values.into()));
    }

    pub(super) fn end(mut self, ending: Ending) -> Self {
        let phrase = match ending {
            Ending::Commit => Phrase::Commit,
            Ending::RollBack => Phrase::RollBack,
        };
        self.steps.push((phrase, Vec::new()));
        self.ending = ending;
        self
    }
}
