//! Pages are written once, compared exactly, and never land elsewhere.

use std::fs;
use std::path::Path;

use xtask::reference::{Change, HEADER, ReferenceError, ask_binary, compare, pages, report, write};

#[test]
fn pages_are_written_then_found_equal_and_strangers_stay() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("docs/reference");
    let first = pages(r##"{"cli.md": "# CLI\n\ntext", "checks.md": "# Checks"}"##).unwrap();
    assert_eq!(
        compare(&folder, &first).unwrap(),
        [Change::Missing("checks.md".into()), Change::Missing("cli.md".into())]
    );
    write(&folder, &first).unwrap();
    assert_eq!(compare(&folder, &first).unwrap(), []);
    fs::write(folder.join("hand.md"), "by hand").unwrap();

    let second = pages(r##"{"cli.md": "# CLI\n\nother"}"##).unwrap();
    let changes = compare(&folder, &second).unwrap();
    assert_eq!(changes, [Change::Stale("cli.md".into(), 5), Change::Orphan("checks.md".into())]);
    assert!(report(&changes).contains("docs/reference/cli.md:5: stale"));
    write(&folder, &second).unwrap();
    assert_eq!(compare(&folder, &second).unwrap(), []);
    assert_eq!(fs::read_to_string(folder.join("cli.md")).unwrap(), format!("{HEADER}\n\n# CLI\n\nother\n"));
    assert!(folder.join("hand.md").exists() && !folder.join("checks.md").exists());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["../x.md", "a/b.md", ".md", "x.txt", "X.md", "x", "-/.md"] {
        let json = format!("{{\"{name}\": \"\"}}");
        assert!(matches!(pages(&json), Err(ReferenceError::Name(seen)) if seen == name), "{name}");
    }
    assert!(matches!(pages("[1]"), Err(ReferenceError::Json(_))));
}

#[test]
fn the_pages_in_the_tree_say_what_the_program_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let pages = pages(&ask_binary(&root).unwrap()).unwrap();
    assert!(pages.contains_key("cli.md"));
    let changes = compare(&root.join("docs/reference"), &pages).unwrap();
    assert!(changes.is_empty(), "{}", report(&changes));
}
