//! `atalaya migrate cutover` and `rollback`, of one database and of several at once.

mod around;
mod differs;
mod drain;
mod front;
mod heard;
mod one;
mod several;
mod stands;
mod tied;
mod told;
mod triggers;
mod unlike;
mod views;

pub(crate) use front::Front;
