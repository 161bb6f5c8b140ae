//! Two servers for all tests, and a pair of fresh databases for each.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use atalaya_estate::ConnectionUrl;
use atalaya_sandbox::{Server, ServerOptions};
use atalaya_validate::{Error, Finding, FindingKind, Moment, Plan, Report, Scope, Silent, TableReport, validate};

fn server(major: u16) -> &'static Server {
    static OLD: OnceLock<Server> = OnceLock::new();
    static NEW: OnceLock<Server> = OnceLock::new();
    let cell = if major == 13 { &OLD } else { &NEW };
    cell.get_or_init(|| {
        let options = ServerOptions::new(major).setting("wal_level", "logical").setting("max_connections", "200");
        Server::start(options).unwrap()
    })
}

/// A database on 13 and one on 18.
pub(crate) struct Databases {
    pub(crate) source: &'static Server,
    pub(crate) target: &'static Server,
    pub(crate) name: String,
}

impl Databases {
    pub(crate) fn new() -> Self {
        Self::with_options("", "")
    }

    /// With options of CREATE DATABASE for each side.
    pub(crate) fn with_options(source: &str, target: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let databases = Self {
            source: server(13),
            target: server(18),
            name: format!("case{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        };
        databases.source.create_database_with(&databases.name, source).unwrap();
        databases.target.create_database_with(&databases.name, target).unwrap();
        databases
    }

    pub(crate) fn run_source(&self, sql: &str) {
        self.source.run_sql(&self.name, sql).unwrap();
    }

    pub(crate) fn run_target(&self, sql: &str) {
        self.target.run_sql(&self.name, sql).unwrap();
    }

    /// Does the same on both sides.
    pub(crate) fn run_both(&self, sql: &str) {
        self.run_source(sql);
        self.run_target(sql);
    }

    pub(crate) fn plan(&self) -> Plan {
        let url = |server: &Server| ConnectionUrl::parse(&server.url(&self.name)).unwrap();
        Plan::new(url(self.source), url(self.target), Scope::Databases { moment: Moment::Quiesced })
    }
}

pub(crate) fn run(plan: &Plan) -> Result<Report, Error> {
    run_with(plan, &Silent)
}

pub(crate) fn run_with(plan: &Plan, progress: &dyn atalaya_validate::Progress) -> Result<Report, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(validate(plan, progress))
}

pub(crate) fn table<'report>(report: &'report Report, name: &str) -> &'report TableReport {
    report
        .tables
        .iter()
        .find(|table| table.source.name == name)
        .unwrap_or_else(|| panic!("`{name}` is not in the report"))
}

/// A finding in short: kind, key values, names of the differing columns.
pub(crate) fn short(finding: &Finding) -> String {
    let kind = match finding.kind {
        FindingKind::Missing => "missing",
        FindingKind::Extra => "extra",
        FindingKind::Different => "different",
    };
    let keys: Vec<&str> = finding.key.iter().map(|column| column.value.as_deref().unwrap_or("NULL")).collect();
    let columns: Vec<&str> = finding.columns.iter().map(|column| column.column.as_str()).collect();
    format!("{kind} {} [{}]", keys.join("/"), columns.join(","))
}

pub(crate) fn shorts(table: &TableReport) -> Vec<String> {
    let mut shorts: Vec<String> = table.findings.iter().map(short).collect();
    shorts.sort();
    shorts
}
