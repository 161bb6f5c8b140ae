//! What a run leaves on the local disk holds no secret of the databases it moves.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::Move;

#[test]
fn the_list_of_settings_shows_no_value_of_an_application_and_all_state_is_private() {
    let shop = Move::between(13, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1); CREATE ROLE keeper;
             ALTER DATABASE shop SET app.jwt_secret = 'hunter2-database';
             ALTER ROLE keeper SET app.token = 'hunter2-role';
             ALTER ROLE keeper IN DATABASE shop SET search_path = \"$user\", 'a;DROP', public;
             ALTER ROLE ALL SET work_mem = '7MB'",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let lists: Vec<PathBuf> = files(shop.state())
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name == "roles.sql"))
        .collect();
    assert_eq!(lists.len(), 1, "{lists:?}");
    let text = std::fs::read_to_string(&lists[0]).unwrap();
    for listed in [
        "CREATE ROLE \"keeper\"",
        "DATABASE \"shop\" SET \"app\".\"jwt_secret\" = '...'",
        "ROLE \"keeper\" SET \"app\".\"token\" = '...'",
        "ROLE \"keeper\" IN DATABASE \"shop\" SET search_path = '$user', 'a;DROP', 'public';",
        "ALTER ROLE ALL SET work_mem = '7MB';",
    ] {
        assert!(text.contains(listed), "`{listed}` is not in:\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    let mut dumps = 0;
    for path in files(shop.state()) {
        // pg_dump's archive holds the schema as it is; that is for its owner alone, as is the list.
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "`{}`", path.display());
        dumps += u32::from(path.extension().is_some_and(|extension| extension == "dump"));
    }
    assert_eq!(dumps, 1);
    // What is listed runs as it stands.
    shop.target.run_sql("shop", &text).unwrap();
    let path =
        "SELECT s.setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE setdatabase <> 0";
    assert_eq!(shop.target.run_sql("shop", path).unwrap(), shop.source.run_sql("shop", path).unwrap());
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
