//! Databases, roles, passwords and SQL.

use std::io::Write;
use std::process::{Command, Output};

use atalaya_sandbox::{PasswordEncryption, Server, ServerOptions, client_tools};

/// Connects over TCP, as others do, with a URL that holds a password.
fn connect(url: &str, sql: &str) -> Output {
    Command::new(client_tools(18).unwrap().join("psql"))
        .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d", url])
        .output()
        .unwrap()
}

fn answer(url: &str, sql: &str) -> String {
    let output = connect(url, sql);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

#[test]
fn an_rds_shaped_role_is_no_superuser_and_can_create_a_slot() {
    for major in [13, 18] {
        let server = Server::start(ServerOptions::new(major)).unwrap();
        server.create_database("shop").unwrap();
        server
            .run_sql(
                "shop",
                "CREATE TYPE colour AS ENUM ('red'); CREATE TABLE item (id serial PRIMARY KEY, colour colour);
                 CREATE TABLE part (id int GENERATED ALWAYS AS IDENTITY) PARTITION BY RANGE (id);
                 CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (9);
                 CREATE VIEW red AS SELECT * FROM item; CREATE SEQUENCE free;
                 CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE EXTENSION hstore",
            )
            .unwrap();
        let role = server.create_rds_shaped_role("Mover's \"own\"", "shop").unwrap();
        let url = server.url_as(&role, "shop");
        let shape = "SELECT rolsuper, rolreplication, rolcreatedb, rolcreaterole, rolbypassrls,
                            pg_has_role(oid, 'pg_monitor', 'member'), pg_has_role(oid, 'pg_signal_backend', 'member'),
                            has_database_privilege('shop', 'CREATE') FROM pg_roles WHERE rolname = current_user";
        assert_eq!(answer(&url, shape), "f|t|f|f|f|t|t|t");
        let slot = "SELECT slot_name FROM pg_create_logical_replication_slot('s', 'pgoutput')";
        assert_eq!(answer(&url, slot), "s");
        assert!(!connect(&url, "SELECT * FROM item").status.success(), "it owns nothing yet");
        server.give_public_schema(&role, "shop").unwrap();
        let foreign = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace
                       AND relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)";
        assert_eq!(answer(&url, foreign), "0");
        answer(&url, "ALTER TABLE item ADD note text; CREATE PUBLICATION p FOR TABLE item; CREATE TABLE mine (id int)");
        assert!(!connect(&url, "SELECT * FROM pg_authid").status.success());
    }
}

#[test]
fn the_superuser_needs_its_password_over_tcp() {
    for (major, encryption) in [(13, PasswordEncryption::Md5), (18, PasswordEncryption::ScramSha256)] {
        let server = Server::start(ServerOptions::new(major).password_encryption(encryption)).unwrap();
        let url = server.url("postgres");
        let scheme = if encryption == PasswordEncryption::Md5 { "md5" } else { "SCRAM-SHA-256" };
        let stored = answer(&url, "SELECT rolpassword FROM pg_authid WHERE rolname = current_user");
        assert!(stored.starts_with(scheme));
        let wrong = url.replace(server.superuser().password(), "wrong");
        assert!(!connect(&wrong, "SELECT 1").status.success());
    }
}

#[test]
fn a_database_takes_an_encoding_and_each_generated_locale() {
    let server = Server::start(ServerOptions::new(15)).unwrap();
    server.create_database_with("l1", "ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").unwrap();
    assert_eq!(server.run_sql("l1", "SHOW server_encoding").unwrap(), "LATIN1");
    for locale in ["en_US.UTF-8", "de_DE.UTF-8", "ja_JP.UTF-8"] {
        let options = format!("TEMPLATE template0 LC_COLLATE '{locale}' LC_CTYPE '{locale}'");
        server.create_database_with(locale, &options).unwrap();
    }
    server.run_sql("ja_JP.UTF-8", "ALTER DATABASE \"ja_JP.UTF-8\" SET lc_monetary TO 'ja_JP.UTF-8'").unwrap();
    assert_eq!(server.run_sql("ja_JP.UTF-8", "SELECT 5::money").unwrap(), "￥5");
}

#[test]
fn sql_stops_at_the_first_error_and_tells_no_row_values() {
    let server = Server::start(ServerOptions::new(18)).unwrap();
    server.run_sql("postgres", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (4711)").unwrap();
    let error =
        server.run_sql("postgres", "INSERT INTO t VALUES (4711); CREATE TABLE never ()").unwrap_err().to_string();
    assert!(error.contains("duplicate key") && !error.contains("4711"), "{error}");
    assert_eq!(server.run_sql("postgres", "SELECT to_regclass('never') IS NULL").unwrap(), "t");
}

#[test]
fn a_file_of_sql_is_run() {
    let server = Server::start(ServerOptions::new(14)).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all("CREATE TABLE t AS SELECT 7 AS id;\nSELECT id FROM t;\n".as_bytes()).unwrap();
    assert_eq!(server.run_file("postgres", file.path()).unwrap(), "7");
    assert!(server.run_file("postgres", std::path::Path::new("/nowhere.sql")).is_err());
}
