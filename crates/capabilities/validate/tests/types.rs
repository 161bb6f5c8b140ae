//! Every built-in type of the oldest version has the same text and hash on the newest.

use crate::support::{Databases, run, shorts, table};

/// Types and values; NULL is added to each.
const VALUES: &[(&str, &[&str])] = &[
    ("bool", &["t", "f"]),
    ("bytea", &["", "\\x00ff", "\\x5c27"]),
    ("\"char\"", &["", "a", "\u{e9}", "\\"]),
    ("name", &["", "a b"]),
    ("int8", &["-9223372036854775808", "9223372036854775807"]),
    ("int2", &["-32768", "0"]),
    ("int2vector", &["1 2 3", ""]),
    ("int4", &["-2147483648", "7"]),
    ("regproc", &["pg_catalog.now", "-"]),
    ("text", &["", " a ", "NULL", "a,\"b\"\\c\n\t(", "\u{1f5fc}"]),
    ("oid", &["0", "4294967295"]),
    ("tid", &["(0,1)"]),
    ("xid", &["3"]),
    ("cid", &["3"]),
    ("oidvector", &["1 2"]),
    ("json", &["{\"a\":1, \"a\" : 2}", "null"]),
    ("xml", &["<a>b</a>"]),
    ("point", &["(1.5,-0)", "(NaN,Infinity)"]),
    ("lseg", &["[(0,0),(0.1,1e300)]"]),
    ("path", &["((0,0),(1,1))", "[(0,0),(1,1)]"]),
    ("box", &["(1,1),(0,0)"]),
    ("polygon", &["((0,0),(1,1),(1,0))"]),
    ("line", &["{1,-1,0}"]),
    ("float4", &["1.1", "-0", "NaN", "-Infinity", "1e-45"]),
    ("float8", &["0.1", "-0", "NaN", "Infinity", "5e-324", "1.7976931348623157e308"]),
    ("circle", &["<(1,2),3.3>"]),
    ("money", &["-1234567.89", "0"]),
    ("macaddr", &["08:00:2b:01:02:03"]),
    ("inet", &["10.0.0.1", "10.0.0.1/8", "::1"]),
    ("cidr", &["10.0.0.0/8"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("aclitem", &["postgres=r/postgres"]),
    ("bpchar", &["a", "a  ", ""]),
    ("char(5)", &["a", "abcde", ""]),
    ("varchar", &["", "a "]),
    ("date", &["infinity", "-infinity", "0044-03-15 BC", "5874897-12-31"]),
    ("time", &["24:00:00", "00:00:00.000001"]),
    ("timestamp", &["infinity", "294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC"]),
    ("timestamptz", &["-infinity", "2024-03-31 02:30:00+02", "0001-01-01 00:00:00+00 BC"]),
    ("interval", &["1 year -2 mons 3 days -04:05:06.789", "0", "-1 day +00:00:01"]),
    ("timetz", &["12:00:00+05:30", "24:00:00-15:59"]),
    ("bit(3)", &["101"]),
    ("varbit", &["", "10101"]),
    ("numeric", &["0", "1.0", "1.00", "-0.000", "NaN", "1e500", "12345678901234567890.123456789"]),
    ("refcursor", &["c"]),
    ("regprocedure", &["pg_catalog.lower(text)"]),
    ("regoper", &["pg_catalog.||/", "0"]),
    ("regoperator", &["pg_catalog.+(integer,integer)"]),
    ("regclass", &["pg_catalog.pg_class", "-"]),
    ("regcollation", &["pg_catalog.\"C\""]),
    ("regtype", &["integer[]", "character varying"]),
    ("regrole", &["postgres"]),
    ("regnamespace", &["pg_catalog"]),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("pg_lsn", &["16/B374D848"]),
    ("tsvector", &["'a':1A,2 'b''c':3", ""]),
    ("gtsvector", &[]),
    ("tsquery", &["'a' & !('b' | 'c':*A) <-> 'd'", ""]),
    ("regconfig", &["english"]),
    ("regdictionary", &["simple"]),
    ("jsonb", &["{\"b\":1.00,\"a\":[null,\"\\u00e9\"],\"aa\":{}}", "null", "1E+2"]),
    ("jsonpath", &["$.a[*] ? (@.b > 1 && !(@.c == \"x\"))"]),
    ("txid_snapshot", &["10:20:10,14,15"]),
    ("pg_snapshot", &["10:20:10,14,15"]),
    ("xid8", &["18446744073709551615"]),
    ("int4range", &["empty", "[1,10)", "(,)"]),
    ("numrange", &["[1.0,1.00]", "(,5]"]),
    ("tsrange", &["[\"2024-01-01 00:00:00\",infinity)"]),
    ("tstzrange", &["[\"2024-01-01 00:00:00+02\",)"]),
    ("daterange", &["[2024-01-01,2024-02-01)"]),
    ("int8range", &["[1,9223372036854775807)"]),
    ("text[]", &["{}", "{NULL,\"NULL\",\"\",\"a\\\"b\"}", "[2:3]={a,b}", "{{a,b},{c,d}}"]),
    ("\"char\"[]", &["{a,\u{e9}}"]),
    ("float8[]", &["{-0,NaN,0.1}"]),
    ("money[]", &["{$1.00,-$2.50}"]),
    ("timestamptz[]", &["{\"2024-03-31 02:30:00+02\",infinity}"]),
    ("jsonb[]", &["{\"{\\\"a\\\": 1}\"}"]),
    ("colour", &["red", "dark blue"]),
    ("positive", &["5"]),
    ("pair", &["(1,\"a \")", "(,)", "(1,\"\")"]),
    ("pair[]", &["{\"(1,a)\",\"(,\\\"x y\\\")\"}"]),
    ("span", &["[a,b)"]),
];

/// No column can hold them, or no value can be written.
const WITHOUT_VALUES: &[&str] = &["pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "pg_ddl_command"];

const TYPES: &str = "
    SET search_path = public;
    CREATE TYPE colour AS ENUM ('red', 'dark blue');
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TYPE pair AS (n int, t text);
    CREATE TYPE span AS RANGE (subtype = text);";

fn table_name(number: usize) -> String {
    format!("t{number:03}")
}

fn fill(number: usize, kind: &str, values: &[&str]) -> String {
    let name = table_name(number);
    let mut sql = format!("CREATE TABLE {name} (id int PRIMARY KEY, v {kind}); INSERT INTO {name} VALUES (0, NULL);");
    for (position, value) in values.iter().enumerate() {
        // `"char"` takes one byte: an accented letter is cut in half, which text could not hold.
        let literal = value.replace('\'', "''");
        sql.push_str(&format!("INSERT INTO {name} VALUES ({}, '{literal}');", position + 1));
    }
    sql
}

#[test]
fn every_built_in_type_is_equal_between_the_versions() {
    let databases = Databases::new();
    let mut sql = TYPES.to_owned();
    for (number, (kind, values)) in VALUES.iter().enumerate() {
        if *kind != "gtsvector" {
            sql.push_str(&fill(number, kind, values));
        }
    }
    databases.run_both(&sql);
    let report = run(&databases.plan()).unwrap();
    let wrong: Vec<String> = report
        .tables
        .iter()
        .filter(|table| table.status != atalaya_validate::TableStatus::Equal)
        .map(|table| {
            let number: usize = table.source.name[1..].parse().unwrap();
            format!("{}: {:?} {:?}", VALUES[number].0, shorts(table), table.note)
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(report.tables.len(), VALUES.len() - 1);
}

#[test]
fn the_list_of_types_is_complete() {
    let databases = Databases::new();
    let all = databases
        .source
        .run_sql(
            &databases.name,
            "SELECT format_type(oid, NULL) || '|' || typname FROM pg_type
              WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r') AND typcategory <> 'A' ORDER BY oid",
        )
        .unwrap();
    let listed: Vec<&str> = VALUES.iter().map(|(kind, _)| kind.split('(').next().unwrap().trim_matches('"')).collect();
    let missing: Vec<&str> = all
        .lines()
        .map(|line| line.rsplit('|').next().unwrap())
        .filter(|name| !listed.contains(name) && !WITHOUT_VALUES.contains(name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn values_that_only_look_alike_are_told_apart() {
    let databases = Databases::new();
    databases.run_both(TYPES);
    let pairs = [
        ("text", "''", "NULL"),
        ("text", "'a'", "'a '"),
        ("text", "'a'", "'A'"),
        ("text", "'e\u{301}'", "'\u{e9}'"),
        ("float8", "'0'", "'-0'"),
        ("numeric", "'1.0'", "'1.00'"),
        ("json", "'{}'", "'{ }'"),
        ("bpchar", "'a'", "'a '"),
        ("text[]", "NULL", "'{}'"),
        ("text[]", "'{NULL}'", "'{\"NULL\"}'"),
        ("int[]", "'{1,2}'", "'[2:3]={1,2}'"),
        ("jsonb", "'null'", "NULL"),
        ("pair", "NULL", "'(,)'"),
        ("interval", "'1 day'", "'24 hours'"),
        ("inet", "'10.0.0.1/32'", "'10.0.0.1/31'"),
        ("timetz", "'12:00:00+01'", "'11:00:00+00'"),
    ];
    for (number, (kind, source, target)) in pairs.iter().enumerate() {
        let name = table_name(number);
        let make = |value: &str| {
            format!(
                "SET search_path = public; CREATE TABLE {name} (id int PRIMARY KEY, v {kind}); INSERT INTO {name} VALUES (1, {value})"
            )
        };
        databases.run_source(&make(source));
        databases.run_target(&make(target));
    }
    let report = run(&databases.plan()).unwrap();
    for (number, pair) in pairs.iter().enumerate() {
        assert_eq!(shorts(table(&report, &table_name(number))), ["different 1 [v]"], "{pair:?}");
    }
}
