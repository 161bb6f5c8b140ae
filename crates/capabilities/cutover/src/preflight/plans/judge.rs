//! Whether a plan got worse, by two plans of one statement alone.
//!
//! Costs are estimates in a unit of the server's own, which its settings and its version decide; they are compared roughly. That
//! a table is read whole where an index was used is told from the plans' form. Both servers choose by their own statistics,
//! so that a plan of another form need not be a worse one: it has to cost more, too.

use std::collections::BTreeMap;
use std::fmt;

use super::shape::{Does, Shape, Table};

/// Tables of fewer pages are read whole as fast as by an index.
const PAGES_MIN: u64 = 64;
/// What costs less is over before anybody notices: about a thousand pages in a row.
const COST_MIN: f64 = 1000.0;

/// How much memory one server gives to one node of a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// `work_mem`.
    pub(super) sort_bytes: f64,
    /// The same times `hash_mem_multiplier`.
    pub(super) hash_bytes: f64,
}

/// What is taken for worse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// How many times as much a plan has to cost.
    pub(super) cost_factor: f64,
    pub(super) here: Memory,
    pub(super) there: Memory,
}

/// In what a plan is worse than the one that clients have now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Worse {
    /// Tables are read whole that an index was used for.
    ReadsWhole(Vec<Table>),
    /// It is said to cost so many times as much.
    Costs { times: f64 },
    /// More nodes put out more than the memory that they get, and may write to disk.
    MaySpill,
}

impl fmt::Display for Worse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadsWhole(tables) => {
                let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
                write!(out, "{} read whole instead of by an index", names.join(", "))
            }
            Self::Costs { times } => write!(out, "it is estimated to cost {times:.0} times as much"),
            Self::MaySpill => out.write_str("more is sorted or hashed than fits into the memory for it"),
        }
    }
}

/// Tables that an index was used for and that are read whole now, whatever their size.
pub(super) fn suspects(here: &Shape, there: &Shape) -> Vec<Table> {
    let lost = |table: &Table| {
        there.count(Does::ReadWhole, table) > here.count(Does::ReadWhole, table)
            && there.count(Does::ReadByIndex, table) < here.count(Does::ReadByIndex, table)
    };
    there.read_whole().into_iter().filter(lost).collect()
}

/// In what the plan there is worse. `pages` has the size there of each of the [`suspects`].
pub(super) fn worse(here: &Shape, there: &Shape, pages: &BTreeMap<Table, u64>, terms: &Terms) -> Vec<Worse> {
    let mut found = Vec::new();
    if there.cost > here.cost {
        let large = |table: &Table| pages.get(table).is_some_and(|pages| *pages >= PAGES_MIN);
        let whole: Vec<Table> = suspects(here, there).into_iter().filter(large).collect();
        if !whole.is_empty() {
            found.push(Worse::ReadsWhole(whole));
        }
    }
    let times = there.cost / here.cost.max(f64::EPSILON);
    if there.cost >= COST_MIN && times >= terms.cost_factor {
        // Nothing at all may cost nothing.
        found.push(Worse::Costs { times: times.min(1e6) });
    }
    if spilling(there, terms.there) > spilling(here, terms.here) {
        found.push(Worse::MaySpill);
    }
    found
}

fn spilling(shape: &Shape, memory: Memory) -> usize {
    let spills = |(does, bytes): (Does, f64)| match does {
        Does::Sort => bytes > memory.sort_bytes,
        Does::Hash => bytes > memory.hash_bytes,
        Does::ReadWhole | Does::ReadByIndex | Does::Other => false,
    };
    shape.nodes.iter().filter(|node| spills((node.does, node.bytes))).count()
}

#[cfg(test)]
mod tests;
