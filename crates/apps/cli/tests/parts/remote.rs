//! Gateways of other machines, which a coordinator asks by mutual TLS.

use std::path::Path;

use atalaya_sandbox::free_port;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::ground::{BACK, NEW, OLD, Parts, THERE};

/// Writes an authority's certificate and, for each name, a certificate of it with its key.
fn certificates(folder: &Path, names: &[(&str, &str)]) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(folder.join("authority.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(parameters, key);
    for (file, host) in names {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![(*host).to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join(format!("{file}.crt")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }
}

#[test]
fn gateways_of_other_machines_are_led_there_and_back_by_mutual_tls() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path(), &[("gateway", "localhost"), ("operator", "somebody")]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let ports = [free_port().unwrap(), free_port().unwrap()];
    let admins = ports.map(|port| {
        let [certificate, key, root] = ["gateway.crt", "gateway.key", "authority.pem"].map(path);
        format!("  admin: {{ listen: 'localhost:{port}', certificate: '{certificate}', key: '{key}', authority: '{root}' }}\n")
    });
    let mut naming = ["certificate", "key", "authority"]
        .into_iter()
        .zip(["operator.crt", "operator.key", "authority.pem"])
        .flat_map(|(option, file)| [format!("--{option}"), path(file)])
        .collect::<Vec<_>>();
    naming.extend(ports.iter().flat_map(|port| ["--gateway".to_owned(), format!("localhost:{port}")]));
    let mut parts = Parts::with_administration(&admins, &naming);
    parts.start_clients();
    for (words, serves) in [(THERE, NEW), (BACK, OLD), (THERE, NEW)] {
        parts.until_committed(10);
        parts.lead(words);
        parts.assert_served_by(serves, "led");
    }
    // Whoever has no certificate of the authority is not heard.
    std::fs::remove_file(folder.path().join("authority.pem")).unwrap();
    certificates(folder.path(), &[("operator", "somebody")]);
    let refused = parts.ask(&parts.course(BACK, "20s"));
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("gateways"), "{}", refused.stderr);
    parts.assert_served_by(NEW, "refused");
    parts.reconcile(&[]);
}
