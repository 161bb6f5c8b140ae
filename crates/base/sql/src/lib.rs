//! What a client's SQL may leave behind in the server's session, told from its text alone.
//!
//! A pooler that gives a server connection to another client after each transaction has to know whether the last one
//! left anything: a setting, a temporary table, a lock. [`session_effects`] reads the text once, as Postgres's own lexer
//! reads it, with small rules on top. It is no parser and decides nothing about security. Whatever it does not know for
//! certain to leave the session alone is told as an effect or as `unknown`, and the pooler then asks the server.
//!
//! # What no text shows
//! A function may hide behind an operator, a cast, a type's input, a column default, a domain, a trigger, a rule, a view, a
//! policy, an index, an event trigger, and behind `row.name`, which calls `name(row)`. A function of a user under the name of a
//! built-in one is taken for the built-in: `pg_catalog` is searched first, but another argument type may choose the user's,
//! and so does a `search_path` that names `pg_catalog` later. With `pg_temp` first in `search_path` a plain `CREATE TABLE`
//! makes a temporary one: see [`SessionEffects::ddl`]. Foreign tables keep their connections to other servers. A custom
//! setting that was set for a transaction is an empty string afterwards, where it was unknown before. The first use of a
//! library loads it. Who lets clients define functions has to ask the server after each of their transactions.

mod call;
mod collected;
mod command;
mod effects;
mod identifier;
mod lexer;
mod quoted;
mod reading;
mod scan;
mod setting;
mod statement;
mod words;

pub use effects::{Discard, PreparedAction, PreparedUse, SETTING_NAMES_MAX, SessionEffects};
pub use reading::{PlainStrings, Reading, TextEncoding};
pub use scan::session_effects;
