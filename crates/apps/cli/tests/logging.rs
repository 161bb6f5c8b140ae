//! What is logged, and that it is asked for.

use crate::support::{Move, ran};

#[test]
fn events_are_logged_to_stderr_as_asked_for() {
    let shop = Move::between(15, 15);
    let status = |wanted: Option<&str>, more: &[&str]| {
        let mut command = shop.command(&Move::migrate("status", more));
        ran(match wanted {
            Some(wanted) => command.env("ATALAYA_LOG", wanted),
            None => command.env_remove("ATALAYA_LOG"),
        })
    };
    let silent = status(None, &[]);
    assert!(!silent.stderr.contains("connected"), "{}", silent.stderr);
    let told = status(Some("atalaya_postgres=debug"), &[]);
    assert!(told.stderr.contains("DEBUG atalaya_postgres::session: connected"), "{}", told.stderr);
    assert_eq!((told.code, told.stdout), (silent.code, silent.stdout));
    let json = status(Some("debug"), &["--output", "json"]);
    let lines: Vec<serde_json::Value> =
        json.stderr.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert!(lines.iter().any(|line| line["fields"]["message"] == "connected"), "{}", json.stderr);
    let wrong = status(Some("atalaya_postgres=loud"), &[]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("ATALAYA_LOG"), "{}", wrong.stderr);
}
