//! SQL through `psql`, over the server's own socket: enough to prepare a server, so that no driver is needed here.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rand::RngExt;

use crate::template::SUPERUSER;
use crate::{Error, Server, binaries, process};

const SQL_LIMIT: Duration = Duration::from_secs(900);
const PASSWORD_CHARACTERS: usize = 24;

/// A role that can log in.
#[derive(Clone, PartialEq, Eq)]
pub struct Role {
    name: String,
    password: String,
}

impl Role {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), password: random_password() }
    }

    /// Its name, unquoted.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its random password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Role").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Letters and digits, so that it needs no quoting anywhere.
pub(crate) fn random_password() -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(PASSWORD_CHARACTERS).map(char::from).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Server {
    /// Runs SQL as the superuser and returns what it prints: rows as lines, columns divided by `|`, no headers.
    ///
    /// Each statement is a transaction of its own; the first error ends the run.
    ///
    /// # Errors
    /// When a statement fails, or all together take longer than 15 minutes.
    pub fn run_sql(&self, database: &str, sql: &str) -> Result<String, Error> {
        process::run(self.psql(database)?, Some(sql), SQL_LIMIT).map(|output| output.trim_end_matches('\n').into())
    }

    /// Runs a file of SQL as the superuser, as [`Server::run_sql`] does.
    ///
    /// # Errors
    /// When the file cannot be read, a statement fails, or all together take longer than 15 minutes.
    pub fn run_file(&self, database: &str, path: &Path) -> Result<String, Error> {
        let mut psql = self.psql(database)?;
        psql.arg("--file").arg(path);
        process::run(psql, None, SQL_LIMIT).map(|output| output.trim_end_matches('\n').into())
    }

    /// Creates a database like `template1`.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_database(&self, name: &str) -> Result<(), Error> {
        self.create_database_with(name, "")
    }

    /// Creates a database with options as in SQL, for instance
    /// `ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_database_with(&self, name: &str, options: &str) -> Result<(), Error> {
        self.run_sql(SUPERUSER, &format!("CREATE DATABASE {} {options}", quoted(name))).map(drop)
    }

    /// Creates a role as an application has one: it can log in, and owns nothing.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_login_role(&self, name: &str) -> Result<Role, Error> {
        let role = Role::new(name);
        self.create_same_role(&role)?;
        Ok(role)
    }

    /// Creates a role that another server has, with the same password.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_same_role(&self, role: &Role) -> Result<(), Error> {
        let sql = format!("CREATE ROLE {} LOGIN PASSWORD '{}'", quoted(&role.name), role.password);
        self.run_sql(SUPERUSER, &sql).map(drop)
    }

    /// Creates a role with what managed services give to their customers' administrator: LOGIN, REPLICATION,
    /// `pg_monitor`, `pg_signal_backend` and CREATE on one database; not a superuser, owner of nothing yet.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_rds_shaped_role(&self, name: &str, database: &str) -> Result<Role, Error> {
        let role = Role::new(name);
        let quoted_name = quoted(name);
        let sql = format!(
            "BEGIN;
             CREATE ROLE {quoted_name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS REPLICATION PASSWORD '{}';
             GRANT pg_monitor, pg_signal_backend TO {quoted_name};
             GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {quoted_name};
             COMMIT;",
            role.password,
            quoted(database),
        );
        self.run_sql(database, &sql)?;
        Ok(role)
    }

    /// Makes a role the owner of the schema `public` and of everything in it that the superuser owns: tables, views,
    /// sequences, functions and types.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn give_public_schema(&self, role: &Role, database: &str) -> Result<(), Error> {
        // REASSIGN OWNED does not work for the first superuser, so each kind of object has its own line.
        const SQL: &str = r"
            SELECT format('ALTER SCHEMA public OWNER TO %I', :'role')
            UNION ALL
            SELECT format('ALTER %s %s OWNER TO %I',
                          CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                                       WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass, :'role')
            FROM pg_class c
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass
                              AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')))
            UNION ALL
            SELECT format('ALTER ROUTINE %s OWNER TO %I', p.oid::regprocedure, :'role')
            FROM pg_proc p
            WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a'
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
            UNION ALL
            SELECT format('ALTER TYPE %s OWNER TO %I', t.oid::regtype, :'role')
            FROM pg_type t
            WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
            \gexec
        ";
        let mut psql = self.psql(database)?;
        psql.args(["--set", &format!("role={}", role.name)]);
        process::run(psql, Some(SQL), SQL_LIMIT).map(drop)
    }

    /// A `psql` that answers to this server's superuser, free of the caller's own settings.
    fn psql(&self, database: &str) -> Result<Command, Error> {
        let mut psql = Command::new(binaries::psql()?);
        psql.args(["-X", "-q", "-A", "-t", "--set", "ON_ERROR_STOP=1", "--set", "VERBOSITY=terse"])
            .arg("--host")
            .arg(self.socket_folder())
            .args(["--port", &self.port().to_string(), "--username", SUPERUSER, "--dbname", database])
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("PGCONNECT_TIMEOUT", "10")])
            .envs([("PGCLIENTENCODING", "UTF8")]);
        Ok(psql)
    }
}
