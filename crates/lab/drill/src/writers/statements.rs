//! The statements that change one table.

use atalaya_data::{RelationName, quote_identifier};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::fill::{Moment, Plan, between, insert_sql};

/// Rows that one statement changes.
const ROWS_MAX: i64 = 3;
/// Rows of a large insert, and how often one comes.
const ROWS_LARGE: i64 = 1_000;
const LARGE_EVERY: u32 = 60;
/// How often a table that may be emptied is.
const TRUNCATE_EVERY: u32 = 80;
const ROWS_AFTER_TRUNCATE: i64 = 30;
/// Row numbers that one statement uses up at most.
pub(super) const NUMBERS: i64 = ROWS_LARGE;

/// What may be done to a table.
#[derive(Clone, Debug)]
pub(crate) struct Statements {
    name: RelationName,
    insert: Option<String>,
    /// Columns outside of every key, with what makes a value.
    free: Vec<(String, String)>,
    /// Columns of unique keys that refer to nothing.
    keys: Vec<(String, String)>,
    is_append_only: bool,
    is_referred_to: bool,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Insert,
    Update,
    Rekey,
    Delete,
    Truncate,
}

/// The statements of a table that has rows.
pub(crate) fn statements(plan: &Plan, seed: u64, is_append_only: bool) -> Statements {
    let refers = |name: &String| plan.table.foreign_keys.iter().any(|key| key.columns.contains(name));
    let columns = |is_unique: bool| {
        let found = plan.table.columns.iter().filter(|column| column.is_unique == is_unique && !refers(&column.name));
        found.filter_map(|column| Some((column.name.clone(), plan.expression(&column.name)?.to_owned()))).collect()
    };
    Statements {
        name: plan.table.name.clone(),
        insert: insert_sql(plan, Moment::Later, seed),
        free: columns(false),
        keys: columns(true),
        is_append_only,
        is_referred_to: plan.table.is_referred_to,
    }
}

impl Statements {
    /// Draws what to do, and the statement that does it with row numbers from `number` on.
    pub(super) fn draw(&self, random: &mut StdRng, number: i64) -> Option<(Deed, String)> {
        let rows = random.random_range(1..=ROWS_MAX);
        if self.is_append_only {
            return self.inserting(random, number, rows);
        }
        if !self.is_referred_to && random.random_ratio(1, TRUNCATE_EVERY) {
            let insert = between(self.insert.as_ref()?, number, number + ROWS_AFTER_TRUNCATE - 1);
            return Some((Deed::Truncate, format!("TRUNCATE {}; {insert}", self.name.to_sql())));
        }
        match random.random_range(0..10) {
            0..4 => self.inserting(random, number, rows),
            4..7 if !self.free.is_empty() => {
                let count = random.random_range(1..=self.free.len().min(3));
                let columns: Vec<_> = self.free.sample(random, count).collect();
                Some((Deed::Update, self.changing(&columns, number, rows)))
            }
            7..8 if !self.keys.is_empty() => {
                let key = self.keys.choose(random)?;
                Some((Deed::Rekey, self.changing(&[key], number, 1)))
            }
            _ => Some((Deed::Delete, self.deleting(rows))),
        }
    }

    fn inserting(&self, random: &mut StdRng, number: i64, rows: i64) -> Option<(Deed, String)> {
        let rows = if random.random_ratio(1, LARGE_EVERY) { ROWS_LARGE } else { rows };
        Some((Deed::Insert, between(self.insert.as_ref()?, number, number + rows - 1)))
    }

    fn changing(&self, columns: &[&(String, String)], number: i64, rows: i64) -> String {
        let set: Vec<String> =
            columns.iter().map(|(name, value)| format!("{} = {value}", quote_identifier(name))).collect();
        let (name, chosen) = (self.name.to_sql(), self.chosen(rows));
        format!(
            "UPDATE {name} AS t SET {} FROM (SELECT r.o, r.c, {number} + pg_catalog.row_number() OVER () AS n FROM ({chosen}) r) s \
             WHERE t.tableoid = s.o AND t.ctid = s.c",
            set.join(", ")
        )
    }

    fn deleting(&self, rows: i64) -> String {
        let (name, chosen) = (self.name.to_sql(), self.chosen(rows));
        format!("DELETE FROM {name} AS t USING ({chosen}) s WHERE t.tableoid = s.o AND t.ctid = s.c")
    }

    /// Some rows, by where they stand: a table need not have a key.
    fn chosen(&self, rows: i64) -> String {
        format!("SELECT tableoid AS o, ctid AS c FROM {} ORDER BY pg_catalog.random() LIMIT {rows}", self.name.to_sql())
    }
}
