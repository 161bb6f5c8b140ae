//! A gateway that serves in this process, on a port of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use atalaya_estate::Estate;
use atalaya_gateway::admin::{Answer, DatabaseStatus, Refused, Request};
use atalaya_gateway::{Configuration, Control, GateEpoch, Routing, prepare, verifier_of};
use atalaya_sandbox::{Server, free_port, fresh_database};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::client::{Client, Login};
use super::panics::{has_panicked, note_panics, thread_name};

pub(crate) const PASSWORD: &str = "a password of the gateway's";
const SERVER_PASSWORD: &str = "secret of the server";

/// A gateway to be: one database `shop`, one user `app`.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) port: u16,
    url: String,
    green: Option<String>,
    /// Where the estate leads the database; shared, so that a gateway that serves reads another place at its next reload.
    to: Arc<Mutex<&'static str>>,
    servers_max: u16,
    wait_seconds: u32,
    more: String,
    gateway: String,
    workers: u8,
    server_user: Option<String>,
    /// Shared, so that a gateway that serves reads another one at its next reload.
    server_password: Arc<Mutex<String>>,
    users: Vec<User>,
    /// Where another database of the gateway is, `other`.
    other: Option<String>,
    routing: Routing,
}

/// A user beside `app`.
#[derive(Clone)]
struct User {
    name: &'static str,
    /// How the gateway logs in for it: role and secret.
    login: Option<(String, String)>,
}

impl Setup {
    /// In front of a server's URL. The login in it counts for nothing.
    pub(crate) fn new(url: &str, server_user: &str, server_password: &str) -> Self {
        Self {
            port: free_port().unwrap(),
            url: url.to_owned(),
            green: None,
            to: Arc::new(Mutex::new("blue")),
            servers_max: 1,
            wait_seconds: 30,
            more: String::new(),
            gateway: String::new(),
            workers: 2,
            server_user: Some(server_user.to_owned()),
            server_password: Arc::new(Mutex::new(server_password.to_owned())),
            users: Vec::new(),
            other: None,
            routing: Routing::ByEstate,
        }
    }

    /// The same at another URL.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.beside() }
    }

    /// Led by a journal.
    pub(crate) fn routing(mut self, routing: Routing) -> Self {
        self.routing = routing;
        self
    }

    /// The same at a port of its own.
    pub(crate) fn beside(&self) -> Self {
        Self { port: free_port().unwrap(), ..self.clone() }
    }

    /// Whom the gateway logs in as.
    pub(crate) fn server_user(&self) -> &str {
        self.server_user.as_ref().unwrap()
    }

    /// In front of a database, whose role `app_of(database)` has all rights there.
    pub(crate) fn of(server: &Server, database: &str) -> Self {
        let role = make_role(server, database);
        Self::new(&server.url(database), &role, SERVER_PASSWORD)
    }

    pub(crate) fn servers_max(mut self, count: u16) -> Self {
        self.servers_max = count;
        self
    }

    pub(crate) fn wait_seconds(mut self, seconds: u32) -> Self {
        self.wait_seconds = seconds;
        self
    }

    /// A line more for the database.
    pub(crate) fn database(mut self, line: &str) -> Self {
        self.more.push_str(&format!("      {line}\n"));
        self
    }

    /// A line more for the gateway.
    pub(crate) fn gateway(mut self, line: &str) -> Self {
        self.gateway.push_str(&format!("  {line}\n"));
        self
    }

    pub(crate) fn workers(self, workers: u8) -> Self {
        Self { workers, ..self }
    }

    /// A user more, for whom the gateway logs in under a role and a secret of its own.
    pub(crate) fn user(mut self, name: &'static str, role: &str, secret: &str) -> Self {
        self.users.push(User { name, login: Some((role.to_owned(), secret.to_owned())) });
        self
    }

    /// A user more, who may use no database.
    pub(crate) fn stranger(mut self, name: &'static str) -> Self {
        self.users.push(User { name, login: None });
        self
    }

    /// Another database, `other`, of the same server, for `app`.
    pub(crate) fn other(mut self, server: &Server, database: &str) -> Self {
        server.run_sql(database, &grant(self.server_user(), database)).unwrap();
        self.other = Some(server.url(database));
        self
    }

    /// Another place, `green`, that the database can be led to.
    pub(crate) fn green(mut self, server: &Server, database: &str) -> Self {
        let role = self.server_user.clone().unwrap();
        server.run_sql(database, &create_role(&role)).unwrap();
        server.run_sql(database, &grant(&role, database)).unwrap();
        self.green = Some(server.url(database));
        self
    }

    fn estate(&self) -> String {
        let green = self.green.as_ref().map_or("", |_| "  green: { engine: postgres, url: '${GREEN}' }\n");
        let user = self.server_user.as_ref().map(|user| format!("user: {user}, ")).unwrap_or_default();
        let [place, secret, other] = match self.other {
            None => [""; 3],
            Some(_) => [
                "  other: { engine: postgres, url: '${OTHER}' }\n",
                "other",
                "    other: { to: other, servers_max: 1 }\n",
            ],
        };
        let secrets = ["shop", secret].map(|database| match database {
            "" => String::new(),
            database => format!("        {database}: {{ {user}secret: env:SHOP_SECRET }}\n"),
        });
        let verifier = verifier_of(PASSWORD, 4096);
        let users = self.users.iter().map(|User { name, login }| {
            let shop =
                login.as_ref().map(|(role, _)| format!("shop: {{ user: {role}, secret: env:SECRET_OF_{name} }}"));
            format!("    {name}: {{ verifier: \"{verifier}\", secrets: {{ {} }} }}\n", shop.unwrap_or_default())
        });
        format!(
            "estate: tests\ndatabases:\n  blue: {{ engine: postgres, url: '${{BLUE}}' }}\n{green}{place}gateway:\n  \
             listen: 127.0.0.1:{}\n  workers: {}\n{}  users:\n    app:\n      verifier: \"{verifier}\"\n      \
             secrets:\n{}{}  databases:\n    shop:\n      to: {}\n      servers_max: {}\n      wait_seconds: {}\n\
             {}{other}",
            self.port,
            self.workers,
            self.gateway,
            secrets.concat(),
            users.collect::<String>(),
            self.to.lock().unwrap(),
            self.servers_max,
            self.wait_seconds,
            self.more,
        )
    }

    pub(crate) fn configuration(&self) -> Configuration {
        let lookup = |name: &str| match name {
            "BLUE" => Some(self.url.clone()),
            "GREEN" => self.green.clone(),
            "OTHER" => self.other.clone(),
            "SHOP_SECRET" => Some(self.server_password.lock().unwrap().clone()),
            name => {
                let user = self.users.iter().find(|user| name.strip_prefix("SECRET_OF_") == Some(user.name))?;
                Some(user.login.as_ref()?.1.clone())
            }
        };
        let estate = Estate::parse(&self.estate(), Path::new("atalaya.yaml"), &lookup).unwrap();
        Configuration::resolve(&estate, &lookup).unwrap()
    }

    /// The secret that the gateway logs in with, from its next reload on.
    pub(crate) fn rotate_secret(&self, secret: &str) {
        secret.clone_into(&mut self.server_password.lock().unwrap());
    }

    /// Where the estate leads the database, from here on.
    pub(crate) fn lead_to(&self, place: &'static str) {
        *self.to.lock().unwrap() = place;
    }

    pub(crate) fn start(&self) -> Gateway {
        let again = self.clone();
        let secret = self.server_password.lock().unwrap().clone();
        let is_as_before =
            move |again: &Self| *again.to.lock().unwrap() == "blue" && *again.server_password.lock().unwrap() == secret;
        let reload = Arc::new(move || match &again.routing {
            Routing::ByEstate if is_as_before(&again) => Err("nothing has changed".to_owned()),
            Routing::ByEstate | Routing::ByJournal(_) => Ok(again.configuration()),
        });
        let (prepared, control) = prepare(self.configuration(), reload, self.routing.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let (listening, is_listening) = mpsc::channel();
        let ending = control.clone();
        note_panics();
        let serve = move || {
            let end = || async move {
                let _stopped = stopped.await;
                ending.end(std::time::Duration::ZERO).await;
            };
            prepared.serve(move || listening.send(()).unwrap(), end).unwrap();
        };
        let thread = thread::Builder::new().name(thread_name(self.port)).spawn(serve).unwrap();
        is_listening.recv().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Gateway { port: self.port, control, runtime: Some(runtime), stop: Some(stop), thread: Some(thread) }
    }
}

/// A gateway with one server a user, before a fresh database of the newest Postgres.
pub(crate) fn gateway() -> Gateway {
    let (server, database) = fresh_database(18).unwrap();
    Setup::of(server, &database).start()
}

fn make_role(server: &Server, database: &str) -> String {
    let role = format!("app_of_{database}");
    server.run_sql(database, &create_role(&role)).unwrap();
    server.run_sql(database, &grant(&role, database)).unwrap();
    role
}

fn create_role(role: &str) -> String {
    format!("CREATE ROLE {role} LOGIN PASSWORD '{SERVER_PASSWORD}'")
}

fn grant(role: &str, database: &str) -> String {
    format!(
        "GRANT ALL ON DATABASE {database} TO {role}; GRANT ALL ON SCHEMA public TO {role};
         GRANT pg_read_all_stats TO {role}"
    )
}

/// One that serves.
pub(crate) struct Gateway {
    pub(crate) port: u16,
    control: Control,
    runtime: Option<Runtime>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    pub(crate) fn login(&self) -> Login {
        Login {
            port: self.port,
            user: "app".to_owned(),
            password: PASSWORD.to_owned(),
            database: "shop".to_owned(),
            settings: Vec::new(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::login(&self.login())
    }

    /// The login of another user, or for another database.
    pub(crate) fn login_as(&self, user: &str, database: &str) -> Login {
        Login { user: user.to_owned(), database: database.to_owned(), ..self.login() }
    }

    /// Whether a session has panicked, which ends it alone.
    pub(crate) fn has_panicked(&self) -> bool {
        has_panicked(self.port)
    }

    pub(crate) fn control(&self) -> Control {
        self.control.clone()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    pub(crate) fn answer(&self, request: Request) -> Answer {
        self.runtime().block_on(self.control.answer(request))
    }

    pub(crate) fn status(&self) -> DatabaseStatus {
        self.status_of("shop")
    }

    pub(crate) fn status_of(&self, database: &str) -> DatabaseStatus {
        match self.answer(Request::Status) {
            Answer::Status(status) => status.databases.into_iter().find(|found| found.name == database).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn try_pause(&self, drain_limit_ms: u64, hold_limit_ms: u64) -> Result<GateEpoch, Refused> {
        match self.answer(Request::Pause { database: "shop".to_owned(), drain_limit_ms, hold_limit_ms }) {
            Answer::Paused { epoch, .. } => Ok(epoch),
            Answer::Refused(refused) => Err(refused),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn pause(&self) -> GateEpoch {
        self.try_pause(60_000, 600_000).unwrap()
    }

    pub(crate) fn try_resume(&self, epoch: Option<GateEpoch>, to: Option<&str>) -> Answer {
        self.answer(Request::Resume { database: "shop".to_owned(), epoch, to: to.map(str::to_owned) })
    }

    pub(crate) fn resume(&self, epoch: GateEpoch) {
        let answer = self.try_resume(Some(epoch), None);
        assert!(matches!(answer, Answer::Resumed { .. }), "{answer:?}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            let is_whole = ended.is_ok() && !has_panicked(self.port);
            assert!(is_whole || std::thread::panicking(), "the gateway panicked");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
