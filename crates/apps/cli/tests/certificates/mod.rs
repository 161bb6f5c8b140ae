//! What a move's certificate says, that it holds when it is checked again, and that whatever changed is found.

use std::path::{Path, PathBuf};

use atalaya_validate::{Certificate, read_certificate, to_json};

use crate::support::{Move, Ran, ran};

/// Names that would be HTML, SQL or JSON if anybody forgot to quote them; a value that nobody may read.
const SCHEMA: &str = r#"
    CREATE SCHEMA "</script><b>";
    CREATE TABLE "</script><b>"."<script>alert('1')</script> & ""co""" (id int PRIMARY KEY, "<i>'\" text, c "char" DEFAULT 'x');
    CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, at timestamptz DEFAULT '2024-01-01 00:00+00', price numeric(10, 4), photo bytea);
    CREATE TABLE part (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a'); CREATE TABLE part_rest PARTITION OF part DEFAULT;
    CREATE TABLE audit_log (id int PRIMARY KEY);
    CREATE FUNCTION hush() RETURNS text LANGUAGE sql AS $$ SELECT 'a-value-nobody-may-read' $$;
    INSERT INTO "</script><b>"."<script>alert('1')</script> & ""co""" VALUES (1, 'a-value-nobody-may-read'), (2, NULL), (3, '');
    INSERT INTO item (name, price, photo)
        SELECT 'a-value-nobody-may-read ' || n, n / 7.0, decode(repeat(md5(n::text), n % 100), 'hex') FROM generate_series(1, 1000) n;
    INSERT INTO part SELECT n, CASE n % 3 WHEN 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 30) n"#;

const PATTERNS: [&str; 4] = ["--tables", "*", "--exclude", "audit_*"];

/// The page and the data that a `finish` has written.
fn files(shop: &Move) -> (PathBuf, PathBuf) {
    let folder = shop.state().join("certificates");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let [page, data] = found.try_into().unwrap();
    assert_eq!((page.extension().unwrap(), data.extension().unwrap()), ("html".as_ref(), "json".as_ref()));
    (page, data)
}

fn check(shop: &Move, file: &Path, side: &str) -> Ran {
    let url = if side == "--source" { "env:SOURCE_URL" } else { "env:TARGET_URL" };
    ran(&mut shop.command(&["validate", "--against", file.to_str().unwrap(), side, url]))
}

fn assert_code(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Both forms say the same, and nothing that is nobody's business.
fn the_files_say_what_they_may(shop: &Move, page: &str, data: &serde_json::Value) {
    let certificate = &data["certificate"];
    assert_eq!(certificate["occasion"], "finish");
    assert_eq!(certificate["moment"], "quiesced");
    assert_eq!(certificate["source"]["server_version"], "13.23");
    assert_eq!(certificate["schema"]["differences"], serde_json::json!([]));
    assert_eq!(certificate["proof"]["equal"], certificate["proof"]["tables"]);
    let left = certificate["not_certified"].to_string();
    assert!(left.contains("table public.audit_log"), "{left}");
    let tables = certificate["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 4);
    assert_eq!(tables.iter().map(|table| table["target"]["rows"].as_u64().unwrap()).sum::<u64>(), 1033);
    for table in tables {
        assert_eq!(table["source"], table["target"]);
        let binary =
            if table["name"]["name"] == "item" { serde_json::json!(["photo"]) } else { serde_json::Value::Null };
        assert_eq!(table["binary"], binary);
        assert!(page.contains(table["target"]["hash"].as_str().unwrap()), "{table}");
        assert!(page.contains(&escaped(table["target_sql"].as_str().unwrap())), "{table}");
    }
    assert!(page.contains(data["sha256"].as_str().unwrap()));
    assert!(page.contains("&lt;script&gt;alert('1')&lt;/script&gt; &amp; "), "{page}");
    // One element holds the data; nothing else is a script, and nothing is fetched.
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(!page.contains("<i>") && !page.contains("<b>"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
    let password = shop.source_url.split(':').nth(2).unwrap().split('@').next().unwrap();
    assert!(password.len() > 8);
    for text in [page, &data.to_string()] {
        for secret in ["a-value-nobody-may-read", password, "127.0.0.1"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}

/// As the documentation says that a third party does it, with psql alone.
fn a_third_party_comes_to_the_same(shop: &Move, data: &serde_json::Value) {
    let certificate: Certificate = serde_json::from_value(data["certificate"].clone()).unwrap();
    for table in &certificate.tables {
        let expected = format!("{}|{}", table.target.rows, table.target.hash);
        assert_eq!(answer(shop, &certificate, &table.target_sql), expected, "{table:?}");
    }
}

fn answer(shop: &Move, certificate: &Certificate, sql: &str) -> String {
    let settings = certificate.hash.settings.iter().map(|(name, value)| format!("SET {name} = '{value}';"));
    let sql = format!("SET client_min_messages = error; {} {sql}", settings.collect::<String>());
    shop.target.run_sql("shop", &sql).unwrap().lines().last().unwrap().to_owned()
}

/// Binary strings went into the hash as text in files of earlier versions.
fn a_file_of_an_earlier_version_holds(shop: &Move, data: &str) {
    let mut certificate = read_certificate(data).unwrap();
    let mut items = certificate.tables.clone();
    items.retain_mut(|table| !std::mem::take(&mut table.binary).is_empty());
    let [mut item] = <[_; 1]>::try_from(items).unwrap();
    let by_bytes = format!("pg_catalog.hash_array_extended(ARRAY[r.\"photo\"], {})", certificate.hash.seed);
    assert!(item.target_sql.contains(&by_bytes), "{}", item.target_sql);
    let earlier = answer(shop, &certificate, &item.target_sql.replace(&by_bytes, "r.\"photo\""));
    let (_, hash) = earlier.split_once('|').unwrap();
    assert_ne!(hash, item.target.hash);
    hash.clone_into(&mut item.target.hash);
    certificate.tables = vec![item];
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = to_json(&certificate).unwrap();
    assert!(!text.contains("\"binary\""), "{text}");
    std::fs::write(file.path(), text).unwrap();
    let checked = check(shop, file.path(), "--target");
    assert_code(&checked, 0);
    assert!(checked.stdout.contains("1 of 1 tables as certified"), "{}", checked.stdout);
}

/// Each of these makes the target another one than was certified.
const CHANGED: &[(&str, &str)] = &[
    (
        "UPDATE item SET price = price + 0.0001 WHERE id = 7",
        "public.item DIFFERENT: 1000 rows, but not with the same content",
    ),
    (
        "UPDATE item SET photo = set_byte(photo, 100, get_byte(photo, 100) # 1) WHERE id = 8",
        "public.item DIFFERENT: 1000 rows, but not with the same content",
    ),
    (
        "ALTER TABLE item ALTER photo TYPE text USING encode(photo, 'hex')",
        "the column photo of the table public.item is of another type now",
    ),
    ("DELETE FROM part WHERE id = 30", "public.part_a DIFFERENT: 10 rows were certified, 9 are there"),
    ("SELECT nextval('item_id_seq')", "sequence public.item_id_seq DIFFERENT: 1000 was certified, 1001 is there"),
    (r#"ALTER TABLE "</script><b>"."<script>alert('1')</script> & ""co""" DROP COLUMN c"#, "MISSING"),
];

#[test]
fn a_finished_move_holds_when_it_is_checked_again_and_every_change_is_found() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", SCHEMA).unwrap();
    shop.done("start", &[&["--stop-when", "caught-up"], &PATTERNS[..]].concat());
    shop.source.run_sql("shop", "DELETE FROM item WHERE id % 100 = 0; UPDATE item SET name = NULL WHERE id = 5;
        INSERT INTO item (name) SELECT 'a-value-nobody-may-read' FROM generate_series(1, 10); SELECT setval('item_id_seq', 1000)").unwrap();
    let finished = shop.done("finish", &PATTERNS);
    let (page_file, data_file) = files(&shop);
    assert!(finished.contains(page_file.to_str().unwrap()), "{finished}");
    let page = read(&page_file);
    let data: serde_json::Value = serde_json::from_str(&read(&data_file)).unwrap();
    the_files_say_what_they_may(&shop, &page, &data);
    a_third_party_comes_to_the_same(&shop, &data);
    a_file_of_an_earlier_version_holds(&shop, &read(&data_file));
    for (file, side) in [(&page_file, "--target"), (&data_file, "--target"), (&page_file, "--source")] {
        let checked = check(&shop, file, side);
        assert_code(&checked, 0);
        assert!(checked.stdout.contains("4 of 4 tables as certified"), "{}", checked.stdout);
    }
    // The other server is no restored copy, and it says so.
    let other =
        ran(&mut shop.command(&["validate", "--against", data_file.to_str().unwrap(), "--source", "env:TARGET_URL"]));
    assert!(other.stdout.contains("another server or database"), "{}", other.stdout);
    the_files_are_read_with_care(&shop, &page, &read(&data_file));
    for (sql, expected) in CHANGED {
        shop.target.run_sql("shop", sql).unwrap();
        let checked = check(&shop, &page_file, "--target");
        assert_code(&checked, 3);
        assert!(checked.stdout.contains(expected), "{expected}: {}", checked.stdout);
        assert!(checked.stdout.contains("written to since differs by right"), "{}", checked.stdout);
    }
}

/// A file that is not what was written says nothing.
fn the_files_are_read_with_care(shop: &Move, page: &str, data: &str) {
    let changed = |text: String, original: &str| {
        assert_ne!(text, original);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        check(shop, file.path(), "--target")
    };
    let ran = changed(data.replacen("\"rows\": 1000", "\"rows\": 1001", 1), data);
    assert_code(&ran, 4);
    assert!(ran.stderr.contains("changed after it was made: its digest"), "{}", ran.stderr);
    let ran = changed(page.replacen("<td class=\"n\">1000</td>", "<td class=\"n\">9999</td>", 1), page);
    assert_code(&ran, 4);
    assert!(ran.stderr.contains("the page does not say what its data says"), "{}", ran.stderr);
    assert_code(&changed(data.replacen("\"format\": 1", "\"format\": 2", 1), data), 2);
    assert_code(&changed("<html></html>".to_owned(), page), 2);
    assert_code(&changed("{}".to_owned(), page), 2);
}

#[test]
fn a_certificate_of_a_running_move_is_made_at_a_fence_and_tells_what_differs() {
    let shop = Move::between(15, 17);
    shop.source.run_sql("shop", SCHEMA).unwrap();
    let running = shop.follow(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("v1.of shop");
    let path = file.to_str().unwrap();
    let made = shop.validate(&["--certificate", path]);
    assert_code(&made, 0);
    let data = || -> serde_json::Value { serde_json::from_str(&read(&folder.path().join("v1.of shop.json"))).unwrap() };
    assert_eq!(data()["certificate"]["moment"], "fence");
    assert!(data()["certificate"]["fence"].as_str().unwrap().contains('/'));
    assert_eq!(data()["certificate"]["began_at"].as_str().unwrap().len(), "2026-01-01T00:00:00Z".len());
    shop.target.run_sql("shop", "UPDATE item SET name = 'other' WHERE id = 3; DROP FUNCTION hush(); INSERT INTO atalaya.conflict_counts
        (migration, schema, name, kind, resolution, conflicts, unlisted) VALUES ('shop', 'public', 'item', 'insert_exists', 'overwritten', 3, 0)").unwrap();
    let made = shop.validate(&["--certificate", path, "--output", "json"]);
    assert_code(&made, 3);
    let certificate = &data()["certificate"];
    let item = certificate["tables"].as_array().unwrap().iter().find(|table| table["name"]["name"] == "item").unwrap();
    assert_ne!(item["source"]["hash"], item["target"]["hash"]);
    assert_eq!(
        certificate["conflicts"],
        serde_json::json!([{ "kind": "insert_exists", "resolution": "overwritten", "count": 3 }])
    );
    assert_eq!(certificate["schema"]["differences"][0]["identity"], "public.hush()");
    let page = read(&folder.path().join("v1.of shop.html"));
    assert!(page.contains("<span class=\"bad\">different</span>") && page.contains("public.hush()"), "{page}");
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.target.run_sql("shop", "UPDATE item SET name = (SELECT 'a-value-nobody-may-read 3') WHERE id = 3").unwrap();
    shop.done("finish", &["--no-certificate"]);
    assert!(!shop.state().join("certificates").exists());
}
