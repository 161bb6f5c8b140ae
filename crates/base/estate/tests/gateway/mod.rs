//! The section `gateway`, seen from outside.

mod contradictions;
mod hidden;
mod page;
mod read;
mod sources;
mod wrong;

use atalaya_estate::Gateway;

use crate::parse;

/// Of the right shape, and nobody's.
const VERIFIER: &str = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// A file with two databases of Postgres, one of MySQL, and this section behind them (from line 6).
fn file(section: &str) -> String {
    let section = section.replace("VERIFIER", VERIFIER);
    format!(
        "estate: a\ndatabases:\n  orders: {{ engine: postgres, url: '${{USERS_URL}}' }}\n  \
         green: {{ engine: postgres, url: '${{ORDERS_URL}}' }}\n  old: {{ engine: mysql }}\ngateway:\n{section}"
    )
}

/// One user and one database around the settings of a gateway (from line 7).
fn with_settings(settings: &str) -> String {
    let settings: String = settings.lines().map(|line| format!("  {line}\n")).collect();
    file(&format!(
        "{settings}  users: {{ app: {{ verifier: VERIFIER, secrets: {{ shop: 'env:A' }} }} }}\n  \
         databases: {{ shop: {{ to: orders }} }}\n"
    ))
}

fn gateway(text: &str) -> Gateway {
    parse(text).unwrap().gateway.unwrap()
}

/// `line:column code` of every problem.
fn places(text: &str) -> Vec<String> {
    let errors = parse(text).expect_err(text);
    let place = |problem: &atalaya_estate::EstateProblem| {
        format!("{}:{} {}", problem.line(), problem.column(), problem.code().trim_start_matches("estate::"))
    };
    errors.problems().iter().map(place).collect()
}
