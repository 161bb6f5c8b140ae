//! A server of the tests' own, that lets everybody in and then says what it is told to say.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::bytes::message;

/// What is answered to a query; `None` ends the connection.
type Answers = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

/// See the module.
pub(crate) struct FakeServer {
    pub(crate) port: u16,
    has_ended: Arc<AtomicBool>,
}

/// A message of a server.
pub(crate) fn fake_message(tag: u8, body: &[u8]) -> Vec<u8> {
    message(tag, body)
}

impl FakeServer {
    pub(crate) fn start(answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let has_ended = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&has_ended);
        let answers: Arc<Answers> = Arc::new(answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let answers = Arc::clone(&answers);
                thread::spawn(move || serve(stream, &*answers));
            }
        });
        Self { port, has_ended }
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://fake:fake@127.0.0.1:{}/fake?sslmode=disable", self.port)
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::SeqCst);
        // Wakes the thread that listens.
        let _woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn serve(mut stream: TcpStream, answers: &Answers) -> Option<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut startup = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut startup).ok()?;
    let mut out = message(b'R', &[0; 4]);
    for (name, value) in
        [("server_version", "18.0"), ("client_encoding", "UTF8"), ("standard_conforming_strings", "on")]
    {
        out.extend(message(b'S', format!("{name}\0{value}\0").as_bytes()));
    }
    out.extend(message(b'K', &[0, 0, 0, 7, 0, 0, 0, 8]));
    out.extend(message(b'Z', b"I"));
    stream.write_all(&out).ok()?;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).ok()?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(head[1..].try_into().unwrap())).unwrap() - 4];
        stream.read_exact(&mut body).ok()?;
        if head[0] != b'Q' {
            continue;
        }
        let sql = String::from_utf8_lossy(&body).trim_end_matches('\0').to_owned();
        let answer = answers(&sql)?;
        stream.write_all(&answer).ok()?;
    }
}
