//! The source comes before the move: its disk, its connections, its busy hours.

mod idle;
mod load;
mod retained;

use atalaya_sandbox::Server;

/// Slots on a server, ours and others'.
fn slots(server: &Server) -> String {
    server.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap()
}
