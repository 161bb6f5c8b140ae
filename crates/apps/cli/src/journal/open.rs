//! Where the journal is: a file in the folder of local state, or a Postgres that several machines share.

use std::path::{Path, PathBuf};

use atalaya_estate::{ConnectionUrl, SecretOrigin};
use atalaya_eventstore::{Options, Store, Tables};

use crate::endpoints::with_passfile;
use crate::exit::{self, Failure};
use crate::global::Context;

const FILE: &str = "journal.db";
/// What is made of the journal's events, and can be made again.
const TABLES_FILE: &str = "projections.db";

/// An open journal, with the tables that are made of it.
#[derive(Clone)]
pub(crate) struct Journal {
    pub(crate) store: Store,
    pub(crate) tables: Tables,
}

enum Place {
    Folder(PathBuf),
    Postgres(Box<ConnectionUrl>),
}

impl Journal {
    /// The command's journal, made where there is none.
    pub(crate) async fn open(context: &Context) -> Result<Self, Failure> {
        Self::at(&place(context)?).await
    }

    /// The command's journal; none where nothing was ever written to it.
    pub(crate) async fn existing(context: &Context) -> Result<Option<Self>, Failure> {
        let place = place(context)?;
        match &place {
            Place::Folder(folder) if !folder.join(FILE).exists() => Ok(None),
            Place::Folder(_) | Place::Postgres(_) => Self::at(&place).await.map(Some),
        }
    }

    /// The same for those who look into it: that there is none is a failure.
    pub(crate) async fn needed(context: &Context) -> Result<Self, Failure> {
        Self::existing(context).await?.ok_or_else(|| Failure {
            code: exit::FAILED,
            message: format!("there is no journal in `{}`", context.state.display()),
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

    async fn at(place: &Place) -> Result<Self, Failure> {
        let opened = async {
            Ok::<_, atalaya_eventstore::TablesError>(match place {
                Place::Folder(folder) => Self {
                    store: Store::open_sqlite(&folder.join(FILE), Options::default()).await?,
                    tables: Tables::open_sqlite(&folder.join(TABLES_FILE)).await?,
                },
                Place::Postgres(url) => Self {
                    store: Store::open_postgres(url, Options::default()).await?,
                    tables: Tables::open_postgres(url).await?,
                },
            })
        };
        opened.await.map_err(|error| Failure::new(exit::FAILED, &error, Some(remedy(place))))
    }

    /// Lets go of it, with everything that waits written.
    pub(crate) async fn close(self) {
        self.store.close().await;
        self.tables.close().await;
    }
}

fn remedy(place: &Place) -> String {
    match place {
        Place::Folder(folder) => {
            format!("the journal is kept in `{}`: see that it can be written, or use another --state", folder.display())
        }
        Place::Postgres(_) => "the journal is kept where --journal says".to_owned(),
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
    Ok(Place::Postgres(Box::new(with_passfile(&resolved.url)?)))
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
