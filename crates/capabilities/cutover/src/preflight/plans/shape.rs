//! A plan as far as two servers can be compared by it: what kinds of nodes there are, over which tables and indexes.
//!
//! Read of EXPLAIN's JSON; conditions and what is put out are never looked at, since values may stand in them.

use std::fmt;

use serde_json::Value;

/// Plans of more nodes are cut there: a table may have thousands of partitions.
const NODES_MAX: usize = 10_000;
/// As much of a plan as a finding shows.
const SHOWN_MAX: usize = 12;

/// A table by schema and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
}

impl Table {
    /// Whether it is neither the server's nor ours.
    fn is_users(&self) -> bool {
        !self.schema.starts_with("pg_") && !matches!(self.schema.as_str(), "information_schema" | "atalaya")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.schema, self.name)
    }
}

/// What a node does, where that is of interest here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Reads a table whole.
    ReadWhole,
    /// Reads a table through an index.
    ReadByIndex,
    /// Sorts everything that comes.
    Sort,
    /// Keeps everything that comes in a hash table.
    Hash,
    /// Anything else.
    Other,
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    kind: String,
    pub(super) does: Does,
    pub(super) table: Option<Table>,
    index: Option<String>,
    /// What it puts out: rows times their width.
    pub(super) bytes: f64,
}

/// A plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) cost: f64,
    pub(super) nodes: Vec<Node>,
}

impl Shape {
    /// Reads what `EXPLAIN (VERBOSE, FORMAT JSON)` says; none where it has another form.
    pub(super) fn read(json: &str) -> Option<Self> {
        let plan: Value = serde_json::from_str(json).ok()?;
        let top = plan.get(0)?.get("Plan")?;
        let mut shape = Self { cost: top.get("Total Cost")?.as_f64()?, nodes: Vec::new() };
        shape.add(top, None);
        Some(shape)
    }

    fn add(&mut self, plan: &Value, above: Option<&str>) {
        if self.nodes.len() >= NODES_MAX {
            return;
        }
        let word = |name: &str| plan.get(name).and_then(Value::as_str);
        let number = |name: &str| plan.get(name).and_then(Value::as_f64).unwrap_or_default();
        let kind = word("Node Type").unwrap_or_default();
        let does = match kind {
            "Seq Scan" => Does::ReadWhole,
            "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan" => Does::ReadByIndex,
            // Below a limit only so many rows are kept as are asked for.
            "Sort" if above != Some("Limit") => Does::Sort,
            "Hash" => Does::Hash,
            "Aggregate" if word("Strategy") == Some("Hashed") => Does::Hash,
            _ => Does::Other,
        };
        let table = match (word("Schema"), word("Relation Name")) {
            (Some(schema), Some(name)) => Some(Table { schema: schema.to_owned(), name: name.to_owned() }),
            _ => None,
        };
        let index = word("Index Name").map(str::to_owned);
        let bytes = number("Plan Rows") * number("Plan Width");
        self.nodes.push(Node { kind: kind.to_owned(), does, table, index, bytes });
        for below in plan.get("Plans").and_then(Value::as_array).into_iter().flatten() {
            self.add(below, Some(kind));
        }
    }

    /// Whether it touches a table of a user's.
    pub(super) fn touches_tables(&self) -> bool {
        self.tables().any(Table::is_users)
    }

    /// Every table, as often as it is touched.
    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.nodes.iter().filter_map(|node| node.table.as_ref())
    }

    /// How often a table is read in one way.
    pub(super) fn count(&self, does: Does, table: &Table) -> usize {
        self.nodes.iter().filter(|node| node.does == does && node.table.as_ref() == Some(table)).count()
    }

    /// The tables that are read whole, each once.
    pub(super) fn read_whole(&self) -> Vec<Table> {
        let whole = self.nodes.iter().filter(|node| node.does == Does::ReadWhole);
        let mut tables: Vec<Table> = whole.filter_map(|node| node.table.clone()).filter(Table::is_users).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, node) in self.nodes.iter().take(SHOWN_MAX).enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(out, "{between}{}", node.kind)?;
            if let Some(table) = &node.table {
                write!(out, " on {table}")?;
            }
            if let Some(index) = &node.index {
                write!(out, " by {index}")?;
            }
        }
        if self.nodes.len() > SHOWN_MAX { out.write_str(", ...") } else { Ok(()) }
    }
}
