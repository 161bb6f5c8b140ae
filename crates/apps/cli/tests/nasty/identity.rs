//! Servers that are not the one whose changes were followed, whatever URL leads to them.

use std::path::Path;
use std::process::Command;

use atalaya_sandbox::{Server, ServerOptions, StopMode};

use super::{caught_up, refused};
use crate::support::Move;

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY, what text);
    INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 100) n";

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// The same run against a server that has the database, the table, the publication and a slot of that very name.
fn against(major: u16, because: &str) {
    let mut shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let slot = shop.status()["slot"]["name"].as_str().unwrap().to_owned();
    let other = Server::start(ServerOptions::new(major)).unwrap();
    other.create_database("shop").unwrap();
    other.run_sql("shop", TABLE).unwrap();
    let sql = format!(
        "CREATE PUBLICATION {slot} FOR TABLE item; SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
    );
    other.run_sql("shop", &sql).unwrap();
    let own = std::mem::replace(&mut shop.source_url, other.url("shop"));
    refused(&caught_up(&shop, &[]), because);
    shop.source_url = own;
    assert_eq!(caught_up(&shop, &[]).code, Some(0));
}

#[test]
fn another_server_behind_the_url() {
    against(14, "another server");
}

#[test]
fn a_server_of_the_same_identifier_behind_the_url() {
    // Servers of one version come from one template here, as clones of a restored backup do; only positions differ.
    against(15, "the source has not written");
}

#[test]
fn a_source_restored_to_before_what_was_applied() {
    let mut shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source.stop(StopMode::Fast).unwrap();
    let (data, kept) = (shop.source.folder().join("data"), shop.source.folder().join("kept"));
    copy(&data, &kept);
    shop.source.start_again().unwrap();
    shop.source.run_sql("shop", "UPDATE item SET what = 'after the backup'").unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source.stop(StopMode::Fast).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&kept, &data).unwrap();
    shop.source.start_again().unwrap();
    refused(&caught_up(&shop, &[]), "it was restored");
    let applied = "SELECT count(*) FROM item WHERE what = 'after the backup'";
    assert_eq!(shop.target.run_sql("shop", applied).unwrap(), "100");
}
