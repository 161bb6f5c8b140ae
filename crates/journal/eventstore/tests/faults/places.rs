//! Where a journal may be kept.

use std::os::unix::fs::PermissionsExt;

use atalaya_eventstore::{Error, Expected, Options, Store};

use crate::ground::Ground;
use crate::making::one;

#[tokio::test]
async fn a_file_and_its_folder_are_made_for_their_owner_alone() {
    let ground = Ground::sqlite();
    let store = ground.open().await;
    store.append(one("a-1", Expected::None)).await.unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let folder = ground.file().parent().unwrap().to_owned();
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600));
    store.close().await;
    assert_eq!(folder.read_dir().unwrap().count(), 1, "the log is emptied into the file");
}

#[tokio::test]
async fn another_programs_file_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (id)").unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "not a database at all, and long enough to be looked at as if it were one".repeat(40))
        .unwrap();
    let refused = Store::open_sqlite(&path, Options::default()).await.err();
    assert!(matches!(refused, Some(Error::NotAJournal { .. })), "{refused:?}");
    let refused = Store::open_sqlite(&text, Options::default()).await.err();
    assert!(matches!(refused, Some(Error::Sqlite { .. })), "{refused:?}");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_database_of_another_encoding_and_another_programs_schema_are_refused() {
    let ground = Ground::postgres(15);
    let Ground::Postgres { server, database } = &ground else { panic!("it is Postgres") };
    server.run_sql(database, "CREATE SCHEMA atalaya_journal").unwrap();
    let refused = ground.open_with(Options::default()).await.err();
    assert!(matches!(refused, Some(Error::NotAJournal { .. })), "{refused:?}");
    let latin = format!("{database}_latin");
    server.create_database_with(&latin, "ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").unwrap();
    let url = atalaya_estate::ConnectionUrl::parse(&server.url(&latin)).unwrap();
    let refused = Store::open_postgres(&url, Options::default()).await.err();
    assert!(matches!(refused, Some(Error::Unsuitable { .. })), "{refused:?}");
}

/// Not a superuser, and not the owner of anything but what it makes.
#[tokio::test]
async fn a_role_that_may_only_create_in_the_database_can_keep_a_journal() {
    let ground = Ground::postgres(18);
    let Ground::Postgres { server, database } = &ground else { panic!("it is Postgres") };
    let role = server.create_rds_shaped_role(&format!("keeper_{database}"), database).unwrap();
    let url = atalaya_estate::ConnectionUrl::parse(&server.url_as(&role, database)).unwrap();
    let store = Store::open_postgres(&url, Options::default()).await.unwrap();
    store.append(one("a-1", Expected::None)).await.unwrap();
    assert_eq!(store.head().await.unwrap().number(), 1);
}
