//! From `env:NAME`, URLs and passfiles to a connection's password.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use atalaya_estate::{ConnectionUrl, PassfileError, SecretOrigin, UrlError};

fn nothing(_: &str) -> Option<String> {
    None
}

fn passfile(folder: &tempfile::TempDir, mode: u32) -> PathBuf {
    let path = folder.path().join(".pgpass");
    fs::write(&path, "db.example:5432:shop:ann:s3cret\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn a_written_password_is_told_from_one_in_a_variable() {
    let written = ConnectionUrl::resolve("postgres://ann:x@db.example/shop", &nothing).unwrap();
    assert_eq!((written.secret, written.url.password()), (SecretOrigin::Text, Some("x")));
    let lookup = |name: &str| (name == "SHOP").then(|| "postgres://ann:x@db.example/shop\n".to_owned());
    let variable = ConnectionUrl::resolve("env:SHOP", &lookup).unwrap();
    assert_eq!((variable.secret, variable.url.password()), (SecretOrigin::Variable, Some("x")));
    let without = ConnectionUrl::resolve("postgres://ann@db.example/shop", &nothing).unwrap();
    assert_eq!((without.secret, without.url.password()), (SecretOrigin::Nowhere, None));
}

#[test]
fn a_reference_that_leads_nowhere_says_so() {
    assert!(matches!(ConnectionUrl::resolve("env:NO", &nothing), Err(UrlError::UnsetVariable(name)) if name == "NO"));
    assert!(matches!(ConnectionUrl::resolve("env:", &nothing), Err(UrlError::VariableName)));
    assert!(matches!(ConnectionUrl::resolve("env:postgres://u:p@h/d", &nothing), Err(UrlError::VariableName)));
    assert!(matches!(ConnectionUrl::resolve("shop", &nothing), Err(UrlError::Scheme)));
}

#[test]
fn a_passfile_is_found_by_parameter_variable_and_home() {
    let folder = tempfile::tempdir().unwrap();
    let path = passfile(&folder, 0o600);
    let url = "postgres://ann@db.example/shop";
    let named = ConnectionUrl::resolve(&format!("{url}?passfile={}", path.display()), &nothing).unwrap();
    let by_variable =
        ConnectionUrl::resolve(url, &|name| (name == "PGPASSFILE").then(|| path.display().to_string())).unwrap();
    let home = |name: &str| (name == "HOME").then(|| folder.path().display().to_string());
    let by_home = ConnectionUrl::resolve(url, &home).unwrap();
    for resolved in [named, by_variable, by_home] {
        assert_eq!((resolved.secret, resolved.url.password()), (SecretOrigin::Passfile, Some("s3cret")));
    }
    let other = ConnectionUrl::resolve("postgres://bob@db.example/shop", &home).unwrap();
    assert_eq!(other.secret, SecretOrigin::Nowhere);
}

#[test]
fn a_passfile_that_others_may_use_is_refused() {
    for mode in [0o640, 0o604, 0o620, 0o660] {
        let folder = tempfile::tempdir().unwrap();
        let path = passfile(&folder, mode);
        let error =
            ConnectionUrl::resolve(&format!("postgres://ann@db.example/shop?passfile={}", path.display()), &nothing)
                .unwrap_err();
        assert!(matches!(&error, UrlError::Passfile(PassfileError::Permissions { mode: seen, .. }) if *seen == mode));
        assert!(!error.to_string().contains("s3cret"));
    }
}

#[test]
fn a_missing_passfile_matters_only_when_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let home = |name: &str| (name == "HOME").then(|| folder.path().display().to_string());
    assert!(ConnectionUrl::resolve("postgres://ann@h/d", &home).is_ok());
    let asked = format!("postgres://ann@h/d?passfile={}/none", folder.path().display());
    assert!(matches!(ConnectionUrl::resolve(&asked, &home), Err(UrlError::Passfile(PassfileError::Read { .. }))));
    let is_folder = format!("postgres://ann@h/d?passfile={}", folder.path().display());
    assert!(matches!(
        ConnectionUrl::resolve(&is_folder, &home),
        Err(UrlError::Passfile(PassfileError::NotPlain { .. }))
    ));
}

#[test]
fn the_same_database_is_known_whoever_logs_in() {
    let url = |text: &str| ConnectionUrl::parse(text).unwrap();
    assert!(url("postgres://a:x@H/d").is_same_database(&url("postgres://b@h:5432/d?sslmode=require")));
    assert!(!url("postgres://a@h/d").is_same_database(&url("postgres://a@h:5433/d")));
    assert!(url("postgres://a:x@h/d").is_same_login(&url("postgres://a:y@h/d")));
    for other in ["postgres://b:x@h/d", "postgres://a:x@h/e", "postgres://a:x@h/d?sslmode=require"] {
        assert!(!url("postgres://a:x@h/d").is_same_login(&url(other)), "{other}");
    }
}
