//! What a right section becomes.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::time::Duration;

use atalaya_estate::{Estate, ListenAddress, Pooling, SecretSource, ServerLogin, SessionCheck};

use super::{VERIFIER, file, gateway, with_settings};
use crate::parse;

const WHOLE: &str = r#"  listen: [127.0.0.1:6432, "[::1]:6432", "/run/atalaya:6432"]
  workers: 2
  clients_max: 500
  tls: { certificate: server.crt, key: /etc/keys/server.key, required: true }
  admin: { listen: 0.0.0.0:6433, certificate: server.crt, key: server.key, authority: ca.crt }
  metrics: 127.0.0.1:9187
  users:
    app:
      verifier: "VERIFIER"
      secrets:
        shop: env:SHOP_APP_PASSWORD
        legacy: { user: app_rw, secret: file:secrets/legacy }
  databases:
    shop: { to: orders }
    legacy:
      to: green
      pooling: session
      servers_max: 5
      wait_seconds: 1
      server_idle_seconds: 60
      server_lifetime_seconds: 120
      check: always
      prepared_max: 7
"#;

#[test]
fn every_setting_is_read_and_paths_begin_at_the_estate_file() {
    let lookup = |_: &str| Some("postgres://app@users.example/users".to_owned());
    let estate = Estate::parse(&file(WHOLE), Path::new("/etc/atalaya/atalaya.yaml"), &lookup).unwrap();
    assert_eq!(estate.warnings().len(), 0);
    let gateway = estate.gateway.unwrap();
    let shown: Vec<String> = gateway.listen.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["127.0.0.1:6432", "[::1]:6432", "/run/atalaya:6432"]);
    assert_eq!((gateway.workers, gateway.clients_max), (NonZeroU16::new(2), NonZeroU32::new(500).unwrap()));
    let tls = gateway.tls.unwrap();
    assert_eq!(tls.certificate, PathBuf::from("/etc/atalaya/server.crt"));
    assert_eq!((tls.key, tls.required), (PathBuf::from("/etc/keys/server.key"), true));
    let admin = gateway.admin.unwrap();
    assert_eq!(admin.listen, ListenAddress::Tcp { host: "0.0.0.0".into(), port: 6433 });
    assert_eq!(admin.authority, PathBuf::from("/etc/atalaya/ca.crt"));
    assert_eq!(gateway.metrics, Some(ListenAddress::Tcp { host: "127.0.0.1".into(), port: 9187 }));
    let user = &gateway.users["app"];
    assert_eq!(user.verifier.expose(), VERIFIER);
    let variable = SecretSource::Variable("SHOP_APP_PASSWORD".into());
    assert_eq!(user.secrets["shop"], ServerLogin { user: None, secret: variable });
    let path = SecretSource::File("/etc/atalaya/secrets/legacy".into());
    assert_eq!(user.secrets["legacy"], ServerLogin { user: Some("app_rw".into()), secret: path });
    let legacy = &gateway.databases["legacy"];
    assert_eq!((legacy.to.as_str(), legacy.pooling), ("green", Pooling::Session));
    assert_eq!((legacy.servers_max.get(), legacy.prepared_max.get()), (5, 7));
    let limits = [legacy.wait_limit, legacy.server_idle_limit, legacy.server_lifetime];
    assert_eq!(limits, [1, 60, 120].map(Duration::from_secs));
    assert_eq!(legacy.session_check, SessionCheck::Always);
}

#[test]
fn what_is_left_out_has_the_documented_defaults() {
    let gateway = gateway(&with_settings(""));
    assert_eq!(gateway.listen, [ListenAddress::Tcp { host: "127.0.0.1".into(), port: 6432 }]);
    assert_eq!((gateway.workers, gateway.clients_max.get()), (None, 10_000));
    assert_eq!((gateway.tls, gateway.admin, gateway.metrics), (None, None, None));
    let shop = &gateway.databases["shop"];
    assert_eq!((shop.pooling, shop.session_check), (Pooling::Transaction, SessionCheck::Statements));
    assert_eq!((shop.servers_max.get(), shop.prepared_max.get()), (20, 500));
    let limits = [shop.wait_limit, shop.server_idle_limit, shop.server_lifetime];
    assert_eq!(limits, [30, 600, 3600].map(Duration::from_secs));
}

#[test]
fn one_address_needs_no_list_and_tls_is_asked_for_only_by_request() {
    let gateway = gateway(&with_settings("listen: /run/atalaya:6432\ntls: { certificate: a, key: b }"));
    assert_eq!(gateway.listen, [ListenAddress::Unix { folder: "/run/atalaya".into(), port: 6432 }]);
    let tls = gateway.tls.unwrap();
    assert_eq!((tls.certificate, tls.required), (PathBuf::from("a"), false));
}

#[test]
fn a_file_without_the_section_or_with_an_empty_one_has_no_gateway() {
    assert_eq!(parse("estate: a\n").unwrap().gateway, None);
    assert_eq!(parse("estate: a\ngateway:\n").unwrap().gateway, None);
}

#[test]
fn the_section_may_stand_before_the_databases_it_names() {
    let text = with_settings("");
    let (head, section) = text.split_at(text.find("gateway:").unwrap());
    let turned = format!("{section}{head}");
    assert_eq!(gateway(&turned), gateway(&text));
}

#[test]
fn a_verifier_may_come_from_a_variable() {
    let text = file(
        "  users: { app: { verifier: '${V}', secrets: { shop: env:A } } }\n  databases: { shop: { to: orders } }\n",
    );
    let estate = Estate::parse(&text, Path::new("atalaya.yaml"), &|name| match name {
        "V" => Some(VERIFIER.to_owned()),
        _ => Some("postgres://u@h/d".to_owned()),
    });
    assert_eq!(estate.unwrap().gateway.unwrap().users["app"].verifier.expose(), VERIFIER);
}
