//! Servers shared by all tests of this process, a database of its own for each test.

mod case;
mod servers;

pub(crate) use case::{As, Case, Expect, case, looked_everywhere, run};
pub(crate) use servers::{Kind, Login, create_database, run_sql, session, url};
