//! What binds a client to its server, and what happens when it goes.

mod bound;
mod released;
