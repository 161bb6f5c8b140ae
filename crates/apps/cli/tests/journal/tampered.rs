//! Whoever edits the journal is found out.

use std::path::Path;

use super::{answer, journal, shop};
use crate::support::Move;

/// Replaces some bytes by as many others, where they stand first.
fn edit(file: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).expect("nothing to edit");
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    std::fs::write(file, bytes).unwrap();
}

fn moved() -> Move {
    let shop = shop();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop
}

#[test]
fn an_edited_event_is_named_by_its_position_with_exit_3() {
    let shop = moved();
    let file = shop.state().join("journal.db");
    edit(&file, r#""outcome":"caught up""#, r#""outcome":"caught at""#);
    let ran = journal(&shop, &["verify"]);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
    let events = journal(&shop, &["tail", "--type", "MigrationRunEnded", "--output", "json"]).stdout;
    let position = serde_json::from_str::<serde_json::Value>(&events).unwrap()["position"].clone();
    assert!(ran.stdout.starts_with(&format!("TAMPERED at position {position}: ")), "{}", ran.stdout);
    let ran = journal(&shop, &["verify", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["version"], &report["finding"]["position"]), (&1.into(), &position));
}

#[test]
fn an_edited_journal_is_not_exported() {
    let shop = moved();
    let apart = tempfile::tempdir().unwrap();
    let (key, folder) = (apart.path().join("journal.key"), apart.path().join("audit"));
    std::fs::create_dir(&folder).unwrap();
    let (key, folder) = (key.to_str().unwrap(), folder.to_str().unwrap());
    answer(&shop, &["key", key]);
    edit(&shop.state().join("journal.db"), r#""outcome":"caught up""#, r#""outcome":"caught at""#);
    let ran = journal(&shop, &["export", "--to", folder, "--key", key]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "something was written");
}

#[test]
fn exports_find_a_journal_that_was_put_back_and_only_the_right_key_is_believed() {
    let shop = moved();
    let apart = tempfile::tempdir().unwrap();
    let (key, folder) = (apart.path().join("journal.key"), apart.path().join("audit"));
    std::fs::create_dir(&folder).unwrap();
    let (key, folder) = (key.to_str().unwrap(), folder.to_str().unwrap());
    let inside = shop.state().join("journal.key");
    let refused = journal(&shop, &["key", inside.to_str().unwrap()]);
    assert!(refused.code == Some(4) && refused.stderr.contains("lies where the journal is"), "{refused:?}");
    let public = answer(&shop, &["key", key])["public_key"].as_str().unwrap().to_owned();
    let twice = journal(&shop, &["key", key]);
    assert_eq!(twice.code, Some(1), "a key is never replaced: {}", twice.stdout);

    let file = shop.state().join("journal.db");
    let before = std::fs::read(&file).unwrap();
    let lines = apart.path().join("events.jsonl");
    let exported = answer(&shop, &["export", "--to", folder, "--key", key, "--events", lines.to_str().unwrap()]);
    assert_eq!(exported["written"], true);
    let written = std::fs::read_to_string(&lines).unwrap();
    assert_eq!(written.lines().count() as u64, exported["size"].as_u64().unwrap());
    assert_eq!(answer(&shop, &["export", "--to", folder, "--key", key])["written"], false);
    shop.done("start", &["--stop-when", "caught-up"]);
    let verified = answer(&shop, &["verify", "--against", folder, "--key", &public]);
    assert_eq!(verified["verdict"], "intact");
    assert!(verified["unseen"][0].as_str().unwrap().contains("in no checkpoint yet"), "{verified}");
    assert_eq!(answer(&shop, &["export", "--to", folder, "--key", key])["written"], true);

    // By itself the older file is a journal like any other.
    std::fs::write(&file, before).unwrap();
    assert_eq!(answer(&shop, &["verify"])["verdict"], "intact");
    let ran = journal(&shop, &["verify", "--against", folder, "--key", &public]);
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    assert!(ran.stdout.contains("TAMPERED") && ran.stdout.contains("cut off"), "{}", ran.stdout);
    let ran = journal(&shop, &["export", "--to", folder, "--key", key]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);

    let empty = tempfile::tempdir().unwrap();
    let ran = journal(&shop, &["verify", "--against", empty.path().to_str().unwrap(), "--key", &public]);
    assert!(ran.code == Some(1) && ran.stderr.contains("there is no checkpoint in"), "{ran:?}");
    let ran = journal(&shop, &["export", "--to", shop.state().to_str().unwrap(), "--key", key]);
    assert!(ran.code == Some(4) && ran.stderr.contains("lies where the journal is"), "{ran:?}");
    let other = apart.path().join("other.key");
    let other = answer(&shop, &["key", other.to_str().unwrap()])["public_key"].as_str().unwrap().to_owned();
    let ran = journal(&shop, &["verify", "--against", folder, "--key", &other]);
    assert!(ran.code == Some(3) && ran.stderr.contains("not signed"), "{ran:?}");
}

/// As the documentation of the journal says.
#[test]
fn another_key_goes_on_in_the_same_folder_and_old_checkpoints_are_believed_by_the_old_one() {
    let shop = moved();
    let apart = tempfile::tempdir().unwrap();
    let folders = ["audit", "audit-2"].map(|name| apart.path().join(name));
    folders.iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let [folder, other_folder] = folders.each_ref().map(|folder| folder.to_str().unwrap());
    let files = ["old.key", "new.key"].map(|name| apart.path().join(name));
    let [old, new] = files.each_ref().map(|file| file.to_str().unwrap());
    let [old_public, new_public] =
        [old, new].map(|key| answer(&shop, &["key", key])["public_key"].as_str().unwrap().to_owned());
    let export = |to: &str, key: &str| answer(&shop, &["export", "--to", to, "--key", key])["written"].clone();
    assert_eq!(export(folder, old), true);
    // Nothing to sign, nothing signed twice.
    assert_eq!(export(folder, new), false);
    shop.done("start", &["--stop-when", "caught-up"]);
    assert_eq!(export(folder, new), true);

    let both = ["verify", "--against", folder, "--key", &old_public, "--key", &new_public];
    assert_eq!(answer(&shop, &both)["verdict"], "intact");
    for key in [&old_public, &new_public] {
        let ran = journal(&shop, &["verify", "--against", folder, "--key", key]);
        assert!(ran.code == Some(3) && ran.stderr.contains("not signed"), "{ran:?}");
    }
    // A folder of its own needs none but its own.
    assert_eq!(export(other_folder, new), true);
    assert_eq!(answer(&shop, &["verify", "--against", other_folder, "--key", &new_public])["verdict"], "intact");
}
