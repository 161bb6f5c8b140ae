//! Where the journal is: a file in the folder of local state, or a Postgres that several machines share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use atalaya_estate::{ConnectionUrl, SecretOrigin};
use atalaya_eventstore::{Options, Place, Store, Tables};
use atalaya_postgres::Session;
use atalaya_route::Routes;
use rand::RngExt;

use crate::endpoints::{Endpoints, with_passfile};
use crate::exit::{self, Failure};
use crate::global::Context;

/// The journal's file in its folder.
const FILE: &str = "journal.db";
const APPLICATION: &str = "atalaya journal";
/// How long what waits to be written may take at the end.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// An open journal, with the tables that are made of it.
#[derive(Clone)]
pub(crate) struct Journal {
    pub(crate) store: Store,
    pub(crate) tables: Tables,
}

impl Journal {
    /// The command's journal, made where there is none.
    pub(crate) async fn open(context: &Context) -> Result<Self, Failure> {
        Self::at(&place(context)?).await
    }

    /// The command's journal; none where nothing was ever written to it, and none is made.
    pub(crate) async fn existing(context: &Context) -> Result<Option<Self>, Failure> {
        let place = place(context)?;
        if exists(&place).await? { Self::at(&place).await.map(Some) } else { Ok(None) }
    }

    /// Where the command's journal is, or would be.
    pub(crate) fn place(context: &Context) -> Result<Place, Failure> {
        place(context)
    }

    /// The routes in the journal of a place, for somebody who serves and must not wait for long; none where nothing was ever
    /// written to it, and none is made.
    pub(crate) async fn routes(place: &Place) -> Result<Option<Routes>, Failure> {
        if !exists(place).await? {
            return Ok(None);
        }
        let store = Store::open(place, soon()).await;
        let store = store.map_err(|error| Failure::new(exit::FAILED, &error, Some(remedy(place))))?;
        Ok(Some(Routes::new(store)))
    }

    /// The journal in the folder of local state where there is one: whoever asks servers first may open it meanwhile. None is
    /// made, and one on a server is not looked for.
    pub(crate) async fn in_folder(context: &Context) -> Result<Option<Self>, Failure> {
        if context.journal.is_some() { Ok(None) } else { Self::existing(context).await }
    }

    /// The same for those who look into it: that there is none is a failure.
    pub(crate) async fn needed(context: &Context) -> Result<Self, Failure> {
        let place = place(context)?;
        Self::existing(context).await?.ok_or_else(|| Failure {
            code: exit::FAILED,
            message: format!("there is no journal in `{place}`"),
            hint: Some("name the folder with --state, or the server with --journal".to_owned()),
        })
    }

    /// The folder that a journal of this machine is in, which keys must lie outside of; none for one on a server.
    pub(crate) fn folder(context: &Context) -> Result<Option<PathBuf>, Failure> {
        Ok(match place(context)? {
            Place::Folder(folder) => Some(folder),
            Place::Postgres(_) => None,
        })
    }

    /// Refuses a journal in a database that is being moved: what is written to it would be moved, too, and the target
    /// would bring its own.
    pub(crate) async fn refuse_moved(endpoints: &Endpoints, context: &Context) -> Result<(), Failure> {
        let Place::Postgres(journal) = place(context)? else { return Ok(()) };
        let keeping = connect(&journal).await?;
        // A lock belongs to one database of one server: identifiers would not tell, since a restored clone keeps them.
        let probe: i64 = rand::rng().random();
        keeping.query("SELECT pg_catalog.pg_advisory_lock($1)", &[&probe]).await?;
        for (side, url) in [("source", &endpoints.source), ("target", &endpoints.target)] {
            let other = Session::connect_for_control(url, APPLICATION).await?;
            let free = other.query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&probe]).await?;
            if !free.get::<_, bool>(0) {
                return Err(Failure {
                    code: exit::REFUSED,
                    message: format!("--journal names the database of the {side}"),
                    hint: Some("keep the journal in another database, best on another server".to_owned()),
                });
            }
        }
        Ok(())
    }

    async fn at(place: &Place) -> Result<Self, Failure> {
        let store = Store::open(place, Options::default()).await;
        let store = store.map_err(|error| Failure::new(exit::FAILED, &error, Some(remedy(place))))?;
        let tables = Tables::open(place).await.map_err(|error| Failure {
            message: format!(
                "the tables that are made of the journal cannot be opened: {}",
                atalaya_data::chain(&error)
            ),
            code: exit::FAILED,
            hint: Some(match place {
                Place::Folder(folder) => {
                    format!("remove `{}`: it is made of the journal again", folder.join("tables.db").display())
                }
                Place::Postgres(_) => remedy(place),
            }),
        })?;
        Ok(Self { store, tables })
    }

    /// Lets go of it, with everything that waits written where that is possible soon.
    pub(crate) async fn close(self) {
        let closing = async {
            self.store.close().await;
            self.tables.close().await;
        };
        let _too_slow = tokio::time::timeout(CLOSE_LIMIT, closing).await;
    }
}

/// Whether anything was ever written to it.
async fn exists(place: &Place) -> Result<bool, Failure> {
    Ok(match place {
        // One without a byte in it is what somebody else has made.
        Place::Folder(folder) => match std::fs::metadata(folder.join(FILE)) {
            Ok(file) => file.len() > 0,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => {
                let message = format!("`{}` cannot be looked at: {error}", folder.join(FILE).display());
                return Err(Failure { code: exit::FAILED, message, hint: Some(remedy(place)) });
            }
        },
        Place::Postgres(url) => {
            let session = connect(url).await?;
            let sql = "SELECT pg_catalog.to_regclass('atalaya_journal.writer') IS NOT NULL";
            session.query_one(sql, &[]).await?.get(0)
        }
    })
}

/// A failure is known soon, and whoever asked asks again.
fn soon() -> Options {
    let limit = Duration::from_secs(3);
    Options { queue_limit: limit, lock_limit: limit, reconnect_limit: limit, readers: 2, ..Options::default() }
}

/// The server that keeps the journal; that it is this one is said, since others are connected to besides.
async fn connect(url: &ConnectionUrl) -> Result<Session, Failure> {
    Session::connect_for_control(url, APPLICATION).await.map_err(|error| {
        let hint = error.hint();
        Failure {
            message: format!("the journal cannot be reached: {}", atalaya_data::chain(&error)),
            ..Failure::new(exit::FAILED, &error, hint)
        }
    })
}

fn remedy(place: &Place) -> String {
    match place {
        Place::Folder(folder) => {
            format!("the journal is kept in `{}`: see that there is room and that it can be written", folder.display())
        }
        Place::Postgres(_) => {
            "the journal is kept where --journal says: see that the server can be reached and its role may write"
                .to_owned()
        }
    }
}

fn place(context: &Context) -> Result<Place, Failure> {
    let Some(text) = &context.journal else { return Ok(Place::Folder(absolute(&context.state))) };
    let resolved = ConnectionUrl::resolve(text, &Context::lookup)
        .map_err(|error| Failure::new(exit::USAGE, &error, error.hint().map(str::to_owned)))?;
    if resolved.secret == SecretOrigin::Text {
        context.note(
            "warning: the password in --journal can be seen by other users of this machine; use env:NAME or a passfile",
        );
    }
    Ok(Place::Postgres(with_passfile(&resolved.url)?))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl From<atalaya_eventstore::Error> for Failure {
    fn from(error: atalaya_eventstore::Error) -> Self {
        Self::new(exit::FAILED, &error, None)
    }
}

impl From<atalaya_migration::Error> for Failure {
    fn from(error: atalaya_migration::Error) -> Self {
        let code = if error.is_refusal() { exit::REFUSED } else { exit::FAILED };
        let hint = error.hint();
        Self::new(code, &error, hint)
    }
}
