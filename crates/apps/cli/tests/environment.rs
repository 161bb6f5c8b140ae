//! What the caller's environment says to other Postgres programs means nothing to a move.

use crate::support::Move;

#[test]
fn settings_for_libpq_in_the_environment_lead_nowhere_else() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)").unwrap();
    // Each of these alone keeps pg_dump from the source.
    for (name, value) in [
        ("PGHOSTADDR", "127.1.2.3"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGREQUIREAUTH", "none"),
        ("PGCHANNELBINDING", "require"),
        ("PGSERVICE", "elsewhere"),
        ("PGOPTIONS", "-c search_path=nowhere -c no_such_setting=1"),
    ] {
        let dumped = std::process::Command::new(atalaya_sandbox::client_tools(18).unwrap().join("pg_dump"))
            .args(["--schema-only", "--dbname", &shop.source_url])
            .env(name, value)
            .output()
            .unwrap();
        assert!(!dumped.status.success(), "`{name}` makes no difference to pg_dump");
    }
    let mut command = shop.command(&Move::migrate("start", &["--stop-when", "caught-up"]));
    command
        .envs([("PGHOSTADDR", "127.1.2.3"), ("PGTARGETSESSIONATTRS", "standby"), ("PGREQUIREAUTH", "none")])
        .envs([("PGCHANNELBINDING", "require"), ("PGSERVICE", "elsewhere"), ("PGSERVICEFILE", "/nowhere")])
        .envs([("PGOPTIONS", "-c no_such_setting=1"), ("PGSSLCERT", "/nowhere"), ("PGSSLKEY", "/nowhere")]);
    let ran = crate::support::ran(&mut command);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    shop.assert_equal();
}
