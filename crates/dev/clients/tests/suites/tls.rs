//! TLS towards clients, and SCRAM bound to it.

use std::process::Command;
use std::time::Duration;

use atalaya_sandbox::client_tools;

use crate::harness::{Gateway, Lab, Pooling, Program, Tls, agree_with_the_gateway_over_tls, clean, run};

const MAJOR: u16 = 18;
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn psycopg_is_told_the_same_over_tls() {
    agree_with_the_gateway_over_tls(Program::Psycopg);
}

#[test]
fn asyncpg_is_told_the_same_over_tls() {
    agree_with_the_gateway_over_tls(Program::Asyncpg);
}

#[test]
fn psql_is_told_the_same_over_tls() {
    agree_with_the_gateway_over_tls(Program::Psql);
}

fn psql(lab: &Lab, gateway: &Gateway, variables: &[(&str, &str)]) -> Command {
    let mut psql = clean(client_tools(MAJOR).unwrap().join("psql"));
    lab.address(&mut psql, &gateway.door());
    psql.args(["-X", "-A", "-t", "-c", "SELECT 'let in'"]).envs(variables.iter().copied());
    psql
}

#[test]
fn a_client_may_insist_on_a_bound_channel_or_begin_with_tls() {
    let lab = Lab::new(MAJOR, 0);
    let gateway = Gateway::start(&lab, Pooling::Transaction, 1, Tls::Required);
    let bound = [("PGCHANNELBINDING", "require")];
    let straight = [("PGCHANNELBINDING", "require"), ("PGSSLNEGOTIATION", "direct")];
    let old = [("PGSSLMINPROTOCOLVERSION", "TLSv1.2"), ("PGSSLMAXPROTOCOLVERSION", "TLSv1.2")];
    let unbound = [("PGCHANNELBINDING", "disable")];
    for variables in [bound.as_slice(), &straight, &old, &unbound] {
        let said = run(&mut psql(&lab, &gateway, variables), LIMIT).output(&format!("psql with {variables:?}"));
        assert_eq!(said.trim(), "let in", "{variables:?}");
    }
}

#[test]
fn nobody_comes_in_without_tls_or_past_another_certificate() {
    let lab = Lab::new(MAJOR, 0);
    let gateway = Gateway::start(&lab, Pooling::Transaction, 1, Tls::Required);
    let other = tempfile::NamedTempFile::new().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(other.path(), made.cert.pem()).unwrap();
    let other = other.path().to_string_lossy().into_owned();
    for variables in [[("PGSSLMODE", "disable")], [("PGSSLROOTCERT", other.as_str())], [("PGPASSWORD", "not the one")]]
    {
        let ended = run(&mut psql(&lab, &gateway, &variables), LIMIT);
        assert!(!ended.success, "{variables:?} let in: {}", ended.stdout);
    }
}

#[test]
fn a_client_cannot_insist_on_tls_or_a_bound_channel_where_there_is_none() {
    let lab = Lab::new(MAJOR, 0);
    let gateway = Gateway::start(&lab, Pooling::Transaction, 1, Tls::Without);
    assert!(!run(&mut psql(&lab, &gateway, &[("PGCHANNELBINDING", "require")]), LIMIT).success);
    let insists = run(&mut psql(&lab, &gateway, &[("PGSSLMODE", "require")]), LIMIT);
    assert!(insists.stderr.contains("server does not support SSL, but SSL was required"), "{}", insists.stderr);
    // It asks for TLS first and goes on without, as its default is.
    let said = run(&mut psql(&lab, &gateway, &[("PGSSLMODE", "prefer")]), LIMIT).output("psql");
    assert_eq!(said.trim(), "let in");
}
