//! A server of the tests' own, that lets everybody in and then says what it is told to say.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::bytes::message;

/// Answers a query, or [`PIPELINE`]; `None` ends the connection.
type Answers = dyn Fn(&str, &mut TcpStream) -> Option<()> + Send + Sync;

/// Answers each message by its tag and body, for one connection; `None` ends it.
pub(super) type Answering = dyn FnMut(u8, &[u8], &mut TcpStream) -> Option<()>;

/// What is said to a startup packet instead of a greeting; `None` lets in.
type Door = dyn Fn() -> Option<Vec<u8>> + Send + Sync;

/// What stands for a query when a pipeline of the extended protocol has come to its Sync.
pub(crate) const PIPELINE: &str = "a pipeline";

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
        Self::start_with_door(|| None, answers)
    }

    /// One that writes its answers itself, in pieces for one.
    pub(crate) fn start_writing(answers: impl Fn(&str, &mut TcpStream) -> Option<()> + Send + Sync + 'static) -> Self {
        Self::serve(Arc::new(|| None), answering(answers))
    }

    /// One that has the protocol answered message by message.
    pub(super) fn start_answering(answering: impl Fn() -> Box<Answering> + Send + Sync + 'static) -> Self {
        Self::serve(Arc::new(|| None), Arc::new(answering))
    }

    /// The same, where not everybody is let in at once.
    pub(crate) fn start_with_door(
        door: impl Fn() -> Option<Vec<u8>> + Send + Sync + 'static,
        answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Arc::new(door), answering(move |sql, stream| stream.write_all(&answers(sql)?).ok()))
    }

    fn serve(door: Arc<Door>, answering: Arc<dyn Fn() -> Box<Answering> + Send + Sync>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let has_ended = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&has_ended);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (door, answering) = (Arc::clone(&door), Arc::clone(&answering));
                thread::spawn(move || serve(stream, &*door, &mut *answering()));
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

/// Queries and ends of pipelines are answered, and nothing else.
fn answering(
    answers: impl Fn(&str, &mut TcpStream) -> Option<()> + Send + Sync + 'static,
) -> Arc<dyn Fn() -> Box<Answering> + Send + Sync> {
    let answers: Arc<Answers> = Arc::new(answers);
    Arc::new(move || {
        let answers = Arc::clone(&answers);
        Box::new(move |tag, body, stream| match tag {
            b'Q' => answers(String::from_utf8_lossy(body).trim_end_matches('\0'), stream),
            b'S' => answers(PIPELINE, stream),
            _ => Some(()),
        })
    })
}

fn serve(mut stream: TcpStream, door: &Door, answering: &mut Answering) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut startup = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut startup).ok()?;
    if let Some(refusal) = door() {
        return stream.write_all(&refusal).ok();
    }
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
        // No room for what a damaged request promises: tests of a gateway's memory have it in the same process.
        let length = u64::from(u32::from_be_bytes(head[1..].try_into().unwrap())) - 4;
        let mut body = Vec::new();
        (&stream).take(length).read_to_end(&mut body).ok()?;
        if body.len() as u64 != length {
            return None;
        }
        answering(head[0], &body, &mut stream)?;
    }
}
