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

/// The same of what clients are shown.
#[test]
fn a_certificate_for_clients_that_is_none_or_another_keys_names_its_file() {
    let authority = Authority::new();
    let good = authority.issue("good", "localhost");
    let with = |certificate: &Path, key: &Path| {
        let lines = format!("  tls: {{ certificate: '{}', key: '{}' }}\n", certificate.display(), key.display());
        configuration(6432, &lines, "postgres://somebody@localhost/orders", "somebody", "secret").map(|_| ())
    };
    with(&good.certificate, &good.key).unwrap();
    let (missing, empty, garbage) =
        (authority.path("missing.pem"), authority.path("empty.pem"), authority.path("bad.pem"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&garbage, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let other = authority.issue("other", "localhost");
    for (certificate, key, named) in [
        (&missing, &good.key, &missing),
        (&good.certificate, &missing, &missing),
        (&empty, &good.key, &empty),
        (&good.certificate, &empty, &empty),
        (&garbage, &good.key, &garbage),
        (&good.certificate, &other.key, &good.certificate),
    ] {
        let failure = with(certificate, key).unwrap_err();
        assert!(failure.to_string().contains(&format!("`{}`", named.display())), "{failure}");
        assert!(failure.hint().is_some(), "{failure}");
    }
}
