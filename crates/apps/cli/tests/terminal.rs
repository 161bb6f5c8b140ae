//! The program on a terminal, which no other test gives it.

use std::process::Command;

#[test]
fn nothing_but_its_own_words_is_shown_on_a_terminal() {
    let state = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_atalaya");
    // `script` runs it on a pseudo-terminal; both of its outputs come back as one.
    let output = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--command",
            &format!("{program} sandbox status --state {}", state.path().display()),
        ])
        .arg("/dev/null")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.trim(), "no sandbox is up");
}
