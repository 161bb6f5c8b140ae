//! What goes wrong: processes, locks, disks, servers, clocks, backups.

mod backups;
mod disk;
mod locks;
mod places;
mod processes;
mod servers;
