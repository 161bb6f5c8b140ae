//! A stream of NATS JetStream that messages are stored in once under their identity, and read from in order.
//!
//! The only user of the broker's client. Every call has a limit, nothing waits in memory for a broker that is away, and
//! no payload reaches an error or a log. What becomes of a message that was not stored is the caller's to decide, by
//! whether the broker could not take it now or will never.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use atalaya_nats::{JetStream, Options, Outgoing};
//!
//! # async fn example() -> Result<(), atalaya_nats::Error> {
//! let orders = JetStream::new(Options::new("nats://127.0.0.1:4222", "ORDERS", "orders"));
//! orders
//!     .publish(Outgoing {
//!         id: "018f3f9e-7d5c-7b1e-9c41-6a3f9c1d2e55",
//!         kind: "order",
//!         headers: &[("type", "OrderPlaced")],
//!         payload: r#"{"items":3}"#.into(),
//!     })
//!     .await?;
//!
//! // Whoever reads keeps the place that it has come to where it keeps what it makes of the messages.
//! let mut place = 0;
//! for message in orders.read_waiting(place + 1, 100, Duration::from_secs(5)).await? {
//!     println!("{:?}: {} bytes", message.header("type"), message.payload.len());
//!     place = message.sequence;
//! }
//! # Ok(())
//! # }
//! ```

mod connection;
mod error;
mod jet_stream;
mod options;
mod reading;
mod subject;

pub use error::Error;
pub use jet_stream::{JetStream, Outgoing, Stored};
pub use options::Options;
pub use reading::{Received, Standing};
