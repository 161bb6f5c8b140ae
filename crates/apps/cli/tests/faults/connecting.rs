//! Servers that cannot be reached, or are not the ones that were meant.

use atalaya_sandbox::{Server, ServerOptions, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::support::{Move, Ran};

/// Asserts how a command failed: its exit code, what was seen, and a next step that fits.
pub(super) fn assert_failed(ran: &Ran, code: i32, seen: &str, hint: &str) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
    let error = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(error.contains(seen), "{}", ran.stderr);
    let step = ran.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
    assert!(step.contains(hint), "{}", ran.stderr);
}

/// Nothing of ours is on either side.
fn assert_untouched(shop: &Move) {
    let slots = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)";
    assert_eq!(shop.source.run_sql("shop", slots).unwrap(), "0");
    let ours = "SELECT count(*) FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace
                 WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))";
    assert_eq!(shop.target.run_sql("shop", ours).unwrap(), "0");
}

fn password(server: &Server) -> String {
    server.superuser().password().to_owned()
}

#[test]
fn a_wrong_host_port_password_role_or_database_is_said_with_its_next_step() {
    let mut shop = Move::between(15, 18);
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY)").unwrap();
    let (source, target) = (shop.source_url.clone(), shop.target_url.clone());
    let (source_port, target_port) = (shop.source.port().to_string(), shop.target.port().to_string());
    let (source_password, target_password) = (password(&shop.source), password(&shop.target));
    // Port 1 of loopback: nothing listens there.
    for (from, to, seen, hint) in [
        ("127.0.0.1", "no-such-host.invalid", "the host `no-such-host.invalid` is unknown", "check the host"),
        (source_port.as_str(), "1", "cannot connect to", "the server runs"),
        (target_port.as_str(), "1", "cannot connect to", "the server runs"),
        (source_password.as_str(), "wrong-secret", "password authentication failed", "check the password"),
        (target_password.as_str(), "wrong-secret", "password authentication failed", "check the password"),
        ("/shop?", "/nowhere?", "database \"nowhere\" does not exist", "check the database's name"),
        ("postgres://", "postgres://nobody-", "password authentication failed", "check the password"),
    ] {
        shop.source_url = source.replace(from, to);
        shop.target_url = target.replace(from, to);
        assert!(shop.source_url != source || shop.target_url != target, "{to} changes nothing");
        let ran = shop.run("start", &[]);
        assert_failed(&ran, 1, seen, hint);
        let shown = ran.stdout + &ran.stderr;
        for secret in [&source_password, &target_password, "wrong-secret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    (shop.source_url, shop.target_url) = (source, target);
    assert_untouched(&shop);
}

#[test]
fn a_url_that_cannot_be_read_is_wrong_usage() {
    let mut shop = Move::between(15, 15);
    shop.source_url = shop.source_url.replace("postgres://", "mysql://");
    assert_failed(&shop.run("start", &[]), 2, "starts with `postgres://`", "postgres://user@host");
    let unset = shop.command(&["migrate", "start", "--source", "env:NO_SUCH", "--target", "env:TARGET_URL"]).output();
    assert_eq!(unset.unwrap().status.code(), Some(2));
}

/// An authority, and a certificate it issued for `localhost`.
fn certificates() -> (String, TlsFiles) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "test authority");
    let root = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (root, TlsFiles::new(certificate.pem(), key.serialize_pem()).required())
}

#[test]
fn certificates_of_another_authority_or_name_stop_the_move_and_the_right_one_carries_it() {
    let folder = tempfile::tempdir().unwrap();
    let ((source_root, source_files), (target_root, target_files)) = (certificates(), certificates());
    let mut shop = Move::with(ServerOptions::new(14).tls(source_files), ServerOptions::new(18).tls(target_files));
    shop.source.run_sql("shop", "CREATE TABLE item AS SELECT i AS id FROM generate_series(1, 100) i").unwrap();
    shop.source.run_sql("shop", "ALTER TABLE item ADD PRIMARY KEY (id)").unwrap();
    for (name, root) in [("source.pem", source_root), ("target.pem", target_root)] {
        std::fs::write(folder.path().join(name), root).unwrap();
    }
    let with = |url: &str, host: &str, root: &str| {
        let root = folder.path().join(root).display().to_string();
        url.replace("127.0.0.1", host).replace("sslmode=disable", &format!("sslmode=verify-full&sslrootcert={root}"))
    };
    let (source, target) = (shop.source_url.clone(), shop.target_url.clone());
    let right = (with(&source, "localhost", "source.pem"), with(&target, "localhost", "target.pem"));
    let wrong = [
        (with(&source, "localhost", "target.pem"), right.1.clone(), "invalid peer certificate", "sslrootcert"),
        (right.0.clone(), with(&target, "localhost", "source.pem"), "invalid peer certificate", "sslrootcert"),
        (
            with(&source, "127.0.0.1", "source.pem"),
            right.1.clone(),
            "not valid for",
            "a name that the certificate lists",
        ),
        (
            right.0.clone(),
            with(&target, "127.0.0.1", "target.pem"),
            "not valid for",
            "a name that the certificate lists",
        ),
        (right.0.clone(), with(&target, "localhost", "missing.pem"), "missing.pem", "sslrootcert"),
    ];
    for (source, target, seen, hint) in wrong {
        (shop.source_url, shop.target_url) = (source, target);
        assert_failed(&shop.run("start", &["--stop-when", "caught-up"]), 1, seen, hint);
        assert_untouched(&shop);
    }
    // Copy, replication and pg_dump, too, go by the certificate.
    (shop.source_url, shop.target_url) = right;
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
    (shop.source_url, shop.target_url) = (source, target);
    assert_failed(&shop.run("start", &[]), 1, "refused the connection", "pg_hba.conf");
}
