//! How many statements were compared, and why others were not.

use std::collections::BTreeMap;

/// The most statements that one reason names.
const NAMES: usize = 20;

/// Why a statement is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// It touches no table but the server's own.
    NoTable,
    /// Its text is no statement by itself: types of parameters are not known, or a parameter stands where none may.
    NoStatement,
    /// It names what another `search_path` shows, or what is gone.
    Unknown,
    /// What is not known to be harmless might be run while it is planned.
    Foreign,
    /// We may not.
    NoRight,
    /// Its text is too long, or is not readable.
    Unreadable,
    /// It was not planned in time, or a table was locked.
    Slow,
    /// Time was over.
    Late,
}

impl Why {
    /// By the server's answer.
    pub(super) fn of(sqlstate: &str) -> Self {
        match sqlstate {
            // Tables, schemas, columns, functions and operators, other objects.
            "42P01" | "3F000" | "42703" | "42883" | "42704" => Self::Unknown,
            "42501" => Self::NoRight,
            "57014" | "55P03" => Self::Slow,
            _ => Self::NoStatement,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::NoTable => "touch no table of users",
            Self::NoStatement => "cannot be prepared from their texts alone: a parameter's type is not known, for one",
            Self::Unknown => "name what their role's search_path does not show, or what is gone",
            Self::Foreign => "might have code run while they are planned that is not known to be harmless, as us",
            Self::NoRight => "need rights that this role has not",
            Self::Unreadable => "have texts that are too long or cannot be read",
            Self::Slow => "were not planned in time, or a table was locked",
            Self::Late => "were not looked at, since time was over",
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) compared: usize,
    left_out: BTreeMap<Why, Vec<i64>>,
}

impl Tally {
    pub(super) fn leave_out(&mut self, why: Why, statement: i64) {
        self.left_out.entry(why).or_default().push(statement);
    }

    /// For people: first how many of `all` were compared, then a line a reason.
    pub(super) fn told(&self, all: usize) -> Vec<String> {
        let all = match all {
            0 => "pg_stat_statements has no statement of others in this database".to_owned(),
            all => format!("{} of the {all} statements that take most time were compared", self.compared),
        };
        let reason = |(why, statements): (&Why, &Vec<i64>)| {
            let names: Vec<String> = statements.iter().take(NAMES).map(ToString::to_string).collect();
            let more = if statements.len() > NAMES { ", ..." } else { "" };
            format!("{} {}: {}{more}", statements.len(), why.text(), names.join(", "))
        };
        std::iter::once(all).chain(self.left_out.iter().map(reason)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_statements() {
        let mut tally = Tally { compared: 3, ..Tally::default() };
        tally.leave_out(Why::of("42P01"), -7);
        tally.leave_out(Why::of("42P18"), 8);
        (0..25).for_each(|id| tally.leave_out(Why::Late, id));
        let told = tally.told(30);
        assert_eq!(told[0], "3 of the 30 statements that take most time were compared");
        assert!(told[1].starts_with("1 cannot be prepared") && told[1].ends_with(": 8"), "{told:?}");
        assert!(told[2].ends_with(": -7"), "{told:?}");
        assert!(told[3].starts_with("25 were not looked at") && told[3].ends_with(" 19, ..."), "{told:?}");
    }
}
