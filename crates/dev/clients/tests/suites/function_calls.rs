//! Function calls of the protocol: the gateway refuses them by name, for they would run anything, `set_config` for one,
//! without a statement to look at. So what the clients that use them are told is not compared, but said here.

use std::time::Duration;

use atalaya_sandbox::client_tools;
use serde_json::json;

use crate::harness::{Gateway, Lab, Pooling, Program, Tls, clean, run};

const MAJOR: u16 = 18;
const LIMIT: Duration = Duration::from_secs(60);
const REFUSAL: &str = "the gateway does not serve function calls by the protocol's FunctionCall";

#[test]
fn pgjdbc_is_refused_large_objects_by_name_and_can_go_on() {
    let lab = Lab::new(MAJOR, 1);
    let direct = Program::large_objects_of_pgjdbc(&lab, &lab.direct());
    assert_eq!(direct.result("large objects"), Some(&json!(["bytes AgM=", [["usable"]]])));
    for pooling in [Pooling::Session, Pooling::Transaction] {
        let gateway = Gateway::start(&lab, pooling, 1, Tls::Without);
        let through = Program::large_objects_of_pgjdbc(&lab, &gateway.door());
        let result = through.result("large objects").unwrap();
        assert_eq!(result[0]["sqlstate"], "0A000", "{pooling:?}: {result}");
        assert_eq!(result[0]["message"], REFUSAL, "{pooling:?}: {result}");
        assert_eq!(result[1], json!([["usable"]]), "{pooling:?}: {result}");
    }
}

#[test]
fn psql_is_refused_large_objects_by_name_and_can_go_on() {
    let lab = Lab::new(MAJOR, 0);
    let gateway = Gateway::start(&lab, Pooling::Transaction, 1, Tls::Without);
    let mut psql = clean(client_tools(MAJOR).unwrap().join("psql"));
    lab.address(&mut psql, &gateway.door());
    psql.args(["-X", "-A", "-t", "-c", "\\lo_unlink 424242", "-c", "SELECT 'usable'"]);
    let ended = run(&mut psql, LIMIT);
    assert!(ended.stderr.contains(REFUSAL), "{}", ended.stderr);
    assert_eq!(ended.stdout.trim(), "usable", "{}", ended.stderr);
}
