//! `atalaya migrate cutover` and `rollback`, of one database and of several at once.

mod front;
mod one;
mod several;
mod told;
