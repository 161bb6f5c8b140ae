//! One line for each built-in type: how a value of it is made from a number.
//!
//! `{h}` stands for a number of 63 bits that is as good as random, `{n}` for the row's own number. Hard values come
//! now and then: infinities, NaN, years before Christ, empty and very long texts, quotes, line ends, emoji.

/// How values of one type are made.
pub(super) struct Kind {
    /// The type's name in `pg_catalog`.
    pub(super) name: &'static str,
    /// Any value.
    pub(super) any: &'static str,
    /// Another value for each `{n}`; empty where the type has too few or no equality.
    pub(super) unique: &'static str,
}

const fn kind(name: &'static str, any: &'static str, unique: &'static str) -> Kind {
    Kind { name, any, unique }
}

pub(super) const KINDS: &[Kind] = &[
    kind("bool", "{h} % 2 = 0", "{n} % 2 = 0"),
    kind("int2", "({h} % 30000)::int2", "({n} % 32767)::int2"),
    kind("int4", "({h} % 100000)::int4", "{n}::int4"),
    kind("int8", "CASE {h} % 29 WHEN 0 THEN -{h} ELSE {h} % 1000000 END", "{n}"),
    kind("oid", "({h} % 100000)::oid", "{n}::oid"),
    kind(
        "float4",
        "CASE {h} % 29 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN '-0' ELSE ({h} % 1000) / 7.0::float4 END",
        "{n}::float4",
    ),
    kind(
        "float8",
        "CASE {h} % 29 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-0' ELSE ({h} % 100000) / 7.0::float8 END",
        "{n}::float8",
    ),
    kind("numeric", "CASE {h} % 29 WHEN 0 THEN 'NaN' ELSE ({h} % 1000000)::numeric / 1000 END", "{n}::numeric"),
    kind("money", "({h} % 100000)::int8::money", "{n}::int8::money"),
    kind("text", TEXT, "'v' || {n}"),
    kind("varchar", TEXT, "'v' || {n}"),
    kind("bpchar", TEXT, "{n}::text"),
    kind("name", "pg_catalog.md5({h}::text)", "'v' || {n}"),
    kind("char", "pg_catalog.chr((65 + {h} % 26)::int4)", "pg_catalog.chr((33 + {n} % 90)::int4)"),
    kind(
        "bytea",
        "pg_catalog.decode(pg_catalog.repeat(pg_catalog.md5({h}::text), ({h} % 5)::int4), 'hex')",
        "pg_catalog.decode(pg_catalog.md5({n}::text), 'hex')",
    ),
    kind(
        "date",
        "CASE {h} % 31 WHEN 0 THEN 'infinity' WHEN 1 THEN '0044-03-15 BC' ELSE '2000-01-01'::date + ({h} % 9000)::int4 END",
        "'2000-01-01'::date + {n}::int4",
    ),
    kind("time", "'00:00'::time + ({h} % 86399) * '1 second'::interval", "'00:00'::time + {n} * '1 ms'::interval"),
    kind(
        "timetz",
        "('00:00+02'::timetz + ({h} % 86399) * '1 second'::interval)",
        "('00:00+02'::timetz + {n} * '1 ms'::interval)",
    ),
    kind(
        "timestamp",
        "CASE {h} % 31 WHEN 0 THEN '-infinity' ELSE '2000-01-01'::timestamp + ({h} % 800000000) * '1 second'::interval END",
        "'2000-01-01'::timestamp + {n} * '1 second'::interval",
    ),
    kind(
        "timestamptz",
        "CASE {h} % 31 WHEN 0 THEN 'infinity' ELSE '2000-01-01Z'::timestamptz + ({h} % 800000000) * '1 second'::interval END",
        "'2000-01-01Z'::timestamptz + {n} * '1 second'::interval",
    ),
    kind(
        "interval",
        "pg_catalog.make_interval(months => ({h} % 40)::int4, days => ({h} % 50)::int4, secs => ({h} % 9999)::float8 / 7)",
        "{n} * '1 second'::interval",
    ),
    kind("uuid", "pg_catalog.md5({h}::text)::uuid", "pg_catalog.md5({n}::text)::uuid"),
    kind("json", JSON, ""),
    kind("jsonb", JSON, "pg_catalog.json_build_object('n', {n})"),
    kind("jsonpath", "('$.a[' || {h} % 100 || ']')::jsonpath", ""),
    kind("xml", "('<a n=\"' || {h} % 1000 || '\"/>')::xml", ""),
    kind("inet", "'10.0.0.0'::inet + {h} % 16000000", "'10.0.0.0'::inet + {n}"),
    kind("cidr", "('10.0.0.0'::inet + {h} % 16000000)::cidr", "('10.0.0.0'::inet + {n})::cidr"),
    kind(
        "macaddr",
        "('08002b' || pg_catalog.lpad(pg_catalog.to_hex({h} % 16777216), 6, '0'))::macaddr",
        "('08002b' || pg_catalog.lpad(pg_catalog.to_hex({n} % 16777216), 6, '0'))::macaddr",
    ),
    kind(
        "macaddr8",
        "('08002b0001' || pg_catalog.lpad(pg_catalog.to_hex({h} % 16777216), 6, '0'))::macaddr8",
        "('08002b0001' || pg_catalog.lpad(pg_catalog.to_hex({n} % 16777216), 6, '0'))::macaddr8",
    ),
    kind("bit", "({h} % 2147483647)::int4", "{n}::int4"),
    kind("varbit", "({h} % 2147483647)::int4::bit(32)", "{n}::int4::bit(32)"),
    kind("point", "pg_catalog.point({h} % 100, {h} % 91)", ""),
    kind("line", "pg_catalog.line(pg_catalog.point(0, {h} % 91), pg_catalog.point(1, {h} % 100))", ""),
    kind("lseg", "pg_catalog.lseg(pg_catalog.point(0, {h} % 91), pg_catalog.point(1, {h} % 100))", ""),
    kind("box", "pg_catalog.box(pg_catalog.point(0, {h} % 91), pg_catalog.point(1, {h} % 100))", ""),
    kind("path", "('[(0,0),(' || {h} % 91 || ',1)]')::path", ""),
    kind("polygon", "('((0,0),(' || {h} % 91 || ',1),(3,3))')::polygon", ""),
    kind("circle", "pg_catalog.circle(pg_catalog.point(0, {h} % 91), {h} % 9 + 1)", ""),
    kind("tsvector", "pg_catalog.to_tsvector('pg_catalog.simple', 'a' || {h} % 100 || ' b' || {h} % 91)", ""),
    kind("tsquery", "pg_catalog.to_tsquery('pg_catalog.simple', 'a' || {h} % 100 || ' & b')", ""),
    kind("pg_lsn", "('0/' || pg_catalog.to_hex({h} % 4000000000))::pg_lsn", "('0/' || pg_catalog.to_hex({n}))::pg_lsn"),
    kind("txid_snapshot", "'10:20:10,14'::txid_snapshot", ""),
    kind("pg_snapshot", "'10:20:10,14'::pg_snapshot", ""),
    kind("xid", "({h} % 1000 + 3)::text::xid", ""),
    kind("xid8", "({h} % 1000 + 3)::text::xid8", "{n}::text::xid8"),
    kind("cid", "({h} % 1000)::text::cid", ""),
    kind("tid", "('(' || {h} % 1000 || ',1)')::tid", "('(' || {n} || ',1)')::tid"),
    kind("int2vector", "({h} % 100 || ' 2')::int2vector", ""),
    kind("oidvector", "({h} % 100 || ' 2')::oidvector", "({n} || ' 2')::oidvector"),
    kind("refcursor", "('c' || {h} % 100)::refcursor", ""),
];

const TEXT: &str = "CASE {h} % 23 WHEN 0 THEN '' WHEN 1 THEN E'it''s \"a\" \\\\ \\t line\\nend \\u00e9\\u6f22\\U0001F600' \
    WHEN 2 THEN pg_catalog.repeat(pg_catalog.md5({h}::text), 200) WHEN 3 THEN 'NULL' ELSE pg_catalog.md5({h}::text) END";
const JSON: &str = "pg_catalog.json_build_object('number', {h} % 1000, 'text', E'\\u00fc \"', 'list', \
    pg_catalog.json_build_array({h} % 7, NULL, true))";

/// The line of a type.
pub(super) fn of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_there_once_and_its_lines_speak_of_the_right_number() {
        for kind in KINDS {
            assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1, "{}", kind.name);
            assert!(!kind.any.contains("{n}") && !kind.unique.contains("{h}"), "{}", kind.name);
        }
    }
}
