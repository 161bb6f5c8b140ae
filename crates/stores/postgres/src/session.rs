//! A connection for statements: catalog, control, apply, validation.
//!
//! Built on tokio-postgres. Every session starts with the settings of [`crate::settings`]; a session whose
//! peer is gone notices by TCP keepalive and user timeout, so that no call waits for ever on a dead network.

use std::future::poll_fn;
use std::time::Duration;

use atalaya_estate::{ConnectionUrl, TlsMode};
use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Error, Notification, settings, tls};

const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(120);
/// Notifications wait here until they are taken; beyond it new ones are dropped, as they are only wake-ups.
const NOTIFICATION_QUEUE: usize = 1024;

/// One connection with fixed session settings.
pub struct Session {
    client: Client,
    major: u32,
    place: String,
    url: ConnectionUrl,
    notifications: mpsc::Receiver<Notification>,
    driver: JoinHandle<()>,
}

/// Cancels what a session is doing, from outside.
#[derive(Clone)]
pub struct CancelHandle {
    token: tokio_postgres::CancelToken,
    url: ConnectionUrl,
}

impl Session {
    /// Connects, and fixes the session's settings.
    ///
    /// # Errors
    /// When there is no server, no login, no such database or no TLS as asked.
    pub async fn connect(url: &ConnectionUrl, application_name: &str) -> Result<Self, Error> {
        let config = configuration(url, application_name);
        let (sender, notifications) = mpsc::channel(NOTIFICATION_QUEUE);
        let limit = url.connect_timeout();
        let connecting = async {
            if url.tls() == TlsMode::Disable || url.host().starts_with('/') {
                let (client, connection) = config.connect(NoTls).await.map_err(|error| connect_error(url, error))?;
                Ok::<_, Error>((client, drive(connection, sender)))
            } else {
                let connector = MakeRustlsConnect::new(rustls::ClientConfig::clone(&*tls::client_config(url)?));
                let (client, connection) =
                    config.connect(connector).await.map_err(|error| connect_error(url, error))?;
                Ok::<_, Error>((client, drive(connection, sender)))
            }
        };
        let (client, driver) = tokio::time::timeout(limit, connecting)
            .await
            .map_err(|_| Error::Timeout { what: format!("connecting to {url}"), limit })??;
        let mut session = Self { client, major: 0, place: url.to_string(), url: url.clone(), notifications, driver };
        let version: i32 = session.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.get(0);
        session.major = u32::try_from(version / 10_000).unwrap_or_default();
        let later = settings::later_settings(session.major);
        if !later.is_empty() {
            session.batch(&later).await?;
        }
        Ok(session)
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

    /// Prepares a statement for use with [`Session::query_prepared`] and [`Session::execute_prepared`].
    ///
    /// # Errors
    /// The server's, or a lost connection.
    pub async fn prepare(&self, sql: &str) -> Result<tokio_postgres::Statement, Error> {
        self.client.prepare(sql).await.map_err(|error| Error::from_driver(&action(sql), error))
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

    /// A handle to cancel what this session is doing.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle { token: self.client.cancel_token(), url: self.url.clone() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl CancelHandle {
    /// Asks the server to cancel; the session's own call then ends with SQLSTATE 57014.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn cancel(&self) -> Result<(), Error> {
        let failed = |error| Error::from_driver("cancelling a statement", error);
        let limit = self.url.connect_timeout();
        let cancelling = async {
            if self.url.tls() == TlsMode::Disable || self.url.host().starts_with('/') {
                self.token.cancel_query(NoTls).await.map_err(failed)
            } else {
                let connector = MakeRustlsConnect::new(rustls::ClientConfig::clone(&*tls::client_config(&self.url)?));
                self.token.cancel_query(connector).await.map_err(failed)
            }
        };
        tokio::time::timeout(limit, cancelling)
            .await
            .map_err(|_| Error::Timeout { what: "cancelling a statement".to_owned(), limit })?
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
        })
        .connect_timeout(url.connect_timeout())
        .keepalives_idle(KEEPALIVE_IDLE)
        .tcp_user_timeout(TCP_USER_TIMEOUT);
    if let Some(password) = url.password() {
        config.password(password);
    }
    config
}

fn connect_error(url: &ConnectionUrl, error: tokio_postgres::Error) -> Error {
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
