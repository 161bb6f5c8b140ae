//! A server that takes whatever it is asked for and has nothing to tell: one row for a query, none for the rest.

use std::io::Write;
use std::net::TcpStream;

use super::bytes::message;
use super::fake::{Answering, FakeServer};

/// How a COPY was begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copying {
    No,
    ByQuery,
    ByExecute,
}

/// See the module.
pub(crate) fn obedient_server() -> FakeServer {
    FakeServer::start_answering(|| answering())
}

fn answering() -> Box<Answering> {
    let (mut copying, mut skips_to_sync) = (Copying::No, false);
    // Whether the unnamed statement is a COPY, and whether what was bound last is.
    let (mut is_copy_parsed, mut is_copy_bound) = (false, false);
    Box::new(move |tag, body: &[u8], stream: &mut TcpStream| {
        let holds = |sql: &[u8], word: &[u8]| sql.windows(word.len()).any(|found| found == word);
        let is_copy = |sql: &[u8]| holds(sql, b"COPY");
        let answer = match (tag, copying) {
            (b'c', Copying::ByQuery) => {
                copying = Copying::No;
                [complete(), ready()].concat()
            }
            (b'c', Copying::ByExecute) => {
                copying = Copying::No;
                complete()
            }
            (b'f', Copying::ByQuery) => {
                copying = Copying::No;
                [error(), ready()].concat()
            }
            (b'f', Copying::ByExecute) => {
                (copying, skips_to_sync) = (Copying::No, true);
                error()
            }
            (_, Copying::ByQuery | Copying::ByExecute) => Vec::new(),
            (b'S', _) => {
                skips_to_sync = false;
                ready()
            }
            _ if skips_to_sync => Vec::new(),
            (b'Q', _) if is_copy(body) => {
                copying = Copying::ByQuery;
                message(b'G', &[0, 0, 0])
            }
            // A question of the gateway's own: nothing was left in the session.
            (b'Q', _) if holds(body, b"pg_catalog.") => [complete(), ready()].concat(),
            (b'Q', _) => [columns(), row(), complete(), ready()].concat(),
            (b'P', _) => {
                if body.starts_with(b"\0") {
                    is_copy_parsed = is_copy(body);
                }
                message(b'1', b"")
            }
            // A client's own name of a statement is none at the server.
            (b'B', _) if !statement_of(body).is_some_and(|name| name.is_empty() || name.starts_with(b"atalaya:")) => {
                skips_to_sync = true;
                error()
            }
            (b'B', _) => {
                is_copy_bound = is_copy_parsed && statement_of(body) == Some(b"");
                message(b'2', b"")
            }
            // Nobody has a statement of this name: it is asked for where an error is wanted.
            (b'D', _) if body == b"Satalaya:\0" => {
                skips_to_sync = true;
                error()
            }
            (b'D', _) if body.starts_with(b"S") => [message(b't', &[0, 0]), columns()].concat(),
            (b'D', _) => columns(),
            (b'E', _) if is_copy_bound => {
                copying = Copying::ByExecute;
                message(b'G', &[0, 0, 0])
            }
            (b'E', _) => [row(), complete()].concat(),
            (b'C', _) => message(b'3', b""),
            _ => Vec::new(),
        };
        stream.write_all(&answer).ok()
    })
}

/// The statement that a Bind names, behind its portal.
fn statement_of(body: &[u8]) -> Option<&[u8]> {
    body.split(|byte| *byte == 0).nth(1)
}

fn columns() -> Vec<u8> {
    message(b'T', &[&[0, 1][..], b"x\0", &[0; 18]].concat())
}

fn row() -> Vec<u8> {
    message(b'D', &[&[0, 1, 0, 0, 0, 4][..], b"good"].concat())
}

fn complete() -> Vec<u8> {
    message(b'C', b"SELECT 1\0")
}

fn error() -> Vec<u8> {
    message(b'E', b"SERROR\0VERROR\0C26000\0Mno such statement\0\0")
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}
