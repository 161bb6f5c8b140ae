//! The tables, made once; a file of a later version, or of another program, is refused untouched.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use super::failure::{failed, held};
use crate::chain::{Digest, Frontier};
use crate::{Error, Position};

const SCHEMA: &str = include_str!("schema.sql");
/// The format that this program writes, in `user_version`.
const FORMAT: i64 = 1;
/// `atlj` in ASCII: tells the file from those of other programs (`PRAGMA application_id`).
const APPLICATION: i64 = 0x6174_6c6a;

/// Makes the tables where the file is empty. Two processes may do so at once: the second finds what the first made.
pub(super) fn ensure(connection: &Connection, lock_limit: Duration) -> Result<(), Error> {
    let action = "looking at its tables";
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let transaction = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
    let transaction = transaction.map_err(held(action, lock_limit))?;
    let application = number("application_id").map_err(failed(action))?;
    let format = number("user_version").map_err(failed(action))?;
    if application == APPLICATION {
        return match format {
            FORMAT => Ok(()),
            found => Err(Error::Version { found, known: FORMAT }),
        };
    }
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed(action))?;
    if application != 0 || format != 0 || tables != 0 {
        return Err(Error::NotAJournal { seen: "the file is another program's" });
    }
    let action = "making its tables";
    transaction.execute_batch(SCHEMA).map_err(failed(action))?;
    transaction
        .execute(
            "INSERT INTO head (only, position, chain, frontier) VALUES (1, ?1, ?2, ?3)",
            params![
                super::super::stored(Position::START.number()),
                Digest::ZERO.as_bytes(),
                Frontier::empty().to_bytes()
            ],
        )
        .map_err(failed(action))?;
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed(action))?;
    transaction.pragma_update(None, "user_version", FORMAT).map_err(failed(action))?;
    transaction.commit().map_err(failed(action))
}
