//! `atalaya sandbox`: real servers to try things on, that stay until they are taken down.
//!
//! `sandbox.json` in the state folder knows the servers and no password; the URLs with passwords are in
//! `sandbox.env` beside it, readable by its owner alone.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use atalaya_sandbox::{DetachedServer, Role, Server, ServerOptions};
use serde::{Deserialize, Serialize};

use crate::exit::{self, Failure};
use crate::global::Context;

/// The format of `sandbox.json` and of the JSON output.
const FORMAT: u32 = 1;
/// The database that every server gets, named in the URLs.
const DATABASE: &str = "sandbox";
/// The role's name with `--role-shape rds`.
const RDS_ROLE: &str = "mover";
const DOWN_HINT: &str = "run `atalaya sandbox down`";

/// Verbs of `atalaya sandbox`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SandboxCommand {
    /// Start servers on free ports of this machine; the first is the source, the last the target.
    Up(UpArguments),
    /// Show the servers.
    Status {
        /// Show the URLs with their passwords.
        #[arg(long)]
        show_url: bool,
    },
    /// Stop the servers and remove their data.
    Down,
}

/// Arguments of `atalaya sandbox up`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArguments {
    /// A major version of Postgres; give it several times for several servers.
    #[arg(long = "version", value_name = "MAJOR", default_values_t = [13, 18])]
    versions: Vec<u16>,
    /// The role in the URLs: a superuser, or one with what managed services give.
    #[arg(long, value_enum, default_value = "superuser")]
    role_shape: RoleShape,
    /// The folder below which the data is kept until `down`, instead of the system's temporary folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show the URLs with their passwords.
    #[arg(long)]
    show_url: bool,
}

/// What the role in the URLs may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RoleShape {
    /// Everything.
    Superuser,
    /// LOGIN, REPLICATION, `pg_monitor`, `pg_signal_backend`, CREATE on the database, owner of schema public.
    Rds,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    format: u32,
    servers: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    role: String,
    #[serde(default = "default_database")]
    database: String,
    #[serde(flatten)]
    server: DetachedServer,
}

fn default_database() -> String {
    DATABASE.to_owned()
}

impl Entry {
    fn redacted_url(&self) -> String {
        format!("postgres://{}@127.0.0.1:{}/{}?sslmode=disable", self.role, self.server.port, self.database)
    }
}

/// The files in the state folder.
struct Files {
    state: PathBuf,
    environment: PathBuf,
}

impl Files {
    fn of(context: &Context) -> Self {
        let folder = std::path::absolute(&context.state).unwrap_or_else(|_| context.state.clone());
        Self { state: folder.join("sandbox.json"), environment: folder.join("sandbox.env") }
    }
}

pub(crate) fn run(command: SandboxCommand, context: &Context) -> Result<u8, Failure> {
    let files = Files::of(context);
    match command {
        SandboxCommand::Up(arguments) => up(&arguments, &files, context)?,
        SandboxCommand::Status { show_url } => show(&files, show_url, context)?,
        SandboxCommand::Down => down(&files, context)?,
    }
    Ok(exit::DONE)
}

fn up(arguments: &UpArguments, files: &Files, context: &Context) -> Result<(), Failure> {
    if let Some(state) = read_state(files)? {
        let versions = state.servers.iter().map(|entry| entry.server.version);
        if versions.eq(arguments.versions.iter().copied()) && state.servers.iter().all(|e| e.server.is_running()) {
            context.note("the sandbox is up already");
            return show(files, arguments.show_url, context);
        }
        return Err(Failure {
            code: exit::REFUSED,
            message: format!("a sandbox of other or of stopped servers is recorded in `{}`", files.state.display()),
            hint: Some(DOWN_HINT.into()),
        });
    }
    let data = arguments.data.as_ref().map(|folder| {
        fs::create_dir_all(folder).map_err(|error| file_failure("create", folder, &error))?;
        folder.canonicalize().map_err(|error| file_failure("find", folder, &error))
    });
    let data = data.transpose()?;
    let mut servers = Vec::new();
    let mut urls = Vec::new();
    let mut entries = Vec::new();
    for version in &arguments.versions {
        context.note(&format!("starting Postgres {version}"));
        let mut options = ServerOptions::new(*version);
        if let Some(data) = &data {
            options = options.parent_folder(data);
        }
        let server = Server::start(options)?;
        let role = prepare(&server, arguments.role_shape)?;
        urls.push(server.url_as(&role, DATABASE));
        entries.push(Entry { role: role.name().into(), database: default_database(), server: server.record() });
        servers.push(server);
    }
    record(files, servers, entries, &urls)?;
    show(files, arguments.show_url, context)
}

/// Writes down where the servers are, and lets them outlive this process.
fn record(files: &Files, servers: Vec<Server>, entries: Vec<Entry>, urls: &[String]) -> Result<(), Failure> {
    let tools = servers.last().and_then(|server| atalaya_sandbox::client_tools(server.version()).ok());
    write_private(&files.environment, &environment(urls, tools.as_deref()))?;
    let state = State { format: FORMAT, servers: entries };
    let text = serde_json::to_string_pretty(&state).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    write_private(&files.state, &text)?;
    // Only now: until the record is written, a server ends with this process.
    servers.into_iter().for_each(Server::detach);
    Ok(())
}

/// Refuses when servers are recorded already: there is one sandbox a state folder.
pub(crate) fn refuse_recorded(context: &Context) -> Result<(), Failure> {
    let files = Files::of(context);
    match read_state(&files)? {
        None => Ok(()),
        Some(_) => Err(Failure {
            code: exit::REFUSED,
            message: format!("a sandbox is recorded already in `{}`", files.state.display()),
            hint: Some(DOWN_HINT.into()),
        }),
    }
}

/// Keeps servers that another command has started, for `sandbox status` and `sandbox down`.
pub(crate) fn keep(servers: Vec<Server>, database: &str, context: &Context) -> Result<(), Failure> {
    let urls: Vec<String> = servers.iter().map(|server| server.url(database)).collect();
    let entry = |server: &Server| Entry {
        role: server.superuser().name().into(),
        database: database.to_owned(),
        server: server.record(),
    };
    let entries = servers.iter().map(entry).collect();
    record(&Files::of(context), servers, entries, &urls)
}

fn prepare(server: &Server, shape: RoleShape) -> Result<Role, Failure> {
    server.create_database(DATABASE)?;
    match shape {
        RoleShape::Superuser => Ok(server.superuser().clone()),
        RoleShape::Rds => {
            let role = server.create_rds_shaped_role(RDS_ROLE, DATABASE)?;
            server.give_public_schema(&role, DATABASE)?;
            Ok(role)
        }
    }
}

/// Lines for a shell to `source`.
fn environment(urls: &[String], tools: Option<&Path>) -> String {
    let numbered = urls.iter().zip(1..).map(|(url, number)| (format!("SERVER_{number}_URL"), url));
    let source = urls.first().map(|url| ("SOURCE_URL".to_owned(), url));
    let target = urls.last().filter(|_| urls.len() > 1).map(|url| ("TARGET_URL".to_owned(), url));
    let urls = numbered.chain(source).chain(target).map(|(name, url)| format!("export {name}='{url}'\n"));
    // pg_dump and pg_restore of the target's version, which the system may not have.
    urls.chain(tools.map(|folder| format!("export ATALAYA_CLIENT_TOOLS='{}'\n", folder.display()))).collect()
}

fn show(files: &Files, show_url: bool, context: &Context) -> Result<(), Failure> {
    let servers = read_state(files)?.map(|state| state.servers).unwrap_or_default();
    if servers.is_empty() {
        context.print("no sandbox is up", &serde_json::json!({ "format": FORMAT, "servers": [] }));
        return Ok(());
    }
    let secret = if show_url { read(&files.environment)?.unwrap_or_default() } else { String::new() };
    let mut lines = Vec::new();
    let mut documents = Vec::new();
    for (entry, number) in servers.iter().zip(1..) {
        let state = if entry.server.is_running() { "running" } else { "stopped" };
        let prefix = format!("export SERVER_{number}_URL='");
        let shown = secret.lines().find_map(|line| line.strip_prefix(&prefix)?.strip_suffix('\''));
        let url = shown.map_or_else(|| entry.redacted_url(), str::to_owned);
        let version = entry.server.version;
        lines.push(format!("Postgres {version}  {state}  {url}\n             {}", entry.server.folder.display()));
        documents.push(serde_json::json!({
            "version": version, "state": state, "url": url, "port": entry.server.port,
            "role": entry.role, "database": entry.database, "folder": entry.server.folder,
        }));
    }
    lines.push(format!("for SOURCE_URL, TARGET_URL:  source {}", files.environment.display()));
    let json = serde_json::json!({ "format": FORMAT, "servers": documents, "environment": files.environment });
    context.print(&lines.join("\n"), &json);
    Ok(())
}

fn down(files: &Files, context: &Context) -> Result<(), Failure> {
    let servers = read_state(files)?.map(|state| state.servers).unwrap_or_default();
    for entry in &servers {
        entry.server.remove()?;
    }
    // The record goes last: when a removal fails, the same command can be run again.
    for path in [&files.environment, &files.state] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(file_failure("remove", path, &error));
            }
            _ => {}
        }
    }
    let text = format!("stopped and removed: {}", servers.len());
    context.print(&text, &serde_json::json!({ "format": FORMAT, "removed": servers.len() }));
    Ok(())
}

fn read_state(files: &Files) -> Result<Option<State>, Failure> {
    let Some(text) = read(&files.state)? else { return Ok(None) };
    let unreadable = |reason: String| Failure {
        code: exit::FAILED,
        message: format!("`{}` cannot be read: {reason}", files.state.display()),
        hint: Some("stop the servers it names by hand, then remove the file".into()),
    };
    let state: State = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if state.format != FORMAT {
        return Err(unreadable(format!("it is of format {}, known is {FORMAT}", state.format)));
    }
    Ok(Some(state))
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_failure("read", path, &error)),
    }
}

/// Writes a file that only its owner can read; a reader sees all of it or none.
fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let unfinished = path.with_extension("unfinished");
    let write = || {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // A file left by a killed run would keep its own permissions.
        let _absent = fs::remove_file(&unfinished);
        let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    write().map_err(|error| file_failure("write", path, &error))
}

fn file_failure(action: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure { code: exit::FAILED, message: format!("could not {action} `{}`: {error}", path.display()), hint: None }
}

impl From<atalaya_sandbox::Error> for Failure {
    fn from(error: atalaya_sandbox::Error) -> Self {
        let code =
            if matches!(error, atalaya_sandbox::Error::UnknownVersion { .. }) { exit::USAGE } else { exit::FAILED };
        let hint = error.hint();
        Self::new(code, &error, hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_server_is_the_source_and_the_last_the_target() {
        let text = environment(&["a".into(), "b".into()], Some(Path::new("/tools")));
        assert_eq!(
            text,
            "export SERVER_1_URL='a'\nexport SERVER_2_URL='b'\nexport SOURCE_URL='a'\nexport TARGET_URL='b'\n\
             export ATALAYA_CLIENT_TOOLS='/tools'\n"
        );
        assert_eq!(environment(&["a".into()], None), "export SERVER_1_URL='a'\nexport SOURCE_URL='a'\n");
    }
}
