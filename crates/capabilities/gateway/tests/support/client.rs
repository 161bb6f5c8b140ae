//! A client that says exactly what a test tells it to say.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use atalaya_pgwire::SaslClient;
use bytes::BytesMut;

use super::bytes::{message, query, startup};
use super::message::{Message, tags};

/// Nothing that a test waits for takes so long.
const SILENCE: Duration = Duration::from_secs(30);

pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Who logs in, and where.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) settings: Vec<(String, String)>,
}

impl Login {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a refused client was told.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) sqlstate: String,
    pub(crate) text: String,
}

/// A session.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    socket: TcpStream,
    unread: Vec<u8>,
    pub(crate) process_id: i32,
    pub(crate) secret: Vec<u8>,
    /// What was reported at the login.
    pub(crate) reported: Vec<(String, String)>,
}

impl Client {
    /// A socket on which nothing was said.
    pub(crate) fn open(port: u16) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(SILENCE)).unwrap();
        socket.set_write_timeout(Some(SILENCE)).unwrap();
        let stream = Box::new(socket.try_clone().unwrap());
        Self { stream, socket, unread: Vec::new(), process_id: 0, secret: Vec::new(), reported: Vec::new() }
    }

    /// Goes on over another stream on the same socket.
    pub(crate) fn over(mut self, wrap: impl FnOnce(TcpStream) -> Box<dyn Stream>) -> Self {
        self.stream = wrap(self.socket.try_clone().unwrap());
        self
    }

    pub(crate) fn login(login: &Login) -> Self {
        Self::try_login(login).unwrap()
    }

    pub(crate) fn try_login(login: &Login) -> Result<Self, Refusal> {
        Self::open(login.port).log_in(login, None)
    }

    /// The startup packet and all up to ReadyForQuery.
    pub(crate) fn log_in(mut self, login: &Login, end_point: Option<Vec<u8>>) -> Result<Self, Refusal> {
        let mut parameters = vec![("user", login.user.as_str()), ("database", login.database.as_str())];
        parameters.extend(login.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.send(&startup(&parameters));
        self.prove(&login.password, end_point)
    }

    /// Everything from the password exchange on.
    pub(crate) fn prove(mut self, password: &str, end_point: Option<Vec<u8>>) -> Result<Self, Refusal> {
        let mut sasl = None;
        loop {
            let Some(said) = self.try_message() else {
                return Err(Refusal { sqlstate: String::new(), text: "hung up".to_owned() });
            };
            match said.tag {
                b'R' => match i32::from_be_bytes(said.body[..4].try_into().unwrap()) {
                    0 => {}
                    10 => {
                        let offered: Vec<String> = Message { tag: b'R', body: said.body[4..].to_vec() }.texts();
                        let client = SaslClient::choose(&offered, password, end_point.clone()).unwrap();
                        let mut out = BytesMut::new();
                        client.start(&mut out).unwrap();
                        self.send(&out);
                        sasl = Some(client);
                    }
                    11 => {
                        let mut out = BytesMut::new();
                        sasl.as_mut().unwrap().proceed(&said.body[4..], &mut out).unwrap();
                        self.send(&out);
                    }
                    12 => sasl.as_mut().unwrap().finish(&said.body[4..]).unwrap(),
                    other => panic!("authentication {other}"),
                },
                b'S' => {
                    let texts = said.texts();
                    let value = texts.get(1).cloned().unwrap_or_default();
                    self.reported.push((texts[0].clone(), value));
                }
                b'K' => {
                    self.process_id = i32::from_be_bytes(said.body[..4].try_into().unwrap());
                    self.secret = said.body[4..].to_vec();
                }
                b'E' => return Err(Refusal { sqlstate: said.sqlstate(), text: said.text() }),
                b'Z' => return Ok(self),
                b'N' | b'v' => {}
                other => panic!("{} during the login", char::from(other)),
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// A part of the session that writes while this one reads; without TLS only.
    pub(crate) fn writer(&self) -> TcpStream {
        self.socket.try_clone().unwrap()
    }

    /// Raw bytes, as they come.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(self.more(), "the other side hung up");
        }
        self.unread.drain(..count).collect()
    }

    /// The next message; panics when there will be none.
    pub(crate) fn message(&mut self) -> Message {
        self.try_message().expect("the other side hung up")
    }

    /// The next message, or `None` when the other side has hung up.
    pub(crate) fn try_message(&mut self) -> Option<Message> {
        loop {
            if let Some(head) = self.unread.first_chunk::<5>() {
                let length = usize::try_from(u32::from_be_bytes(head[1..].try_into().unwrap())).unwrap();
                if self.unread.len() > length {
                    let tag = head[0];
                    let body = self.unread[5..=length].to_vec();
                    self.unread.drain(..=length);
                    return Some(Message { tag, body });
                }
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn more(&mut self) -> bool {
        let mut chunk = vec![0; 64 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(length) => {
                self.unread.extend_from_slice(&chunk[..length]);
                true
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("nothing came for {SILENCE:?}, {} bytes are unread", self.unread.len())
            }
            Err(_) => false,
        }
    }

    /// All messages up to and with ReadyForQuery.
    pub(crate) fn until_ready(&mut self) -> Vec<Message> {
        self.until(b'Z')
    }

    /// All messages up to and with one of this tag.
    pub(crate) fn until(&mut self, tag: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let Some(said) = self.try_message() else { panic!("hung up after {messages:?}") };
            let is_last = said.tag == tag;
            messages.push(said);
            if is_last {
                return messages;
            }
        }
    }

    /// All messages up to the end of the connection.
    pub(crate) fn until_end(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.try_message()).collect()
    }

    /// Sends bytes that end with Sync or Query, and reads up to ReadyForQuery.
    pub(crate) fn ask(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.send(bytes);
        self.until_ready()
    }

    /// The same; the tags alone.
    pub(crate) fn tags(&mut self, bytes: &[u8]) -> String {
        tags(&self.ask(bytes))
    }

    /// Runs SQL that has to succeed; the rows, columns divided by `|`, NULL as `~`.
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<String> {
        rows(sql, &self.ask(&query(sql)))
    }

    /// Runs SQL that has to succeed; its rows as one text.
    pub(crate) fn run(&mut self, sql: &str) -> String {
        self.rows(sql).join("\n")
    }

    /// Runs SQL that has to fail; its SQLSTATE.
    pub(crate) fn error(&mut self, sql: &str) -> String {
        let messages = self.ask(&query(sql));
        let error = messages.iter().find(|said| said.tag == b'E');
        error.unwrap_or_else(|| panic!("`{sql}` did not fail: {messages:?}")).sqlstate()
    }

    /// Runs a prepared statement that has to succeed; its rows.
    pub(crate) fn execute(&mut self, statement: &str, values: &[&str]) -> String {
        rows(statement, &self.ask(&super::bytes::run(statement, values))).join("\n")
    }

    /// Prepares a statement that has to be right.
    pub(crate) fn prepare(&mut self, name: &str, sql: &str) {
        let got = self.tags(&[super::bytes::parse(name, sql), super::bytes::sync()].concat());
        assert!(got.contains("1 Z"), "{name}: {got}");
    }

    /// Goes without a word, whatever is under way.
    pub(crate) fn vanish(self) {
        let socket = socket2_linger(&self.socket);
        drop(self);
        drop(socket);
    }

    /// A message that is not one.
    pub(crate) fn send_message(&mut self, tag: u8, body: &[u8]) {
        self.send(&message(tag, body));
    }
}

/// A reset instead of a goodbye.
fn socket2_linger(socket: &TcpStream) -> socket2::Socket {
    let socket = socket2::Socket::from(socket.try_clone().unwrap());
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    socket
}

fn rows(what: &str, messages: &[Message]) -> Vec<String> {
    if let Some(error) = messages.iter().find(|said| said.tag == b'E') {
        panic!("`{what}` failed: {} {}", error.sqlstate(), error.text());
    }
    let row = |said: &Message| {
        said.row().into_iter().map(|value| value.unwrap_or_else(|| "~".to_owned())).collect::<Vec<_>>().join("|")
    };
    messages.iter().filter(|said| said.tag == b'D').map(row).collect()
}
