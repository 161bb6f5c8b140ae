//! The generated pages say what the program says.

use std::path::Path;
use std::process::Command;

#[test]
fn the_reference_is_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_atalaya")).arg("reference").output().unwrap();
    let pages = xtask::reference::pages(&String::from_utf8(output.stdout).unwrap()).unwrap();
    assert!(pages.contains_key("cli.md"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference");
    let changes = xtask::reference::compare(&folder, &pages).unwrap();
    assert!(changes.is_empty(), "{}", xtask::reference::report(&changes));
}
