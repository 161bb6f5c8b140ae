//! Certificates are looked into before anything is served, and what is wrong with one names its file.

use std::path::Path;

use atalaya_gateway::ConfigurationError;
use atalaya_gateway::admin::{AdminIdentity, RemoteAdmin};

use crate::serving::{Authority, configuration};

fn resolved(files: &AdminIdentity) -> Result<(), ConfigurationError> {
    let [certificate, key, root] =
        [&files.certificate, &files.key, &files.authority].map(|path| path.display().to_string());
    let lines = format!(
        "  admin: {{ listen: '127.0.0.1:6433', certificate: '{certificate}', key: '{key}', authority: '{root}' }}\n"
    );
    configuration(6432, &lines, "postgres://somebody@localhost/orders", "somebody", "secret").map(|_| ())
}

/// The gateway and an administrator say the same of the same files.
fn refused(files: &AdminIdentity, path: &Path) {
    let failures = [resolved(files).err(), RemoteAdmin::new("localhost", 1, files).err()];
    for failure in failures {
        let failure = failure.unwrap();
        assert!(failure.to_string().contains(&format!("`{}`", path.display())), "{failure}");
        assert!(failure.hint().is_some(), "{failure}");
    }
}

#[test]
fn whatever_is_wrong_with_a_file_names_it() {
    let authority = Authority::new();
    let good = authority.issue("good", "localhost");
    resolved(&good).unwrap();
    let missing = authority.path("missing.pem");
    refused(&AdminIdentity { certificate: missing.clone(), ..good.clone() }, &missing);
    refused(&AdminIdentity { key: missing.clone(), ..good.clone() }, &missing);
    refused(&AdminIdentity { authority: missing.clone(), ..good.clone() }, &missing);

    let empty = authority.path("empty.pem");
    std::fs::write(&empty, "").unwrap();
    refused(&AdminIdentity { certificate: empty.clone(), ..good.clone() }, &empty);
    refused(&AdminIdentity { key: empty.clone(), ..good.clone() }, &empty);
    refused(&AdminIdentity { authority: empty.clone(), ..good.clone() }, &empty);

    let other = authority.issue("other", "localhost");
    refused(&AdminIdentity { key: other.key, ..good.clone() }, &good.certificate);
}
