//! Postgres's own regression SQL: what psql shows directly and through the gateway, file by file.
//!
//! The files come from Debian's source package (`make setup` fetches them); none is part of this repository. They are
//! run as a role that is no superuser, so many of their statements are refused: those refusals are compared like all
//! else. What Postgres itself expects is not looked at, only what a direct connection shows.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use atalaya_sandbox::{Server, ServerOptions, client_tools};
use clients::{masked, unified_but_for};

use crate::harness::{Door, Gateway, Lab, Pooling, Tls, cache, clean, run_in_order};

/// That of the source package.
const MAJOR: u16 = 15;
const FILE_LIMIT: Duration = Duration::from_secs(120);
const DATABASE: &str = "regression";
const ROLE: &str = "regress_client";
const SHOWN_LINES_MAX: usize = 60;

/// Files that are not run, and why. Those of a kind that a role without superuser rights can run are run, however much
/// of them is refused.
const LEFT_OUT: [(&str, &str); 2] = [
    ("test_setup", "makes what the others use: it is run once, as the superuser, directly"),
    ("tablespace", "makes tablespaces, as the superuser alone may"),
];

/// Files that are run at every change, with those that they build on: whatever sessions, transactions and the protocol have
/// to do with; the others are about what a server does within one statement.
const OF_SESSIONS: [&str; 44] = [
    "boolean",
    "int8",
    "strings",
    "numeric",
    "enum",
    "date",
    "timestamptz",
    "copy",
    "copyselect",
    "copydml",
    "insert",
    "create_type",
    "create_table",
    "create_function_sql",
    "constraints",
    "triggers",
    "select",
    "select_into",
    "errors",
    "transactions",
    "portals",
    "arrays",
    "namespace",
    "prepared_xacts",
    "psql",
    "psql_crosstab",
    "async",
    "guc",
    "advisory_lock",
    "json",
    "jsonb",
    "plancache",
    "limit",
    "plpgsql",
    "copy2",
    "temp",
    "domain",
    "rangefuncs",
    "prepare",
    "conversion",
    "truncate",
    "sequence",
    "returning",
    "largeobject",
];

/// What is shown otherwise through the gateway by design: where, beginnings of the lines, and why.
const BY_DESIGN: [(&str, &[&str]); 7] = [
    // `currval` and `lastval` are of the transaction: in a later one they could be another client's.
    ("constraints", &["ERROR:  currval of sequence \"insert_seq\" is not yet defined in this session"]),
    ("sequence", &["ERROR:  currval of sequence ", "ERROR:  lastval is not yet defined in this session"]),
    // The view shows what the server of the moment has, which clients share.
    ("prepare", &[" name | ", "------+-", " q", "      | ", "(0 rows)", "(3 rows)"]),
    // The name of the statement is put together within a function, where nobody sees it beforehand.
    (
        "partition_prune",
        &[
            "ERROR:  prepared statement \"ab_q",
            "CONTEXT:  PL/pgSQL function explain_parallel_append(text) line 5 at FOR over EXECUTE statement",
        ],
    ),
    // psql's own commands for large objects are function calls of the protocol; so the object is still there to be listed.
    (
        "largeobject",
        &[
            "ERROR:  the gateway does not serve function calls by the protocol's FunctionCall",
            "               Large objects",
            " ID |     Owner      |     Description     ",
            "----+----------------+---------------------",
            " 42 | regress_client | the ultimate answer",
            "(1 row)",
        ],
    ),
    // The schema of what is temporary may be there already, made for another client: then the transaction did not make it.
    ("temp", &["ERROR:  cannot PREPARE a transaction that has operated on temporary objects"]),
    // It connects anew and asks whether the server has counted a session more.
    ("stats", &[" f"]),
];

/// One way to the server, with a server of its own: the files make roles, which all databases share.
struct Lane {
    // Ended before the server it stands before.
    gateway: Option<Gateway>,
    lab: Lab,
    /// Where psql runs, and whatever it writes goes.
    scratch: tempfile::TempDir,
}

impl Lane {
    fn new(pooling: Option<Pooling>) -> Self {
        // Whatever a background process decides would differ from run to run.
        let options = ServerOptions::new(MAJOR)
            .setting("autovacuum", "off")
            .setting("max_prepared_transactions", "10")
            // What loads it in the middle of a session, as any use of it does, makes its prefix of settings a reserved one.
            .setting("session_preload_libraries", "plpgsql");
        let server: &'static Server = Box::leak(Box::new(Server::start(options).unwrap()));
        server.create_database_with(DATABASE, "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").unwrap();
        // As the runner that comes with them sets it, but for the database, so that any way of connecting has it.
        let settings = "ALTER DATABASE regression SET timezone = 'PST8PDT';
                        ALTER DATABASE regression SET datestyle = 'Postgres, MDY';
                        ALTER DATABASE regression SET intervalstyle = 'postgres_verbose';
                        ALTER DATABASE regression SET bytea_output = 'hex';
                        ALTER DATABASE regression SET timezone_abbreviations = 'Default'";
        server.run_sql(DATABASE, settings).unwrap();
        let lab = Lab::on(server, DATABASE.to_owned(), ROLE);
        set_up(server);
        let rights = format!("ALTER ROLE {ROLE} CREATEROLE CREATEDB; GRANT pg_read_server_files TO {ROLE}");
        server.run_sql(DATABASE, &rights).unwrap();
        server.give_public_schema(&lab.role, DATABASE).unwrap();
        let gateway = pooling.map(|pooling| Gateway::start(&lab, pooling, 4, Tls::Without));
        Self { gateway, lab, scratch: tempfile::tempdir().unwrap() }
    }

    fn door(&self) -> Door {
        self.gateway.as_ref().map_or_else(|| self.lab.direct(), Gateway::door)
    }

    /// What psql shows of each file.
    fn shown(&self, files: &[String]) -> Vec<String> {
        files.iter().map(|name| self.shown_of(name)).collect()
    }

    fn shown_of(&self, name: &str) -> String {
        let mut psql = clean(client_tools(MAJOR).unwrap().join("psql"));
        psql.args(["-X", "-a", "-q", "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on"]);
        // Not by name: the lines that are then told with messages depend on when the server answers.
        psql.stdin(File::open(folder().join("sql").join(format!("{name}.sql"))).unwrap());
        psql.current_dir(self.scratch.path());
        psql.env("PG_ABS_SRCDIR", folder()).env("PG_ABS_BUILDDIR", "/nonexistent");
        psql.env("PG_LIBDIR", "/nonexistent").env("PG_DLSUFFIX", ".so");
        self.lab.address(&mut psql, &self.door());
        let started = Instant::now();
        let shown = run_in_order(&mut psql, FILE_LIMIT);
        if started.elapsed() > Duration::from_secs(10) {
            eprintln!("{name} took {} s", started.elapsed().as_secs());
        }
        masked(&shown)
    }
}

/// The tables and functions that all files share. What is written in C comes with no package, so it is missing for all.
fn set_up(server: &Server) {
    let mut psql = clean(client_tools(MAJOR).unwrap().join("psql"));
    psql.args(["-X", "-q", "-h"]).arg(server.socket_folder());
    psql.args(["-p", &server.port().to_string(), "-U", server.superuser().name(), "-d", DATABASE, "-f"]);
    psql.arg(folder().join("sql/test_setup.sql"));
    psql.env("PG_ABS_SRCDIR", folder()).env("PG_LIBDIR", "/nonexistent").env("PG_DLSUFFIX", ".so");
    let said = run_in_order(&mut psql, FILE_LIMIT);
    let filled = server.run_sql(DATABASE, "SELECT count(*) FROM tenk1").unwrap_or_default();
    assert_eq!(filled, "10000", "the set-up of the regression SQL failed:\n{said}");
}

fn folder() -> PathBuf {
    let folder = cache().join("regress");
    assert!(
        folder.join(".complete").exists(),
        "the regression SQL of Postgres is not there; `make setup` on Debian fetches it"
    );
    folder
}

/// All files in the order of the schedule, which some of them need.
fn scheduled() -> Vec<String> {
    let schedule = std::fs::read_to_string(folder().join("parallel_schedule")).unwrap();
    let names = schedule.lines().filter_map(|line| line.strip_prefix("test: ")).flat_map(str::split_whitespace);
    names.filter(|name| LEFT_OUT.iter().all(|(left_out, _)| left_out != name)).map(str::to_owned).collect()
}

/// A lane for each way, made all at once.
fn lanes<const N: usize>(ways: [(&'static str, Option<Pooling>); N]) -> [(&'static str, Lane); N] {
    std::thread::scope(|scope| {
        let made = ways.map(|(name, pooling)| (name, scope.spawn(move || Lane::new(pooling))));
        made.map(|(name, lane)| (name, lane.join().unwrap()))
    })
}

/// Runs all files in every lane, all lanes at once, and tells where one shows something else than the first.
fn compared(lanes: &[(&str, Lane)], files: &[String]) -> String {
    let shown: Vec<Vec<String>> = std::thread::scope(|scope| {
        let running: Vec<_> = lanes.iter().map(|(_, lane)| scope.spawn(|| lane.shown(files))).collect();
        running.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    let mut told = String::new();
    for ((name, _), through) in lanes.iter().zip(&shown).skip(1) {
        for ((file, direct), other) in files.iter().zip(&shown[0]).zip(through) {
            let by_design = BY_DESIGN.iter().find(|(known, _)| known == file).map_or([].as_slice(), |(_, lines)| lines);
            let found = unified_but_for(&format!("{file}, {name}"), direct, other, by_design);
            let lines = found.lines().count();
            told.extend(found.lines().take(SHOWN_LINES_MAX).flat_map(|line| [line, "\n"]));
            if lines > SHOWN_LINES_MAX {
                told += &format!("... and {} lines more\n", lines - SHOWN_LINES_MAX);
            }
        }
    }
    told
}

fn shows_the_same_through_the_gateway(files: &[String]) {
    let ways = [
        ("direct", None),
        ("session pooling", Some(Pooling::Session)),
        ("transaction pooling", Some(Pooling::Transaction)),
    ];
    let found = compared(&lanes(ways), files);
    assert!(found.is_empty(), "the regression SQL shows something else through the gateway:\n{found}");
}

#[test]
fn regression_sql_of_sessions_shows_the_same_through_the_gateway() {
    let files: Vec<String> = scheduled().into_iter().filter(|name| OF_SESSIONS.contains(&name.as_str())).collect();
    assert_eq!(files.len(), OF_SESSIONS.len(), "{files:?}");
    shows_the_same_through_the_gateway(&files);
}

#[test]
#[ignore = "soak: minutes"]
fn regression_sql_shows_the_same_through_the_gateway() {
    let files = scheduled();
    assert!(files.len() > 180, "only {} files are scheduled", files.len());
    shows_the_same_through_the_gateway(&files);
}

#[test]
#[ignore = "proves the files, not the gateway: which of them show something else from run to run"]
fn regression_sql_shows_the_same_twice_directly() {
    let files = scheduled();
    let found = compared(&lanes([("direct", None), ("direct again", None)]), &files);
    assert!(found.is_empty(), "the regression SQL does not show the same twice:\n{found}");
}
