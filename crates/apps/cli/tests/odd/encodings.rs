//! Databases in other encodings than UTF8: text is converted where that loses nothing, and never guessed.

use crate::support::{Move, Ran};

const CAUGHT_UP: &[&str] = &["--stop-when", "caught-up"];

/// A source's database, a target's, and text that both encodings have.
struct Case {
    name: &'static str,
    source: &'static str,
    target: &'static str,
    text: &'static str,
}

const CASES: &[Case] = &[
    Case { name: "latin_to_utf8", source: "LATIN1", target: "UTF8", text: "Größe, naïve, ÿ" },
    Case { name: "latin_to_latin", source: "LATIN1", target: "LATIN1", text: "Größe, naïve, ÿ" },
    Case { name: "windows_to_utf8", source: "WIN1252", target: "UTF8", text: "80 €, “quotes”, Ž" },
    Case { name: "japanese_to_utf8", source: "EUC_JP", target: "UTF8", text: "日本語テキスト" },
    Case { name: "unknown_to_unknown", source: "SQL_ASCII", target: "SQL_ASCII", text: "Größe in UTF8" },
];

fn options(encoding: &str) -> String {
    format!("TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
}

fn tables(text: &str) -> String {
    format!(
        "CREATE TYPE kind AS ENUM ('{text}', 'other');
         CREATE TABLE \"{text}\" (\"{text}\" text PRIMARY KEY, k kind, list text[], doc json);
         INSERT INTO \"{text}\" SELECT n || ' {text}', '{text}', ARRAY['{text}', NULL], json_build_object('{text}', n)
           FROM generate_series(1, 200) n;
         CREATE TABLE bare (v varchar(30)); ALTER TABLE bare REPLICA IDENTITY FULL;
         INSERT INTO bare SELECT '{text}' FROM generate_series(1, 5);"
    )
}

fn changes(text: &str) -> String {
    format!(
        "UPDATE \"{text}\" SET list = list || '{text} more'::text WHERE k = '{text}';
         UPDATE \"{text}\" SET \"{text}\" = '{text}' WHERE \"{text}\" = '7 {text}'; DELETE FROM \"{text}\" WHERE \"{text}\" = '8 {text}';
         INSERT INTO \"{text}\" VALUES ('{text}{text}', 'other', NULL, '\"{text}\"');
         DELETE FROM bare WHERE ctid = (SELECT min(ctid) FROM bare); INSERT INTO bare VALUES ('{text}!');"
    )
}

/// Moves one database under its own name and says how it ended.
fn start(shop: &Move, more: &[&str]) -> Ran {
    shop.run("start", &[CAUGHT_UP, more].concat())
}

#[test]
fn text_is_converted_where_both_sides_have_it_and_unknown_bytes_stop_loudly() {
    let mut shop = Move::between(13, 18);
    let states = shop.state.clone();
    for Case { name, source, target, text } in CASES {
        shop.source.create_database_with(name, &options(source)).unwrap();
        shop.target.create_database_with(name, &options(target)).unwrap();
        (shop.source_url, shop.target_url) = (shop.source.url(name), shop.target.url(name));
        shop.state = states.join(name);
        // Written as an application in UTF8 does; for a database of unknown encoding that means nothing.
        let write = |sql: &str| shop.source.run_sql(name, &format!("SET client_encoding = 'UTF8'; {sql}")).unwrap();
        write(&tables(text));
        let ran = start(&shop, &[]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        write(&changes(text));
        let ran = start(&shop, &[]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        let digest = format!(
            "SET client_encoding = 'UTF8'; SELECT count(*), md5(string_agg(t, '/' ORDER BY t COLLATE \"C\")) FROM (
                SELECT encode(convert_to(r::text, {utf8}), 'hex') FROM \"{text}\" r UNION ALL
                SELECT encode(convert_to(v, {utf8}), 'hex') FROM bare) x(t)",
            utf8 = if *source == "SQL_ASCII" { "'SQL_ASCII'" } else { "'UTF8'" }
        );
        let (ours, theirs) = (shop.source.run_sql(name, &digest).unwrap(), shop.target.run_sql(name, &digest).unwrap());
        assert!(ours.contains("205|"), "{name}: {ours}");
        assert_eq!(ours, theirs, "{name}");
        let clean = shop.validate(&["--quiesced"]);
        assert_eq!(clean.code, Some(0), "{name}: {}\n{}", clean.stdout, clean.stderr);
    }

    // Bytes that are no UTF8: in a change, and in the copy.
    let invalid = "SELECT convert_from('\\xc3'::bytea, 'SQL_ASCII')";
    shop.source.run_sql("unknown_to_unknown", &format!("INSERT INTO bare {invalid}")).unwrap();
    let ran = start(&shop, &["--retries", "0"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("a text is not valid in the server's encoding"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: a database of unknown encoding"), "{}", ran.stderr);
    shop.done("abort", &["--drop-target"]);
    shop.target.run_sql("unknown_to_unknown", "DROP TYPE kind").unwrap();
    let ran = start(&shop, &["--retries", "0"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("table public.bare could not be copied"), "{}", ran.stderr);
    assert!(ran.stderr.contains("a text is not valid in the server's encoding"), "{}", ran.stderr);

    // What cannot be converted, or could only be guessed, is refused before anything is made.
    for (name, source, target) in
        [("lossy", "UTF8", "LATIN1"), ("guessed", "SQL_ASCII", "UTF8"), ("forgotten", "UTF8", "SQL_ASCII")]
    {
        shop.source.create_database_with(name, &options(source)).unwrap();
        shop.target.create_database_with(name, &options(target)).unwrap();
        shop.source.run_sql(name, "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
        (shop.source_url, shop.target_url) = (shop.source.url(name), shop.target.url(name));
        let ran = start(&shop, &[]);
        assert!(ran.code == Some(4) && ran.stderr.contains("encoding: "), "{name}: {}", ran.stderr);
        let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE database = '{name}'");
        assert_eq!(shop.source.run_sql(name, &slots).unwrap(), "0");
    }
}
