//! Names that need quotes everywhere, as schemas, tables, columns, types, labels, sequences, constraints and indexes.

use atalaya_sandbox::Server;

use crate::support::Move;

/// The last two have 63 bytes each, the most that a name can have.
const NAMES: &[&str] = &[
    "line\nbreak",
    "quote\"dot.semi;colon",
    "\u{1f980} crab \u{1f469}\u{200d}\u{1f469}",
    "back\\slash",
    "tab\there",
    "it's",
    "$1 %I {} $$ :v",
    "-- /* c",
    " blank ",
    "Case",
    "case",
    "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}x",
    "0123456789 123456789 123456789 123456789 123456789 123456789 12",
];

fn name(position: usize) -> &'static str {
    NAMES[position % NAMES.len()]
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn listed(of: impl Fn(&str) -> String) -> String {
    NAMES.iter().map(|name| of(name)).collect::<Vec<_>>().join(", ")
}

/// The objects of one schema: each kind has another of the names.
struct Objects {
    schema: String,
    keyed: String,
    bare: String,
    key: String,
    label: String,
    composite: String,
    list: String,
    pair: String,
    number: String,
}

impl Objects {
    fn of(position: usize) -> Self {
        let column = |offset: usize| quoted(name(position + offset));
        let schema = column(0);
        Self {
            keyed: format!("{schema}.{}", column(0)),
            bare: format!("{schema}.{}", column(7)),
            schema,
            key: column(0),
            label: column(1),
            composite: column(2),
            pair: format!("{}.{}", column(0), column(2)),
            list: column(3),
            number: column(4),
        }
    }

    fn create(&self, position: usize) -> String {
        let Self { schema, keyed, bare, key, label, composite, list, pair, number } = self;
        let of = |offset: usize| format!("{schema}.{}", quoted(name(position + offset)));
        let (mood, pairs, sequence) = (of(1), of(3), of(4));
        let (primary, index) = (quoted(name(position + 5)), quoted(name(position + 6)));
        let attributes = listed(|name| format!("{} text", quoted(name)));
        let rest: String =
            (5..NAMES.len()).map(|offset| format!(", {} text", quoted(name(position + offset)))).collect();
        format!(
            "CREATE SCHEMA {schema};
             CREATE TYPE {mood} AS ENUM ({labels});
             CREATE TYPE {pair} AS ({attributes});
             CREATE DOMAIN {pairs} AS {pair}[] CONSTRAINT {key} CHECK (cardinality(value) < 5);
             CREATE SEQUENCE {sequence};
             CREATE TABLE {keyed} ({key} text CONSTRAINT {primary} PRIMARY KEY, {label} {mood}, {composite} {pair},
                 {list} {pairs}, {number} bigint DEFAULT nextval({regclass}), CONSTRAINT {key} CHECK ({key} <> ''){rest});
             CREATE INDEX {index} ON {keyed} ({label});
             CREATE TABLE {bare} ({attributes}); ALTER TABLE {bare} REPLICA IDENTITY FULL;",
            labels = listed(literal),
            regclass = literal(&sequence),
        )
    }

    /// One row a name, by columns; and rows of all names, twice, without a key.
    fn fill(&self, prefix: &str) -> String {
        let Self { keyed, bare, key, label, composite, list, pair, .. } = self;
        let all = listed(literal);
        let mut sql = String::new();
        for (number, name) in NAMES.iter().enumerate() {
            let (value, key_value) = (literal(name), literal(&format!("{prefix}{name}")));
            sql.push_str(&format!(
                "INSERT INTO {keyed} ({key}, {label}, {composite}, {list})
                 VALUES ({key_value}, {value}, ROW({all}), ARRAY[ROW({all})::{pair}, NULL, ROW({nulls})::{pair}]);
                 INSERT INTO {bare} SELECT {all} FROM generate_series(1, {copies});",
                nulls = vec!["NULL"; NAMES.len()].join(", "),
                copies = number % 2 + 1,
            ));
        }
        sql
    }

    fn change(&self) -> String {
        let Self { keyed, bare, key, label, composite, list, .. } = self;
        let first = literal(NAMES[0]);
        format!(
            "UPDATE {keyed} SET {label} = {last}, {composite} = NULL WHERE {key} = {first};
             UPDATE {keyed} SET {list}[2:3] = {list}[1:2] WHERE {key} = {second};
             UPDATE {keyed} SET {key} = {key} || '!' WHERE {key} = {third}; DELETE FROM {keyed} WHERE {key} = {fourth};
             DELETE FROM {bare} WHERE ctid = (SELECT min(ctid) FROM {bare});
             UPDATE {bare} SET {key} = NULL WHERE ctid = (SELECT max(ctid) FROM {bare});",
            last = literal(NAMES[12]),
            second = literal(NAMES[1]),
            third = literal(NAMES[2]),
            fourth = literal(NAMES[3]),
        ) + &self.fill("new ")
    }

    fn damage(&self) -> String {
        let Self { keyed, bare, key, label, .. } = self;
        format!(
            "UPDATE {keyed} SET {label} = NULL WHERE {key} = {first}; DELETE FROM {keyed} WHERE {key} = {second};
             DELETE FROM {bare} WHERE ctid = (SELECT min(ctid) FROM {bare});",
            first = literal(NAMES[0]),
            second = literal(NAMES[1]),
        )
    }

    fn digests(&self, server: &Server) -> [String; 2] {
        [&self.keyed, &self.bare].map(|table| {
            let sql =
                format!("SELECT count(*), md5(string_agg(t::text, '/' ORDER BY t::text COLLATE \"C\")) FROM {table} t");
            server.run_sql("shop", &sql).unwrap()
        })
    }
}

fn assert_same_rows(shop: &Move, objects: &[Objects]) {
    for each in objects {
        assert_eq!(each.digests(&shop.source), each.digests(&shop.target), "{}", each.schema);
    }
}

/// Everything that has a name, as lines of hexadecimal digits, so that no name can break a line.
const CATALOG: &str = "SELECT kind, encode(convert_to(name, 'UTF8'), 'hex') FROM (
        SELECT 'class' AS kind, n.nspname || '/' || c.relname || '/' || c.relkind::text AS name, n.nspname
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        UNION ALL
        SELECT 'column', c.relname || '/' || a.attname || '/' || format_type(a.atttypid, a.atttypmod), n.nspname
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 'constraint', k.conname || '/' || pg_get_constraintdef(k.oid), n.nspname
          FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE k.contype <> 'n'
        UNION ALL
        SELECT 'type', t.typname || '/' || t.typtype::text, n.nspname
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typcategory <> 'A'
        UNION ALL
        SELECT 'label', t.typname || '/' || e.enumlabel, n.nspname
          FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
        UNION ALL
        SELECT 'sequence', sequencename || '/' || coalesce(last_value, 0), schemaname FROM pg_sequences) o
      WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'atalaya') ORDER BY 1, 2";

fn catalog(server: &Server) -> Vec<String> {
    let lines = server.run_sql("shop", CATALOG).unwrap();
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    let decoded = |line: &str| {
        let (kind, digits) = line.split_once('|').unwrap();
        let bytes: Vec<u8> = digits.as_bytes().chunks(2).map(byte).collect();
        format!("{kind} {}", String::from_utf8(bytes).unwrap())
    };
    lines.lines().map(decoded).collect()
}

#[test]
fn names_of_every_kind_move_through_copy_changes_proof_and_repair() {
    let shop = Move::between(13, 18);
    let objects: Vec<Objects> = (0..NAMES.len()).map(Objects::of).collect();
    for (position, each) in objects.iter().enumerate() {
        shop.source.run_sql("shop", &(each.create(position) + &each.fill(""))).unwrap();
    }
    let left = format!("{}.{}", quoted(NAMES[0]), quoted("left \"behind\"\n"));
    shop.source.run_sql("shop", &format!("CREATE TABLE {left} (id int)")).unwrap();
    let exclude = ["--exclude", left.as_str()];
    let running = shop.follow(&exclude);
    assert_same_rows(&shop, &objects);
    for each in &objects {
        shop.source.run_sql("shop", &each.change()).unwrap();
    }
    let clean = shop.validate(&exclude);
    assert_eq!(clean.code, Some(0), "{}\n{}", clean.stdout, clean.stderr);
    assert_same_rows(&shop, &objects);

    for each in &objects {
        shop.target.run_sql("shop", &each.damage()).unwrap();
    }
    let differs = shop.validate(&[&exclude[..], &["--output", "json"]].concat());
    assert_eq!(differs.code, Some(3), "{}\n{}", differs.stdout, differs.stderr);
    let report: serde_json::Value = serde_json::from_str(&differs.stdout).unwrap();
    let tables = report["tables"].as_array().unwrap();
    assert_eq!(tables.iter().filter(|table| table["status"] == "different").count(), 2 * NAMES.len());
    let repaired = shop.validate(&[&exclude[..], &["--repair"]].concat());
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    assert_same_rows(&shop, &objects);
    shop.done("stop", &exclude);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", &exclude);
    assert_same_rows(&shop, &objects);
    shop.source.run_sql("shop", &format!("DROP TABLE {left}")).unwrap();
    let (ours, theirs) = (catalog(&shop.source), catalog(&shop.target));
    let missing: Vec<&String> = ours.iter().filter(|line| !theirs.contains(line)).collect();
    let extra: Vec<&String> = theirs.iter().filter(|line| !ours.contains(line)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}\nextra {extra:#?}");
    assert!(ours.len() > 40 * NAMES.len(), "{}", ours.len());
}
