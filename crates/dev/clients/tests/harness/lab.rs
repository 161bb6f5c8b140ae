//! A database with a role that is no superuser, and schemas for the programs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use atalaya_sandbox::{Role, Server, client_tools, fresh_database};

use super::{child, programs, run};

const FIXTURE_LIMIT: Duration = Duration::from_secs(60);

/// Where a program connects: the server itself, or a gateway.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) port: u16,
    /// The authority of the certificate that is shown there; `None` where no TLS is spoken.
    pub(crate) authority: Option<PathBuf>,
}

/// A database of its own, and who uses it.
pub(crate) struct Lab {
    pub(crate) server: &'static Server,
    pub(crate) database: String,
    pub(crate) role: Role,
}

impl Lab {
    /// A database with schemas for so many copies of a program.
    pub(crate) fn new(major: u16, copies: usize) -> Self {
        let (server, database) = fresh_database(major).unwrap();
        let name = format!("client_{database}");
        let lab = Self::on(server, database, &name);
        let guest = "DO $$ BEGIN CREATE ROLE clients_guest NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
        server.run_sql(&lab.database, &format!("{guest}; GRANT clients_guest TO {name}")).unwrap();
        for copy in 0..copies {
            let schema = Self::schema(copy);
            server.run_sql(&lab.database, &format!("CREATE SCHEMA {schema} AUTHORIZATION {name}")).unwrap();
            lab.prepare("types.sql", copy);
        }
        lab
    }

    /// A database that is there, with a role of this name.
    pub(crate) fn on(server: &'static Server, database: String, role: &str) -> Self {
        let role = server.create_rds_shaped_role(role, &database).unwrap();
        Self { server, database, role }
    }

    /// The schema of a copy.
    pub(crate) fn schema(copy: usize) -> String {
        format!("clients_{copy}")
    }

    /// The server itself.
    pub(crate) fn direct(&self) -> Door {
        Door { port: self.server.port(), authority: None }
    }

    /// What the server keeps of the role's password.
    pub(crate) fn verifier(&self) -> String {
        let sql = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", self.role.name());
        self.server.run_sql(&self.database, &sql).unwrap()
    }

    /// Puts a copy's tables into the state that every run begins with.
    pub(crate) fn reset(&self, copy: usize) {
        self.prepare("fixture.sql", copy);
    }

    fn prepare(&self, file: &str, copy: usize) {
        let mut psql = child::clean(client_tools(18).unwrap().join("psql"));
        self.address(&mut psql, &self.direct());
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f"]).arg(programs().join(file));
        psql.env("PGOPTIONS", format!("-c search_path={} -c client_min_messages=error", Self::schema(copy)));
        run(&mut psql, FIXTURE_LIMIT).output(file);
    }

    /// Names a door in a command's environment, in the variables that most clients read.
    pub(crate) fn address(&self, command: &mut Command, door: &Door) {
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", door.port.to_string())
            .env("PGUSER", self.role.name())
            .env("PGPASSWORD", self.role.password())
            .env("PGDATABASE", &self.database)
            .env("PGCONNECT_TIMEOUT", "60");
        match &door.authority {
            None => command.env("PGSSLMODE", "disable"),
            Some(authority) => command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", authority),
        };
    }
}
