//! A session of somebody else's, open for as long as a test needs it: it holds locks, or waits for them.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use tokio::runtime::Runtime;

/// An open session; closed when dropped, with its transaction rolled back.
pub(crate) struct Held {
    runtime: Runtime,
    session: Session,
}

impl Held {
    /// Connects and runs SQL, which may leave a transaction open.
    pub(crate) fn open(url: &str, sql: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = ConnectionUrl::parse(url).unwrap();
        let session = runtime.block_on(async { Session::connect(&url, "somebody else").await.unwrap() });
        let held = Self { runtime, session };
        held.run(sql).unwrap();
        held
    }

    /// Runs further SQL in the same session.
    pub(crate) fn run(&self, sql: &str) -> Result<(), atalaya_postgres::Error> {
        self.runtime.block_on(self.session.batch(sql))
    }
}
