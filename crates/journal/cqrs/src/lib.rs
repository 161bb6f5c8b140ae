//! Commands and queries apart: commands are decided on what an aggregate's events come to and become events; tables to
//! read from are made of those events.
//!
//! A table's rows and how far it has come are written in one transaction, so that each event counts exactly once. Nothing
//! here knows what events mean.
//!
//! | for | there is |
//! |---|---|
//! | deciding on what has happened, and adding to it | [`Aggregate`], [`Aggregates::execute`] |
//! | the same once for a message or a saga's step, however often it comes | [`Aggregates::execute_once`] |
//! | a table with one row an aggregate, and messages with the rows | [`projection::TableOf`] |
//! | any other table | [`projection::Projection`] |
//! | bringing tables up to date | [`projection::Projector`] |
//! | bringing messages to a broker | [`outbox::Relay`] |
//! | acting on messages of others | [`inbox::Inbox`] |
//! | hearing of events in this process | [`Bus`] |
//!
//! A service runs a projector, a relay and an inbox side by side, each until it is told to stop or is dropped: what was broken
//! off goes on at the next start. `examples/orders` in the repository shows two of them, and a saga between them.
//!
//! ```
//! use std::time::Duration;
//! use atalaya_cqrs::projection::{Names, Poison, Projection, Projector, Table, Turn};
//! use atalaya_cqrs::{Aggregate, Aggregates};
//! use atalaya_eventstore::{Dialect, Event, Selection, Statement, Store, Tables, Value};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Stock { pieces: i64 }
//!
//! #[derive(Serialize, Deserialize)]
//! enum Moved { In(i64), Out(i64) }
//!
//! impl Aggregate for Stock {
//!     const CATEGORY: &'static str = "stock";
//!     const MARK: &'static str = "stock 1";
//!     type Event = Moved;
//!     fn event_type(event: &Moved) -> &'static str {
//!         match event { Moved::In(_) => "StockIn", Moved::Out(_) => "StockOut" }
//!     }
//!     fn apply(&mut self, event: &Moved) {
//!         match event { Moved::In(pieces) => self.pieces += pieces, Moved::Out(pieces) => self.pieces -= pieces }
//!     }
//! }
//!
//! /// How often each article has moved.
//! struct Movements;
//!
//! impl Projection for Movements {
//!     fn name(&self) -> &str { "movements" }
//!     fn version(&self) -> u32 { 1 }
//!     fn selection(&self) -> Selection { Selection::Category("stock".to_owned()) }
//!     fn tables(&self, _: Dialect) -> Vec<Table> {
//!         vec![Table { name: "movements", columns: "stream text PRIMARY KEY, count bigint NOT NULL".to_owned() }]
//!     }
//!     fn project(&self, event: &Event, names: &Names) -> Result<Vec<Statement>, Poison> {
//!         let table = names.of("movements");
//!         let sql = format!("INSERT INTO {table} (stream, count) VALUES ($1, 1)
//!                            ON CONFLICT (stream) DO UPDATE SET count = {table}.count + 1");
//!         Ok(vec![Statement::new(sql, vec![Value::from(event.stream.as_str())])])
//!     }
//! }
//!
//! # #[derive(Debug, thiserror::Error)]
//! # #[error("not enough")]
//! # struct NotEnough;
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let store = Store::open_sqlite(&folder.path().join("journal.db"), Default::default()).await?;
//! let stocks = Aggregates::<Stock>::new(store.clone());
//! stocks.execute("book", |_| Ok::<_, NotEnough>(vec![Moved::In(3)])).await?;
//! let sold = stocks
//!     .execute("book", |stock| if stock.pieces < 2 { Err(NotEnough) } else { Ok(vec![Moved::Out(2)]) })
//!     .await?;
//! assert_eq!(sold.state.pieces, 1);
//!
//! let tables = Tables::open_sqlite(&folder.path().join("tables.db")).await?;
//! let projector = Projector::open(store, tables.clone(), Movements).await?;
//! while let Turn::To(_) = projector.turn().await? {}
//! if let Some(appended) = sold.appended {
//!     projector.wait_for(appended.last, Duration::from_secs(5)).await?;
//! }
//! let rows = tables.query(Statement::new("SELECT count FROM movements", Vec::new())).await?;
//! assert_eq!(rows, [[Value::Integer(2)]]);
//! # Ok(())
//! # }
//! ```

mod aggregate;
mod bus;
pub mod inbox;
pub mod outbox;
pub mod projection;
mod variant;

pub use aggregate::{Aggregate, Aggregates, CommandError, Executed, Loaded};
pub use bus::{Bus, Heard, Listener};
