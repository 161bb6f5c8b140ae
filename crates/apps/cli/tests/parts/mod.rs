//! The parts that a cutover stands on (coordinator, gateways, both servers, journal), each failing while clients are led.
//!
//! Real processes and real servers. Whatever fails, and whenever: all gateways lead to one server, clients write there and
//! nowhere where they were led away from, their books are right on both sides, and the next command works.

mod apart;
mod beside;
mod books;
mod crashes;
mod gate;
mod ground;
mod halted;
mod journal;
mod remote;
mod replaced;
mod servers;
mod sleeping;
mod slot;
mod slowed;
