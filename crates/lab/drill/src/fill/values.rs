//! Expressions that make a value of any type: built-in ones by their line in `kinds`, the user's own from what they
//! are made of.

use std::collections::BTreeMap;

use atalaya_data::quote_identifier;
use atalaya_postgres::Session;

use super::kinds;
use crate::Error;

/// Types within types are followed so deep; deeper ones are left to the probe.
const DEPTH_MAX: u32 = 5;
/// Digits of a number that a `bigint` holds for sure.
const DIGITS_MAX: i32 = 15;

/// Which value of a type is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Any; the salt makes columns differ.
    Any,
    /// Another one for each row number.
    Unique,
}

/// Every type of a database.
#[derive(Clone, Debug)]
pub(crate) struct Types {
    by_oid: BTreeMap<u32, Type>,
}

#[derive(Clone, Debug)]
struct Type {
    schema: String,
    name: String,
    /// As in a cast.
    sql: String,
    class: Class,
    /// Of a domain.
    checks: Vec<String>,
}

#[derive(Clone, Debug)]
enum Class {
    Base,
    Domain { base: u32, typmod: i32 },
    Enum { labels: i64 },
    Composite { attributes: Vec<u32> },
    Array { element: u32 },
    Range { subtype: u32 },
    Multirange { range: u32 },
}

/// Multiranges came with 14.
fn types_sql(major: u32) -> String {
    let multirange =
        if major >= 14 { "(SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid)" } else { "0::oid" };
    format!(
        "SELECT t.oid, n.nspname::text, t.typname::text, format_type(t.oid, NULL), t.typtype::text, t.typcategory = 'A',
                t.typbasetype, t.typtypmod, t.typelem, (SELECT count(*) FROM pg_enum e WHERE e.enumtypid = t.oid),
                ARRAY(SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0
                         AND NOT a.attisdropped ORDER BY a.attnum),
                coalesce((SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid), 0::oid), coalesce({multirange}, 0::oid),
                ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')
           FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
    )
}

impl Types {
    /// Reads them.
    pub(crate) async fn read(session: &Session) -> Result<Self, Error> {
        let mut by_oid = BTreeMap::new();
        for row in session.query(&types_sql(session.major()), &[]).await? {
            let (kind, is_array): (String, bool) = (row.get(4), row.get(5));
            let (element, subtype, range): (u32, u32, u32) = (row.get(8), row.get(11), row.get(12));
            let class = match kind.as_str() {
                "d" => Class::Domain { base: row.get(6), typmod: row.get(7) },
                "e" => Class::Enum { labels: row.get(9) },
                "c" => Class::Composite { attributes: row.get(10) },
                "r" => Class::Range { subtype },
                "m" => Class::Multirange { range },
                // `int2vector` is an array by its looks only.
                _ if is_array && element != 0 && kinds::of(&row.get::<_, String>(2)).is_none() => {
                    Class::Array { element }
                }
                _ => Class::Base,
            };
            let (schema, name, sql, checks) = (row.get(1), row.get(2), row.get(3), row.get(13));
            by_oid.insert(row.get::<_, u32>(0), Type { schema, name, sql, class, checks });
        }
        Ok(Self { by_oid })
    }

    /// The checks of a domain and of those below it.
    pub(crate) fn checks(&self, oid: u32) -> Vec<String> {
        let mut checks = Vec::new();
        let mut next = Some(oid);
        for _ in 0..DEPTH_MAX {
            let Some(found) = next.and_then(|oid| self.by_oid.get(&oid)) else { break };
            checks.extend(found.checks.iter().cloned());
            next = match found.class {
                Class::Domain { base, .. } => Some(base),
                _ => None,
            };
        }
        checks
    }

    /// Whether a type is a text of some kind, domains over one too.
    pub(crate) fn is_text(&self, oid: u32) -> bool {
        match self.by_oid.get(&oid) {
            Some(Type { class: Class::Domain { base, .. }, .. }) => self.is_text(*base),
            Some(Type { name, .. }) => ["text", "varchar", "bpchar", "citext", "name"].contains(&name.as_str()),
            None => false,
        }
    }

    /// An expression of `s.n`; none for a type that nothing here knows.
    pub(crate) fn value(&self, oid: u32, typmod: i32, salt: i64, wish: Wish) -> Option<String> {
        self.value_within(oid, typmod, salt, wish, DEPTH_MAX)
    }

    fn value_within(&self, oid: u32, typmod: i32, salt: i64, wish: Wish, depth: u32) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let found = self.by_oid.get(&oid)?;
        let inner = |oid, typmod, more: i64, wish| self.value_within(oid, typmod, salt.wrapping_add(more), wish, depth);
        let number = if wish == Wish::Unique { row_number() } else { random(salt) };
        let value = match &found.class {
            Class::Base => base(found, typmod, salt, wish)?,
            Class::Domain { base, typmod } => inner(*base, *typmod, 0, wish)?,
            Class::Enum { labels: 0 } => return None,
            Class::Enum { labels } => {
                format!("(pg_catalog.enum_range(NULL::{}))[(1 + {number} % {labels})::int4]", found.sql)
            }
            Class::Composite { attributes } => {
                let fields: Option<Vec<String>> =
                    attributes.iter().zip(1..).map(|(oid, more)| inner(*oid, -1, more, wish)).collect();
                format!("ROW({})", fields?.join(", "))
            }
            Class::Array { element } => {
                let (one, other) = (inner(*element, typmod, 1, wish)?, inner(*element, typmod, 2, Wish::Any)?);
                if wish == Wish::Unique {
                    format!("ARRAY[{one}]")
                } else {
                    format!(
                        "CASE {number} % 7 WHEN 0 THEN '{{}}' WHEN 1 THEN ARRAY[{one}, NULL] ELSE ARRAY[{one}, {other}] END"
                    )
                }
            }
            Class::Range { subtype } => {
                let (one, other) = (inner(*subtype, -1, 1, wish)?, inner(*subtype, -1, 2, wish)?);
                let constructor = format!("{}.{}", quote_identifier(&found.schema), quote_identifier(&found.name));
                if wish == Wish::Unique {
                    // Ranges of one value each do not overlap.
                    format!("{constructor}({one}, {one}, '[]')")
                } else {
                    format!("{constructor}(LEAST({one}, {other}), GREATEST({one}, {other}))")
                }
            }
            Class::Multirange { range } => {
                let one = inner(*range, -1, 1, wish)?;
                format!("{}.{}({one})", quote_identifier(&found.schema), quote_identifier(&found.name))
            }
        };
        Some(format!("CAST({value} AS {})", found.sql))
    }
}

/// The number of the row that is made.
pub(super) fn row_number() -> String {
    "s.n".to_owned()
}

/// A number that is as good as random, 0 or more, and the same each time.
pub(super) fn random(salt: i64) -> String {
    format!("(pg_catalog.hashint8extended(s.n, {salt}) & 9223372036854775807)")
}

fn base(found: &Type, typmod: i32, salt: i64, wish: Wish) -> Option<String> {
    if found.schema != "pg_catalog" {
        return None;
    }
    let line = kinds::of(&found.name)?;
    let (number, random) = (row_number(), random(salt));
    if found.name == "numeric" && typmod >= 4 {
        return Some(numeric(typmod - 4, if wish == Wish::Unique { &number } else { &random }));
    }
    let template = match wish {
        Wish::Unique if !line.unique.is_empty() => line.unique,
        _ => line.any,
    };
    Some(format!("({})", template.replace("{h}", &random).replace("{n}", &number)))
}

/// A number of the declared precision and scale.
fn numeric(typmod: i32, number: &str) -> String {
    let (precision, scale) = (typmod >> 16, typmod & 0xffff);
    // From 15 on a scale has 11 bits and a sign.
    let scale =
        if scale > 1000 { (scale & 0x7ff).wrapping_sub(if scale & 0x400 == 0 { 0 } else { 0x800 }) } else { scale };
    let limit = 10_i64.pow(u32::try_from(precision.clamp(0, DIGITS_MAX)).unwrap_or_default());
    format!("({number} % {limit})::numeric / pg_catalog.power(10::numeric, {scale})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_to_its_precision_and_scale() {
        assert_eq!(numeric((6 << 16) | 2, "x"), "(x % 1000000)::numeric / pg_catalog.power(10::numeric, 2)");
        assert_eq!(numeric((3 << 16) | 0x7fd, "x"), "(x % 1000)::numeric / pg_catalog.power(10::numeric, -3)");
    }
}
