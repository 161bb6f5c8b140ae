//! libpq of 18 with protocol 3.2, whose keys to cancel by are longer.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use atalaya_sandbox::{client_tools, eventually, fresh_database};

use super::is_running;
use crate::support::{Gateway, PASSWORD, Setup, gateway};

/// psql of 18 in front of the gateway, with nothing of the machine's own settings.
fn psql(gateway: &Gateway, protocol: &str, script: &str) -> Child {
    let address = format!(
        "host=127.0.0.1 port={} user=app dbname=shop sslmode=disable min_protocol_version={protocol} \
         max_protocol_version={protocol}",
        gateway.port
    );
    let mut psql = Command::new(client_tools(18).unwrap().join("psql"));
    psql.env_clear().env("PGPASSWORD", PASSWORD).args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &address]);
    let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    psql.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    psql
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn psql_of_the_newest_version_is_served_by_each_protocol() {
    let gateway = gateway();
    for (protocol, spoken) in [("3.0", "3.0"), ("3.2", "3.2"), ("latest", "3.2")] {
        let script = "SELECT 6 * 7;\nSELECT $1::int + 1 \\bind 1 \\g\n\\conninfo\n";
        let output = psql(&gateway, protocol, script).wait_with_output().unwrap();
        let (answers, errors) = said(&output);
        assert!(output.status.success(), "{protocol}: {errors}");
        let lines: Vec<&str> = answers.lines().collect();
        assert_eq!(lines[..2], ["42", "2"], "{protocol}: {answers}");
        let version = lines.iter().find(|line| line.starts_with("Protocol Version"));
        assert_eq!(version.copied(), Some(format!("Protocol Version|{spoken}").as_str()), "{answers}");
    }
}

#[test]
fn psql_of_the_newest_version_cancels_by_each_protocols_key() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).start();
    let asked = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND state = 'active' AND query LIKE \
         'SELECT pg_sleep%'"
    );
    for protocol in ["3.0", "3.2"] {
        let mut psql = psql(&gateway, protocol, "SELECT pg_sleep(600);");
        // During its login psql itself would end.
        eventually("it sleeps", || server.run_sql("postgres", &asked).unwrap() == "1");
        // As the keys Ctrl-C do.
        eventually("it ends", || {
            let told = Command::new("kill").args(["-INT", &psql.id().to_string()]).status().unwrap();
            assert!(told.success() || psql.try_wait().unwrap().is_some());
            psql.try_wait().unwrap().is_some()
        });
        let (_, errors) = said(&psql.wait_with_output().unwrap());
        assert!(errors.contains("canceling statement due to user request"), "{protocol}: {errors}");
        assert!(!errors.contains("could not send cancel request"), "{protocol}: {errors}");
        is_running(&gateway, 0);
    }
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}
