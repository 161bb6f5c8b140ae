//! A client of the wire protocol that costs as little as one can, so that what is measured is the other side.
//!
//! It blocks, holds what a socket holds and nothing else, and never looks into a row.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use atalaya_pgwire::{self as pgwire, Authentication, BackendMessage, FrameDecoder, FrameLimits, SaslClient, tag};
use atalaya_sandbox::Role;
use bytes::{BufMut, BytesMut};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::skim::Skim;
use crate::lab::DATABASE;

/// No answer takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(120);
const READ_BYTES: usize = 256 << 10;
const LOGIN_READ_BYTES: usize = 4 << 10;
pub(super) const HOST: &str = "localhost";

/// TLS over TCP.
pub(super) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A session that waits for a query.
pub(super) struct Client<S> {
    pub(super) stream: S,
    buffer: Vec<u8>,
    skim: Skim,
}

impl Client<TcpStream> {
    /// Logs in.
    pub(super) fn connect(port: u16, role: &Role) -> io::Result<Self> {
        Self::log_in(open(port)?, role)
    }
}

impl Client<Tls> {
    /// Logs in over TLS.
    pub(super) fn connect_tls(port: u16, role: &Role, trust: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut tcp = open(port)?;
        let mut request = BytesMut::new();
        pgwire::ssl_request(&mut request);
        tcp.write_all(&request)?;
        let mut answer = [0];
        tcp.read_exact(&mut answer)?;
        if answer != *b"S" {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is refused"));
        }
        let name = ServerName::try_from(HOST).map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(trust), name).map_err(io::Error::other)?;
        Self::log_in(StreamOwned::new(tls, tcp), role)
    }
}

impl<S: Read + Write> Client<S> {
    fn log_in(mut stream: S, role: &Role) -> io::Result<Self> {
        let (mut read, mut write) = (BytesMut::new(), BytesMut::new());
        let mut frames = FrameDecoder::new(FrameLimits::default());
        let mut sasl = None;
        let parameters = [("user", role.name()), ("database", DATABASE), ("application_name", "bench")];
        pgwire::startup(parameters, &mut write).map_err(io::Error::other)?;
        loop {
            stream.write_all(&write)?;
            stream.flush()?;
            write.clear();
            match receive(&mut stream, &mut frames, &mut read)? {
                BackendMessage::Authentication(step) => answer(step, role, &mut sasl, &mut write)?,
                BackendMessage::Error(error) => return Err(io::Error::other(error)),
                BackendMessage::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        Ok(Self { stream, buffer: Vec::new(), skim: Skim::default() })
    }

    /// Runs a statement to its end; the bytes that came.
    pub(super) fn query(&mut self, sql: &str) -> io::Result<u64> {
        self.send(sql)?;
        self.read_until(tag::READY_FOR_QUERY)
    }

    /// Sends a block of rows again and again.
    pub(super) fn copy_in(&mut self, sql: &str, block: &[u8], times: u64) -> io::Result<()> {
        self.send(sql)?;
        self.read_until(tag::COPY_IN_RESPONSE)?;
        if !self.skim.ended_with(tag::COPY_IN_RESPONSE) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the statement is no copy from the client"));
        }
        let message = copy_data(block)?;
        for _ in 0..times {
            self.stream.write_all(&message)?;
        }
        let mut end = BytesMut::new();
        pgwire::copy_done(&mut end);
        self.stream.write_all(&end)?;
        self.stream.flush()?;
        self.read_until(tag::READY_FOR_QUERY).map(drop)
    }

    fn send(&mut self, sql: &str) -> io::Result<()> {
        self.stream.write_all(&query(sql)?)?;
        self.stream.flush()
    }

    /// Reads until a message of this tag, or until the server waits again; the bytes that came.
    fn read_until(&mut self, tag: u8) -> io::Result<u64> {
        self.buffer.resize(READ_BYTES, 0);
        let mut total = 0;
        loop {
            let count = self.stream.read(&mut self.buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            total += count as u64;
            if self.skim.skip(self.buffer.get(..count).unwrap_or_default(), tag)? {
                break;
            }
        }
        self.skim.take_error().map_or(Ok(total), Err)
    }
}

/// The bytes of a simple query.
fn query(sql: &str) -> io::Result<BytesMut> {
    let mut bytes = BytesMut::new();
    pgwire::query(sql, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

fn copy_data(block: &[u8]) -> io::Result<BytesMut> {
    let length = i32::try_from(block.len() + 4).map_err(io::Error::other)?;
    let mut message = BytesMut::with_capacity(block.len() + 5);
    message.put_u8(tag::COPY_DATA);
    message.put_i32(length);
    message.put_slice(block);
    Ok(message)
}

fn open(port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    Ok(tcp)
}

fn receive(stream: &mut impl Read, frames: &mut FrameDecoder, read: &mut BytesMut) -> io::Result<BackendMessage> {
    let mut part = [0; LOGIN_READ_BYTES];
    loop {
        if let Some(frame) = frames.decode(read).map_err(io::Error::other)? {
            return BackendMessage::decode(frame).map_err(io::Error::other);
        }
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read.extend_from_slice(part.get(..count).unwrap_or_default()),
        }
    }
}

fn answer(step: Authentication, role: &Role, sasl: &mut Option<SaslClient>, write: &mut BytesMut) -> io::Result<()> {
    match (step, sasl) {
        (Authentication::Sasl { mechanisms }, exchange @ None) => {
            let client = SaslClient::choose(&mechanisms, role.password(), None).ok_or_else(unexpected)?;
            client.start(write).map_err(io::Error::other)?;
            *exchange = Some(client);
        }
        (Authentication::SaslContinue(challenge), Some(exchange)) => {
            exchange.proceed(&challenge, write).map_err(io::Error::other)?;
        }
        (Authentication::SaslFinal(proof), Some(exchange)) => exchange.finish(&proof).map_err(io::Error::other)?,
        (Authentication::Ok, Some(exchange)) if exchange.is_finished() => {}
        // A way that asks for less would be measured doing less.
        _ => return Err(unexpected()),
    }
    Ok(())
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the login is not by SCRAM-SHA-256")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::MAJOR;

    #[test]
    fn copy_data_is_a_tag_a_length_that_counts_itself_and_the_block() {
        assert_eq!(&copy_data(b"1\ta\n").unwrap()[..], b"d\0\0\0\x081\ta\n");
    }

    #[test]
    fn a_session_reads_results_of_any_size_copies_both_ways_and_tells_a_server_error() {
        let server = atalaya_sandbox::Server::start(atalaya_sandbox::ServerOptions::new(MAJOR)).unwrap();
        server.create_database(DATABASE).unwrap();
        let mut client = Client::connect(server.port(), server.superuser()).unwrap();
        assert!(client.query("SELECT repeat('x', 3000000)").unwrap() > 3_000_000);
        client.query("CREATE TABLE t (id int, body text)").unwrap();
        client.copy_in("COPY t FROM STDIN", b"1\ta\n2\tb\n", 3).unwrap();
        assert_eq!(server.run_sql(DATABASE, "SELECT count(*), min(body) FROM t").unwrap(), "6|a");
        let (rows, copied) = (client.query("SELECT * FROM t").unwrap(), client.query("COPY t TO STDOUT").unwrap());
        assert!(rows > copied && copied > 6 * 9);
        assert!(client.query("SELECT 1 FROM nowhere").unwrap_err().to_string().contains("nowhere"));
        client.query("SELECT 1").unwrap();
        assert!(client.copy_in("SELECT 1", b"", 1).unwrap_err().to_string().contains("no copy"));
    }
}
