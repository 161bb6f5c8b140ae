//! The SQL that gives a row its canonical text and hash, the same on every supported version.
//!
//! `ROW(...)::text` uses each type's output function under the session's fixed settings: blanks of
//! `char(n)`, the scale of a numeric, the sign of a zero and NULL beside the empty string are all seen.
//! `hashtextextended` gives the same 64 bits from 11 on; the collation is fixed, since under a
//! nondeterministic one it would hash the sort key. Used on both sides or on neither: nothing here depends
//! on which side it is.
//!
//! Binary strings go into a row's text by a hash of their bytes, which takes a tenth of the time that writing them as
//! hexadecimal takes.

mod by_key;

use atalaya_catalog::{Column, Generated};
use atalaya_data::{RelationName, quote_identifier};

/// `"char"`: from 16 on its output function writes a byte above 127 as an octal escape.
const CHAR_OID: u32 = 18;
const CHAR_ARRAY_OID: u32 = 1002;
const BYTEA_OID: u32 = 17;

/// How text is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Both databases have the same encoding: their bytes are hashed as they are.
    Same,
    /// Each side converts to UTF-8 first.
    Converted,
}

/// How rows are hashed, alike on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hashing {
    pub(crate) encoding: Encoding,
    pub(crate) seed: i64,
}

/// One side of a comparison as SQL; rows go by the alias `r`.
#[derive(Clone, Debug)]
pub(crate) struct SideSql {
    /// `FROM ... AS r`.
    from: String,
    /// One expression a compared column, in the order of the source.
    columns: Vec<String>,
    /// What goes into the row's hash of each.
    hashed: Vec<String>,
    /// The same columns, to find rows by.
    sought: Vec<Sought>,
    /// Positions of the key's columns; empty without a key.
    key: Vec<usize>,
    /// Expressions a row is known by in a repair: the key's columns, or all that are stored as given.
    identity: Vec<String>,
    encoding: Encoding,
    /// The hash's seed, the same on both sides and another one in each run: two rows that hash alike under one are no
    /// use to whoever cannot know the next.
    seed: i64,
}

/// A column of one side that is compared with one of the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared<'all> {
    pub(crate) column: &'all Column,
    /// Whether its bytes are hashed in place of its text: on both sides or on neither.
    pub(crate) by_bytes: bool,
}

/// Whether a column's bytes may be hashed in place of its text.
pub(crate) const fn is_binary(column: &Column) -> bool {
    column.type_oid == BYTEA_OID
}

/// A column as rows are found by it.
#[derive(Clone, Debug)]
struct Sought {
    name: String,
    type_sql: String,
    equality: String,
}

/// A relation to read rows from.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its name.
    pub(crate) name: RelationName,
    /// Whether its partitions are read with it; else children that inherit from it are left out.
    pub(crate) partitioned: bool,
}

impl Place {
    fn to_sql(&self) -> String {
        let only = if self.partitioned { "" } else { "ONLY " };
        format!("{only}{}", self.name.to_sql())
    }
}

impl SideSql {
    pub(crate) fn new(places: &[Place], compared: &[Compared<'_>], key: Vec<usize>, hashing: Hashing) -> Self {
        let columns: Vec<&Column> = compared.iter().map(|compared| compared.column).collect();
        let from = if let [place] = places {
            format!("FROM {} AS r", place.to_sql())
        } else {
            let names: String = columns.iter().map(|column| format!(", {}", quote_identifier(&column.name))).collect();
            let parts: Vec<String> =
                places.iter().map(|place| format!("SELECT tableoid, ctid{names} FROM {}", place.to_sql())).collect();
            format!("FROM ({}) AS r", parts.join(" UNION ALL "))
        };
        let known_by: Vec<&&Column> = if key.is_empty() {
            columns.iter().filter(|column| column.generated == Generated::No).collect()
        } else {
            key.iter().filter_map(|position| columns.get(*position)).collect()
        };
        let identity = known_by.iter().map(|column| format!("r.{}", quote_identifier(&column.name))).collect();
        Self {
            from,
            columns: columns.iter().map(|column| expression(column)).collect(),
            hashed: compared.iter().map(|compared| hashed(compared, hashing.seed)).collect(),
            sought: columns
                .iter()
                .map(|column| Sought {
                    name: quote_identifier(&column.name),
                    type_sql: column.type_sql.clone(),
                    equality: column.equality_sql(),
                })
                .collect(),
            key,
            identity,
            encoding: hashing.encoding,
            seed: hashing.seed,
        }
    }

    /// Whether rows are known by a key.
    pub(crate) fn keyed(&self) -> bool {
        !self.key.is_empty()
    }

    /// The number of rows.
    pub(crate) fn count(&self) -> String {
        format!("SELECT pg_catalog.count(*) {}", self.from)
    }

    /// The number of rows and the sum of their hashes as text.
    pub(crate) fn total(&self) -> String {
        format!(
            "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum({}), 0)::pg_catalog.text {}",
            self.row_hash(),
            self.from
        )
    }

    /// Count and sum of the row hashes a bucket, in one scan.
    ///
    /// `OFFSET '0'` keeps the planner from writing the hash out twice; as a literal of unknown type it does
    /// so without forbidding a parallel plan, which `OFFSET 0` would.
    pub(crate) fn buckets(&self, mask: i64, sample: Option<i64>) -> String {
        format!(
            "SELECT s.h & {mask}::int8, pg_catalog.count(*), pg_catalog.sum(s.h)::pg_catalog.text
               FROM (SELECT {} AS h {}{} OFFSET '0') AS s{} GROUP BY 1",
            self.row_hash(),
            self.from,
            self.key_sample(sample),
            self.row_sample(sample),
        )
    }

    /// Key hash, row hash and place of each row in the given buckets, in the order of the hashes.
    pub(crate) fn entries(&self, mask: i64, buckets: &[i64], sample: Option<i64>) -> String {
        let keys: String =
            self.key_expressions().enumerate().map(|(position, key)| format!(", {key} AS k{position}")).collect();
        let key_hash = if self.keyed() {
            let names: Vec<String> = (0..self.key.len()).map(|position| format!("s.k{position}")).collect();
            self.hash(&names.join(", "))
        } else {
            "s.h".to_owned()
        };
        format!(
            "SELECT {key_hash}, s.h, s.relation, s.place::pg_catalog.text
               FROM (SELECT {} AS h, r.tableoid AS relation, r.ctid AS place{keys} {}{} OFFSET '0') AS s
              WHERE (s.h & {mask}::int8) IN (SELECT pg_catalog.unnest({}))
              ORDER BY 1, 2",
            self.row_hash(),
            self.from,
            self.key_sample(sample),
            array(buckets),
        )
    }

    /// The same of each row whose key hash (row hash, without a key) is among the given ones.
    pub(crate) fn entries_of(&self, key_hashes: &[i64]) -> String {
        let key_hash = if self.keyed() { self.key_hash() } else { self.row_hash() };
        format!(
            "SELECT s.key_hash, s.h, s.relation, s.place::pg_catalog.text
               FROM (SELECT {key_hash} AS key_hash, {} AS h, r.tableoid AS relation, r.ctid AS place {}
                      WHERE {key_hash} IN (SELECT pg_catalog.unnest({}))) AS s
              ORDER BY 1, 2",
            self.row_hash(),
            self.from,
            array(key_hashes),
        )
    }

    /// Place, key texts, column hashes and, cut to `length_max` characters, column texts of rows of one
    /// relation by their places. Each text is that of a record of one column, see [`crate::record`].
    pub(crate) fn rows(&self, relation: &RelationName, places: &[String], length_max: u32) -> String {
        let per_text = |what: &str| {
            format!("ARRAY(SELECT {what} FROM pg_catalog.unnest(s.texts) WITH ORDINALITY AS u(t, n) ORDER BY u.n)")
        };
        format!(
            "SELECT s.place::pg_catalog.text, s.keys, {}, {}
               FROM (SELECT r.ctid AS place, {} AS keys, {} AS texts FROM ONLY {} AS r
                      WHERE r.ctid = ANY ({}) OFFSET '0') AS s",
            per_text(&self.hash_text("u.t")),
            per_text(&format!("pg_catalog.left(u.t, {length_max})")),
            records(&mut self.key_expressions()),
            records(&mut self.columns.iter().map(String::as_str)),
            relation.to_sql(),
            tids(places),
        )
    }

    /// What rows of one relation are known by, by their places; records as in [`Self::rows`].
    pub(crate) fn identities(&self, relation: &RelationName, places: &[String]) -> String {
        format!(
            "SELECT {} FROM ONLY {} AS r WHERE r.ctid = ANY ({})",
            records(&mut self.identity.iter().map(String::as_str)),
            relation.to_sql(),
            tids(places),
        )
    }

    fn key_expressions(&self) -> impl Iterator<Item = &str> {
        self.key.iter().filter_map(|position| self.columns.get(*position)).map(String::as_str)
    }

    fn row_hash(&self) -> String {
        self.hash(&self.hashed.join(", "))
    }

    fn key_hash(&self) -> String {
        let keys: Vec<&str> = self.key_expressions().collect();
        self.hash(&keys.join(", "))
    }

    fn hash(&self, expressions: &str) -> String {
        self.hash_text(&format!("ROW({expressions})::pg_catalog.text"))
    }

    fn hash_text(&self, text: &str) -> String {
        let text = match self.encoding {
            Encoding::Same => text.to_owned(),
            Encoding::Converted => {
                format!("pg_catalog.encode(pg_catalog.convert_to({text}, 'UTF8'), 'hex')")
            }
        };
        format!("pg_catalog.hashtextextended({text} COLLATE pg_catalog.\"C\", {})", self.seed)
    }

    fn key_sample(&self, sample: Option<i64>) -> String {
        match sample {
            Some(below) if self.keyed() => {
                format!(" WHERE ({} & {}::int8) < {below}", self.key_hash(), i64::MAX)
            }
            _ => String::new(),
        }
    }

    fn row_sample(&self, sample: Option<i64>) -> String {
        match sample {
            Some(below) if !self.keyed() => {
                format!(" WHERE (s.h & {}::int8) < {below}", i64::MAX)
            }
            _ => String::new(),
        }
    }
}

fn expression(column: &Column) -> String {
    let name = format!("r.{}", quote_identifier(&column.name));
    match column.type_oid {
        CHAR_OID => format!("{name}::pg_catalog.int4"),
        CHAR_ARRAY_OID => format!("{name}::pg_catalog.int4[]"),
        _ => name,
    }
}

/// A server hashes an element of an array by its type's own function, which takes a binary string as it is stored.
fn hashed(compared: &Compared<'_>, seed: i64) -> String {
    let expression = expression(compared.column);
    if compared.by_bytes { format!("pg_catalog.hash_array_extended(ARRAY[{expression}], {seed})") } else { expression }
}

fn records(expressions: &mut dyn Iterator<Item = &str>) -> String {
    let texts: Vec<String> = expressions.map(|expression| format!("ROW({expression})::pg_catalog.text")).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", texts.join(", "))
}

fn tids(places: &[String]) -> String {
    let quoted: Vec<String> = places.iter().map(|place| format!("\"{place}\"")).collect();
    format!("'{{{}}}'::pg_catalog.tid[]", quoted.join(","))
}

fn array(numbers: &[i64]) -> String {
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("'{{{}}}'::pg_catalog.int8[]", texts.join(","))
}
