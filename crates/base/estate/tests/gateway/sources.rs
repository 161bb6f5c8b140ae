//! From `env:NAME` and `file:PATH` to the secret.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use atalaya_estate::{SecretError, SecretSource};

fn nothing(_: &str) -> Option<String> {
    None
}

fn written(folder: &Path, content: &[u8], mode: u32) -> SecretSource {
    let path = folder.join("secret");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    SecretSource::parse("file:secret", folder).unwrap()
}

#[test]
fn a_variable_is_taken_as_it_is() {
    let source = SecretSource::parse("env:A", Path::new("/x")).unwrap();
    let secret = source.read(&|name| (name == "A").then(|| " hunter2 \n".to_owned())).unwrap();
    assert_eq!(secret.expose(), " hunter2 \n");
    assert_eq!(format!("{secret:?} {source}"), "Secret(***) env:A");
    assert!(matches!(source.read(&nothing), Err(SecretError::UnsetVariable(name)) if name == "A"));
    assert!(matches!(source.read(&|_| Some(String::new())), Err(SecretError::Empty(_))));
}

#[test]
fn a_file_loses_one_line_end_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    for (content, secret) in [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        ("hunter2\n\n", "hunter2\n"),
        ("hunter2\r", "hunter2\r"),
        (" hünter2 \n", " hünter2 "),
    ] {
        let source = written(folder.path(), content.as_bytes(), 0o600);
        assert_eq!(source.read(&nothing).unwrap().expose(), secret);
    }
}

#[test]
fn a_file_that_others_may_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o620, 0o644, 0o660] {
        let error = written(folder.path(), b"hunter2\n", mode).read(&nothing).unwrap_err();
        assert!(matches!(&error, SecretError::Permissions { mode: seen, .. } if *seen == mode));
        assert!(error.hint().contains("chmod 600"));
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    assert!(written(folder.path(), b"hunter2\n", 0o400).read(&nothing).is_ok());
}

#[test]
fn what_cannot_be_a_password_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let read = |content: &[u8]| written(folder.path(), content, 0o600).read(&nothing);
    assert!(matches!(read(b""), Err(SecretError::Empty(_))));
    assert!(matches!(read(b"\n"), Err(SecretError::Empty(_))));
    assert!(matches!(read(b"a\0b"), Err(SecretError::ZeroByte(_))));
    assert!(read(&[b'x'; 65_535]).is_ok());
    assert!(matches!(read(&[b'x'; 65_536]), Err(SecretError::TooLarge(_))));
    assert!(matches!(read(&[b'x'; 100_000]), Err(SecretError::TooLarge(_))));
    let error = read(b"hunter2\xff").unwrap_err();
    assert!(matches!(&error, SecretError::Read { .. }) && error.source().is_some());
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn what_is_no_plain_file_is_refused_without_waiting_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = SecretSource::parse("file:none", folder.path()).unwrap();
    assert!(matches!(missing.read(&nothing), Err(SecretError::Read { .. })));
    let is_folder = SecretSource::File(folder.path().to_owned());
    assert!(matches!(is_folder.read(&nothing), Err(SecretError::NotPlain { .. })));
    let device = SecretSource::parse("file:/dev/zero", folder.path()).unwrap();
    assert!(matches!(device.read(&nothing), Err(SecretError::NotPlain { .. })));
}
