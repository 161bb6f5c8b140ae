//! Types and their hard values, as SQL.

/// A type with values of it.
pub(super) struct Type {
    /// Its name in SQL.
    pub(super) sql: &'static str,
    /// Literals, unquoted; each is cast to the type.
    pub(super) values: Vec<&'static str>,
    /// Whether its binary form is the same in every database: no OID of a database's own within.
    pub(super) sendable: bool,
}

/// What every supported version knows.
const ALWAYS: &[(&str, &[&str])] = &[
    ("boolean", &["t", "f"]),
    ("smallint", &["-32768", "32767", "0"]),
    ("integer", &["-2147483648", "2147483647", "0"]),
    ("bigint", &["-9223372036854775808", "9223372036854775807", "0"]),
    (
        "numeric",
        &["NaN", "0", "0.00", "-0.00", "1.0", "1.00", "1e-16383", "123456789012345678901234567890.000100", "9e131071"],
    ),
    ("numeric(40,10)", &["-99999999999999999999.9999999999", "1", "0.0000000001"]),
    ("real", &["NaN", "Infinity", "-Infinity", "-0", "1.17549435e-38", "1e-45", "3.4028235e38", "0.1"]),
    (
        "double precision",
        &["NaN", "Infinity", "-Infinity", "-0", "5e-324", "1.7976931348623157e308", "0.1", "0.30000000000000004"],
    ),
    ("money", &["-92233720368547758.08", "92233720368547758.07", "0", "0.01"]),
    (
        "text",
        &[
            "",
            "NULL",
            "\\N",
            "\\.",
            "a\tb\nc\rd",
            "  blanks  ",
            "back\\slash",
            "Straße ẞ",
            "e\u{301} é",
            "👩‍👩‍👧‍👦",
            "null",
            "quote \" ' done",
            "{}",
        ],
    ),
    ("varchar(20)", &["", " ", "trailing  ", "ümläut"]),
    ("character(8)", &["", "a", "a       ", "  a"]),
    ("\"char\"", &["", "a", "\\"]),
    ("name", &["", "a name", "0123456789012345678901234567890123456789012345678901234567890ab"]),
    ("bytea", &["\\x", "\\x00", "\\x000102095c0a0d27225c4eff", "\\\\000"]),
    ("date", &["infinity", "-infinity", "4713-01-01 BC", "0001-12-31 BC", "0001-01-01", "5874897-12-31", "2024-02-29"]),
    ("time", &["00:00:00", "24:00:00", "23:59:59.999999", "00:00:00.000001"]),
    ("time(2)", &["12:00:00.129", "24:00:00"]),
    ("timetz", &["00:00:00+15:59:59", "24:00:00-15:59", "12:34:56.789012+05:45"]),
    (
        "timestamp",
        &[
            "infinity",
            "-infinity",
            "4713-01-01 00:00:00 BC",
            "294276-12-31 23:59:59.999999",
            "2024-06-30 23:59:60",
            "1999-12-31 23:59:59.999999",
        ],
    ),
    (
        "timestamptz",
        &[
            "infinity",
            "-infinity",
            "4713-01-02 00:00:00+00 BC",
            "294276-12-31 23:59:59.999999+00",
            "2024-03-31 02:30:00+02",
            "2024-10-27 02:30:00+01",
        ],
    ),
    (
        "interval",
        &[
            "0",
            "1 year -1 month",
            "-1 mons +1 day",
            "1 day -00:00:00.000001",
            "-178000000 years",
            "178000000 years",
            "1 mon 30 days 720:00:00",
            "PT-0.5S",
        ],
    ),
    ("bit(5)", &["00000", "10101"]),
    ("bit varying", &["", "1", "0000000000000000000000000000000000000000000000000000000000000000001"]),
    ("uuid", &["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]),
    ("inet", &["0.0.0.0", "10.1.2.3/8", "::", "::ffff:1.2.3.4/96", "fe80::1/64"]),
    ("cidr", &["10.0.0.0/8", "::/0", "2001:db8::/32"]),
    ("macaddr", &["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("json", &["null", "{\"a\":1,  \"a\":2}", " [1 , 2]", "\"\\u00e9\"", "1e400", "{}", "\"\\u0000\""]),
    ("jsonb", &["null", "{\"b\":1,\"a\":[1.0,1.00,1e400]}", "\"x\"", "{}", "[]", "{\"\":\"\"}"]),
    ("jsonpath", &["$.a[*] ? (@ > 1)", "strict $"]),
    ("xml", &["<a b=\"c\">d &amp; e</a>", "text only", "<a/><b/>"]),
    ("tsvector", &["", "'it''s':1A,2B 'b\\\\c' plain:3", "'a b':1"]),
    ("tsquery", &["'it''s' & !b", "a <2> b:*", ""]),
    ("point", &["(0,-0)", "(NaN,Infinity)", "(1e-300,0.1)"]),
    ("line", &["{1,-1,0}", "{0,1,0.1}"]),
    ("lseg", &["[(0,0),(1e10,-0.1)]"]),
    ("box", &["(1,1),(0,0)"]),
    ("path", &["[(0,0),(1,1)]", "((0,0),(1,1),(2,0.1))"]),
    ("polygon", &["((0,0),(1,1),(2,0))"]),
    ("circle", &["<(0,0),0>", "<(1,2),0.1>"]),
    ("int4range", &["empty", "(,)", "[1,10)", "[,5)", "[2147483646,)"]),
    ("int8range", &["empty", "(,)", "[-9223372036854775808,0)"]),
    ("numrange", &["empty", "(,)", "[1.0,1.00]", "(NaN,)", "(0.1,0.10001]"]),
    ("daterange", &["empty", "[2024-01-01,infinity]", "(-infinity,infinity)", "(,)"]),
    ("tsrange", &["empty", "[2024-01-01,infinity)", "(,)"]),
    ("tstzrange", &["empty", "[2024-01-01 00:00+00,2024-06-01 00:00+00)", "(,)"]),
    ("oid", &["0", "4294967295"]),
    ("xid", &["0", "4294967295"]),
    ("cid", &["0", "4294967295"]),
    ("tid", &["(0,0)", "(4294967294,65535)"]),
    ("pg_lsn", &["0/0", "FFFFFFFF/FFFFFFFF"]),
    ("txid_snapshot", &["10:20:10,14,15"]),
    ("xid8", &["0", "18446744073709551615"]),
    ("pg_snapshot", &["10:20:10,14,15"]),
    ("oidvector", &["", "1 2 4294967295"]),
    ("int2vector", &["", "-32768 32767"]),
    // Arrays: empty and NULL apart, bounds, dimensions, the word NULL, quotes.
    ("integer[]", &["{}", "{NULL}", "[2:4]={1,2,3}", "[-1:0][3:4]={{1,2},{3,NULL}}", "{{{1}},{{2}}}"]),
    ("text[]", &["{}", "{NULL,\"NULL\",\"\",\"a,b\",\"{x}\",\"q\\\"q\",\"b\\\\s\",\"tab\\t\"}", "[0:0]={x}"]),
    ("numeric[]", &["{1.0,1.00,NaN}", "{}"]),
    ("timestamptz[]", &["{infinity,\"4713-01-02 00:00:00+00 BC\",NULL}"]),
    ("bytea[]", &["{\"\\\\x00ff\",NULL,\"\\\\x\"}"]),
    ("jsonb[]", &["{\"{\\\"a\\\": [1, \\\"}\\\"]}\",null}"]),
    ("interval[]", &["{\"1 mon -1 day\",NULL}"]),
    ("money[]", &["{1.50,-0.01}"]),
    ("box[]", &["{(1,1),(0,0);(2,2),(1,1)}"]),
    ("int4range[]", &["{\"[1,2)\",empty,NULL}"]),
    ("boolean[]", &["{t,f,NULL}"]),
    ("uuid[]", &["{00000000-0000-0000-0000-000000000000}"]),
];

/// What came with 14.
const FROM_14: &[(&str, &[&str])] = &[
    ("int4multirange", &["{}", "{[1,3),[5,)}", "{(,)}"]),
    ("nummultirange", &["{[1.0,1.00],(2,3)}", "{}"]),
    ("datemultirange", &["{[2024-01-01,infinity]}"]),
    ("tstzmultirange", &["{[\"2024-01-01 00:00:00+00\",\"2024-01-02 00:00:00+00\"),[\"2025-01-01 00:00:00+00\",)}"]),
    ("numeric(1000,500)", &["NaN", "0.5", "-1"]),
    ("numeric", &["Infinity", "-Infinity"]),
];

/// Types of a database's own: an enum, domains (over an array, too), composites (nested), arrays of them.
pub(super) const OWN_TYPES: &str = r#"
CREATE SCHEMA "other schema";
CREATE TYPE mood AS ENUM ('', 'sad', 'it''s', 'ok, "fine"', '⭐');
CREATE TYPE "other schema".mood AS ENUM ('ok', 'sad');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN names AS text[] CHECK (array_length(value, 1) < 5);
CREATE TYPE pair AS (a int, "b c" text);
CREATE TYPE nested AS (p pair, list pair[], m mood);
CREATE TABLE own_table (id int PRIMARY KEY);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE DOMAIN few AS positive CHECK (value < 100);
CREATE DOMAIN moods AS mood[] CHECK (cardinality(value) < 5);
CREATE DOMAIN couple AS pair CHECK ((value).a IS NULL OR (value).a > -10);
CREATE TYPE deep AS (n nested, tags names, c couple, when_ daterange, "odd "" name" moods);
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree;
"#;

const OWN: &[(&str, &[&str])] = &[
    ("mood", &["", "it's", "ok, \"fine\"", "⭐"]),
    ("\"other schema\".mood", &["ok", "sad"]),
    ("positive", &["1", "2147483647"]),
    ("names", &["{}", "{NULL,\"a,b\"}", "[3:4]={x,y}"]),
    ("pair", &["(,)", "(1,\"\")", "(-5,\"a,(b)\"\"c\\\\\")"]),
    ("nested", &["(,,)", "(\"(1,\"\"x y\"\")\",\"{\"\"(2,)\"\",NULL}\",sad)"]),
    ("span", &["empty", "(,)", "[0.1,0.30000000000000004)"]),
    ("few", &["1", "99"]),
    ("few[]", &["{}", "[5:6]={1,NULL}"]),
    ("moods", &["{}", "[-2:-1]={sad,\"ok, \\\"fine\\\"\"}", "{NULL,\"\"}"]),
    ("couple", &["(,)", "(-9,\"a \"\"b\"\"\")"]),
    ("couple[]", &["{}", "{\"(1,a)\",NULL}"]),
    ("deep", &["(,,,,)", "(\"(\"\"(1,x)\"\",,sad)\",\"[3:4]={x,y}\",\"(2,)\",\"[2024-01-01,)\",\"[0:0]={⭐}\")"]),
    ("nested[]", &["{}", "[0:1]={\"(,,sad)\",NULL}"]),
    ("ltree[]", &["{Top.Science,NULL,\"\"}"]),
    ("span[]", &["{\"[0.1,0.2)\",empty}"]),
    ("hstore", &["", "a=>NULL, b=>\"\", \"c d\"=>\"q\\\"q\""]),
    ("citext", &["Straße", "STRASSE", "a", "A"]),
    ("ltree", &["", "Top.Science.Astronomy"]),
    // Names of objects that both sides have under other numbers, so that only the name may travel.
    ("regclass", &["own_table", "pg_catalog.pg_class"]),
    ("regtype", &["pair", "integer"]),
    ("regnamespace", &["\"other schema\""]),
    ("mood[]", &["{}", "{NULL,\"\",\"ok, \\\"fine\\\"\"}"]),
    ("pair[]", &["{}", "{\"(1,a)\",NULL}"]),
    ("positive[]", &["{1,NULL}"]),
    ("citext[]", &["{A,a,NULL}"]),
    ("hstore[]", &["{\"a=>1\",NULL}"]),
];

/// Every type a version knows.
pub(super) fn of(major: u16) -> Vec<Type> {
    let built_in = ALWAYS.iter().chain(if major >= 14 { FROM_14 } else { &[] });
    let own = OWN.iter().map(|(sql, values)| Type { sql, values: values.to_vec(), sendable: false });
    built_in.map(|(sql, values)| Type { sql, values: values.to_vec(), sendable: true }).chain(own).collect()
}
