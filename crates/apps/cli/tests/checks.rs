//! The list of checks, which needs no server.

use std::process::Command;

#[test]
fn the_list_of_checks_is_for_people_and_for_programs() {
    let list = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atalaya"));
        let ran = crate::support::ran(command.args(["assess", "--list"]).args(more));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let json: serde_json::Value = serde_json::from_str(&list(&["--output", "json"])).unwrap();
    let checks = json["checks"].as_array().unwrap();
    assert!(!checks.is_empty());
    let text = list(&[]);
    for check in checks {
        let id = check["id"].as_str().unwrap();
        assert!(text.lines().any(|line| line.starts_with(id)), "{id} is not in the text");
    }
}
