//! Where the clients of a database are led, as the journal says it.
//!
//! Each database has a stream of its own, `route-NAME`, NAME being the estate's name of the database that clients were led
//! to at first. Leading them elsewhere is an *epoch*: it is opened by one append and decided by the next one, which says
//! either that clients are led to the other place from here on, or that the epoch is closed and they stay. Both are
//! appended on top of the opening, so that whichever is first stands for good, whoever tries, and whatever any clock says.
//! Epoch N stands at version 2N-1 of its stream, and its decision at version 2N.
//!
//! Several databases can be led elsewhere at once: their epochs are opened by one append, each names the others, and whoever
//! decides one of them decides all by one append, on top of every opening. So all of them flip or none does, and nobody can
//! see one decided that another one is not.
//!
//! Nothing here reaches a server or steers a gateway. A lease only says when somebody will try to close an epoch.
//!
//! ```
//! use std::time::Duration;
//!
//! use atalaya_eventstore::Store;
//! use atalaya_route::{Decision, Opening, Routes};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let routes = Routes::new(Store::open_sqlite(&folder.path().join("journal.db"), Default::default()).await?);
//! let opening = Opening {
//!     migration: "orders-to-18".to_owned(),
//!     from: "orders".to_owned(),
//!     to: "orders-green".to_owned(),
//!     gates: vec!["gate-1".to_owned()],
//!     lease: Duration::from_secs(2),
//!     lift: vec!["GRANT CONNECT ON DATABASE orders TO app".to_owned()],
//!     rehearsal: false,
//! };
//! let epoch = routes.open("orders", opening).await?;
//! assert_eq!(routes.decision(&epoch).await?, None);
//!
//! // A gate whose lease is over and a coordinator that is done try at once: one of them wins, and both are told.
//! let flipped = Decision::Flipped { to: "orders-green".to_owned(), epoch: 1 };
//! assert_eq!(routes.flip(&epoch, "coordinator").await?, flipped);
//! assert_eq!(routes.close(&epoch, "gate-1", "its lease is over").await?, flipped);
//! assert_eq!(routes.standing("orders").await?.leads_to.map(|led| led.to).as_deref(), Some("orders-green"));
//! # Ok(())
//! # }
//! ```

mod error;
mod event;
mod open;
mod routes;
mod standing;

pub use error::Error;
pub use event::{Led, Member, RouteEvent, STREAM_CATEGORY};
pub use open::GROUP_MAX;
pub use routes::{LEASE_MAX, Routes};
pub use standing::{Decision, OpenEpoch, Opening, Standing};
