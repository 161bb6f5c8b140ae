//! A database that the journal leads: armed, decided, and what becomes of it when nobody decides.

mod armed;
mod ended;
mod lab;
mod late;
mod left_alone;
mod read;
mod refused;
mod words;
