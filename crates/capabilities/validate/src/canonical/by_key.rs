//! Rows that have given values in some columns: one array of texts a column, `$1` and so on, of equal lengths.
//!
//! Values are found by their type's own equality, so that an index serves, and `DISTINCT` goes by it, too.

use super::SideSql;

impl SideSql {
    /// Key hash, row hash and place of each row, in the order of the hashes.
    pub(crate) fn entries_by_key(&self, positions: &[usize]) -> String {
        let keys: Vec<&str> = positions.iter().filter_map(|at| self.columns.get(*at)).map(String::as_str).collect();
        let key_hash = self.hash(&keys.join(", "));
        let what = format!("{key_hash} AS key_hash, {} AS h, r.tableoid AS relation, r.ctid AS place", self.row_hash());
        format!(
            "SELECT s.key_hash, s.h, s.relation, s.place::pg_catalog.text FROM ({}) AS s ORDER BY 1, 2",
            self.found(&what, positions),
        )
    }

    /// The number of the rows and the sum of their hashes as text.
    pub(crate) fn total_by_key(&self, positions: &[usize]) -> String {
        format!(
            "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(s.h), 0)::pg_catalog.text FROM ({}) AS s",
            self.found(&format!("{} AS h", self.row_hash()), positions),
        )
    }

    /// The values of each row in these columns, as their types' output functions write them, and its hash.
    pub(crate) fn hashes_by_key(&self, positions: &[usize]) -> String {
        let written = positions.iter().filter_map(|at| self.sought.get(*at));
        // A cast to text is another thing for some types: bool, char(n).
        let written: Vec<String> =
            written.map(|column| format!("pg_catalog.format('%s', r.{})", column.name)).collect();
        let what = format!("ARRAY[{}]::pg_catalog.text[], {}", written.join(", "), self.row_hash());
        self.found(&what, positions)
    }

    fn found(&self, what: &str, positions: &[usize]) -> String {
        let sought: Vec<_> = positions.iter().filter_map(|position| self.sought.get(*position)).enumerate().collect();
        let arrays: Vec<String> =
            sought.iter().map(|(number, _)| format!("${}::pg_catalog.text[]", number + 1)).collect();
        let names: Vec<String> = sought.iter().map(|(number, _)| format!("c{number}")).collect();
        let values: Vec<String> =
            sought.iter().map(|(number, column)| format!("a.c{number}::{} AS c{number}", column.type_sql)).collect();
        let matches: Vec<String> = sought
            .iter()
            .map(|(number, column)| format!("r.{} {} w.c{number}", column.name, column.equality))
            .collect();
        format!(
            "SELECT {what} {}, (SELECT DISTINCT {} FROM unnest({}) AS a({})) AS w WHERE {}",
            self.from,
            values.join(", "),
            arrays.join(", "),
            names.join(", "),
            matches.join(" AND "),
        )
    }
}
