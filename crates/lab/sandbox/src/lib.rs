//! Real throwaway servers for tests, benches and the demo.
//!
//! Process control only: no database driver, SQL goes through `psql`. A server lives in a temporary folder, listens
//! on loopback alone, and is stopped and removed when its [`Server`] is dropped, when the owner panics, and (by a
//! watchdog) when the owner is killed. Which servers there are is pinned in `servers.txt`; `make setup` fetches them,
//! and a missing one is an error that says so, never a reason to skip.

mod account;
mod backends;
mod binaries;
mod clock;
mod detached;
mod error;
mod folder;
mod members;
mod nats;
mod options;
mod port;
mod process;
mod proxy;
mod server;
mod shared;
mod sql;
mod standby;
mod template;
mod wait;
mod watchdog;

pub use account::run_as_servers;
pub use binaries::{AvailableServer, available, cache_folder, client_tools};
pub use clock::Clock;
pub use detached::DetachedServer;
pub use error::Error;
pub use nats::NatsServer;
pub use options::{PasswordEncryption, ServerOptions, TlsFiles};
pub use port::free_port;
pub use proxy::{Fault, Proxy};
pub use server::{Server, StopMode};
pub use shared::fresh_database;
pub use sql::Role;
pub use wait::eventually;
