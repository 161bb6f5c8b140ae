//! A connection for statements: catalog, control, apply, validation.
//!
//! Built on tokio-postgres. Every session starts with the settings of [`crate::settings`]; a session whose
//! peer is gone notices by TCP keepalive and user timeout, so that no call waits for ever on a dead network.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::time::Duration;

use atalaya_estate::{ConnectionUrl, TlsMode};
use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::clear_text::{ClearTextAsked, GuardedSocket};
use crate::wire::{WireError, address_of, connect_limit, connect_tcp, connect_unix};
use crate::{Error, Notification, TlsError, settings, tls};

const TCP_USER_TIMEOUT: Duration = Duration::from_secs(120);
/// Notifications wait here until they are taken; beyond it new ones are dropped, as they are only wake-ups.
const NOTIFICATION_QUEUE: usize = 1024;

/// One connection with fixed session settings.
pub struct Session {
    client: Client,
    major: u32,
    place: String,
    notifications: mpsc::Receiver<Notification>,
    driver: JoinHandle<()>,
}

impl Session {
    /// Connects, and fixes the session's settings.
    ///
    /// # Errors
    /// When there is no server, no login, no such database or no TLS as asked.
    pub async fn connect(url: &ConnectionUrl, application_name: &str) -> Result<Self, Error> {
        Self::connect_with(url, application_name, "").await
    }

    /// Connects, and fixes the session's settings together with those of its own.
    async fn connect_with(url: &ConnectionUrl, application_name: &str, own: &str) -> Result<Self, Error> {
        let limit = connect_limit(url);
        let connecting = async {
            let mut session = Self::log_in(url, application_name).await?;
            if session.major == 0 {
                let version = session.query_one("SELECT current_setting('server_version_num')::int", &[]).await?;
                session.major = u32::try_from(version.get::<_, i32>(0) / 10_000).unwrap_or_default();
            }
            let settings = settings::later_settings(session.major) + own;
            if !settings.is_empty() {
                session.batch(&settings).await?;
            }
            tracing::debug!(place = session.place, application_name, major = session.major, "connected");
            Ok(session)
        };
        tokio::time::timeout(limit, connecting)
            .await
            .unwrap_or_else(|_| Err(WireError::ConnectTimeout { address: address_of(url), limit }.into()))
    }

    /// Connects for statements about the catalog and our own tables: none may take longer than
    /// [`settings::STATEMENT_LIMIT`], or wait for a lock longer than [`settings::LOCK_LIMIT`]. What is committed is on the
    /// server's disk, whatever its settings say.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub async fn connect_for_control(url: &ConnectionUrl, application_name: &str) -> Result<Self, Error> {
        let limit = settings::STATEMENT_LIMIT.as_millis();
        let locks = settings::lock_limit_sql(settings::LOCK_LIMIT);
        let durable = settings::DURABLE;
        Self::connect_with(url, application_name, &format!("SET statement_timeout = {limit}; {locks}; {durable}")).await
    }

    /// Opens the socket as the wire connections do, so that both fail in the same ways, and hands it to the driver.
    async fn log_in(url: &ConnectionUrl, application_name: &str) -> Result<Self, Error> {
        let config = configuration(url, application_name);
        let (sender, notifications) = mpsc::channel(NOTIFICATION_QUEUE);
        let failed = |error| connect_error(url, error);
        let (client, major, driver) = if url.host().starts_with('/') {
            let socket = connect_unix(url).await?;
            let (client, connection) = config.connect_raw(socket, NoTls).await.map_err(failed)?;
            (client, told_major(&connection), drive(connection, sender))
        } else {
            let socket = connect_tcp(url).await?;
            // A peer that takes nothing any more: keepalive alone does not notice it while data is on its way.
            let _unsupported = socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
            let socket = GuardedSocket::new(socket, url.tls() != TlsMode::Disable);
            if url.tls() == TlsMode::Disable {
                let (client, connection) = config.connect_raw(socket, NoTls).await.map_err(failed)?;
                (client, told_major(&connection), drive(connection, sender))
            } else {
                let mut connector = MakeRustlsConnect::new(rustls::ClientConfig::clone(&*tls::client_config(url)?));
                let connector = MakeTlsConnect::<GuardedSocket>::make_tls_connect(&mut connector, url.host());
                let connector = connector.map_err(|error| TlsError::Setup(Box::new(error)))?;
                let (client, connection) = config.connect_raw(socket, connector).await.map_err(failed)?;
                (client, told_major(&connection), drive(connection, sender))
            }
        };
        Ok(Self { client, major, place: url.to_string(), notifications, driver })
    }

    /// The server's major version, 13 and later.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Where it is connected to, without password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Runs one statement and reads all its rows; for results that are known to be small.
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.client.query(sql, parameters).await.map_err(|error| Error::from_driver(&action(sql), error))
    }

    /// The same in one round trip instead of two: the parameters' types are said, not asked for.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub async fn query_typed(&self, sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Error> {
        self.client.query_typed(sql, parameters).await.map_err(|error| Error::from_driver(&action(sql), error))
    }

    /// Runs a statement that answers with exactly one row, in one round trip.
    ///
    /// # Errors
    /// As [`Session::query_one`].
    pub async fn query_typed_one(&self, sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Result<Row, Error> {
        let mut rows = self.query_typed(sql, parameters).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            _ => Err(Error::Shape { action: action(sql) }),
        }
    }

    /// Runs a statement that answers with exactly one row.
    ///
    /// # Errors
    /// The server's, a lost connection, or another number of rows.
    pub async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        self.query_opt(sql, parameters).await?.ok_or_else(|| Error::Shape { action: action(sql) })
    }

    /// Runs a statement that answers with one row or none.
    ///
    /// # Errors
    /// The server's, a lost connection, or more than one row.
    pub async fn query_opt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        let mut rows = self.query(sql, parameters).await?;
        if rows.len() > 1 {
            return Err(Error::Shape { action: action(sql) });
        }
        Ok(rows.pop())
    }

    /// Runs one statement and counts the rows it touched.
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.client.execute(sql, parameters).await.map_err(|error| Error::from_driver(&action(sql), error))
    }

    /// Runs several statements without parameters; in one implicit transaction unless they say otherwise.
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn batch(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await.map_err(|error| Error::from_driver(&action(sql), error))
    }

    /// Prepares a statement for use with [`Session::execute_prepared`].
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn prepare(&self, sql: &str) -> Result<tokio_postgres::Statement, Error> {
        self.client.prepare(sql).await.map_err(|error| Error::from_driver(&action(sql), error))
    }

    /// Runs a prepared statement and reads all its rows; for results that are known to be bounded.
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn query_prepared(
        &self,
        statement: &tokio_postgres::Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.client
            .query(statement, parameters)
            .await
            .map_err(|error| Error::from_driver("running a prepared statement", error))
    }

    /// Runs a prepared statement and counts the rows it touched.
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn execute_prepared(
        &self,
        statement: &tokio_postgres::Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        self.client
            .execute(statement, parameters)
            .await
            .map_err(|error| Error::from_driver("running a prepared statement", error))
    }

    /// Sends `data` as the whole input of a `COPY ... FROM STDIN`; for input that is bounded by its maker.
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn copy_in(&self, sql: &str, data: bytes::Bytes) -> Result<u64, Error> {
        let failed = |error| Error::from_driver(&action(sql), error);
        let sink = self.client.copy_in(sql).await.map_err(failed)?;
        tokio::pin!(sink);
        sink.send(data).await.map_err(failed)?;
        sink.finish().await.map_err(failed)
    }

    /// Streams rows without holding them all: calls `each` for every row.
    ///
    /// # Errors
    /// The server's, a lost connection, or the first error of `each`.
    pub async fn query_each<E: From<Error>>(
        &self,
        sql: &str,
        mut each: impl FnMut(&Row) -> Result<(), E>,
    ) -> Result<u64, E> {
        use futures_util::TryStreamExt;
        let failed = |error| Error::from_driver(&action(sql), error);
        let none: [&(dyn ToSql + Sync); 0] = [];
        let rows = self.client.query_raw(sql, none).await.map_err(failed)?;
        tokio::pin!(rows);
        let mut count = 0;
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            each(&row)?;
            count += 1;
        }
        Ok(count)
    }

    /// Runs a prepared statement and calls `each` for its rows as they come, until it says that it has enough; the rows
    /// that were still to come are then on their way nevertheless, and the session is better dropped.
    ///
    /// # Errors
    /// The server's, a lost connection, or the first error of `each`.
    pub async fn query_prepared_while<E: From<Error>>(
        &self,
        statement: &tokio_postgres::Statement,
        parameters: &[&(dyn ToSql + Sync)],
        mut each: impl FnMut(&Row) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        use futures_util::TryStreamExt;
        let failed = |error| Error::from_driver("running a prepared statement", error);
        let rows = self.client.query_raw(statement, parameters.iter().copied()).await.map_err(failed)?;
        tokio::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            if each(&row)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The next notification on any channel this session listens to; waits for one. `None` when the
    /// connection has ended.
    pub async fn next_notification(&mut self) -> Option<Notification> {
        self.notifications.recv().await
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn configuration(url: &ConnectionUrl, application_name: &str) -> Config {
    let mut config = Config::new();
    config
        .host(url.host())
        .port(url.port())
        .user(url.user())
        .dbname(url.database())
        .application_name(application_name)
        .options(settings::startup_options())
        .ssl_mode(match url.tls() {
            TlsMode::Disable => tokio_postgres::config::SslMode::Disable,
            TlsMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => tokio_postgres::config::SslMode::Require,
        });
    if let Some(password) = url.password() {
        config.password(password);
    }
    config
}

fn connect_error(url: &ConnectionUrl, error: tokio_postgres::Error) -> Error {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    if cause.and_then(std::io::Error::get_ref).is_some_and(|cause| cause.is::<ClearTextAsked>()) {
        return WireError::CleartextPassword { user: url.user().to_owned() }.into();
    }
    match error.as_db_error() {
        Some(report) => Error::Refused { place: url.to_string(), source: Box::new(crate::error::kept_of(report)) },
        None => Error::Connect {
            place: url.to_string(),
            hint: tls::rejection(&error)
                .map_or("check host, port and that the server runs and listens there; if it went down, its log tells why: a full disk, \
                 for one", tls::Rejection::hint),
            source: Box::new(error),
        },
    }
}

/// The major version that the server told at the login; 0 where it said nothing that is one.
fn told_major<S, T>(connection: &tokio_postgres::Connection<S, T>) -> u32
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let version = connection.parameter("server_version").unwrap_or_default();
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse().ok()).unwrap_or_default()
}

fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, sender: mpsc::Sender<Notification>) -> JoinHandle<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        // Errors end the loop; the statement that was under way reports the lost connection itself.
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                let _full = sender.try_send(Notification {
                    channel: notification.channel().to_owned(),
                    payload: notification.payload().to_owned(),
                });
            }
        }
    })
}

/// The first words of a statement, to say what failed without its literals.
fn action(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().take(3).take_while(|word| !word.contains('\'')).collect();
    format!("running `{} ...`", words.join(" "))
}
