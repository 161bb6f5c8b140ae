//! A server whose greeting or answer is arbitrary or damaged: whoever connects is told, and waits for nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use atalaya_damage::{damaged, pieces};
use atalaya_postgres::wire::WireConnection;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::support::{options, parse};

/// What a server says at a login, and then to a query.
#[derive(Clone, Debug, Default)]
struct Said {
    greeting: Vec<u8>,
    answer: Vec<u8>,
    cuts: Vec<Index>,
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
}

fn greeting() -> Vec<u8> {
    let status = |text: &[u8]| message(b'S', text);
    [
        message(b'R', &[0; 4]),
        status(b"server_version\x0018.1 (Debian)\0"),
        status(b"client_encoding\0UTF8\0"),
        message(b'K', &[0, 0, 0, 7, 0, 0, 0, 8]),
        message(b'Z', b"I"),
    ]
    .concat()
}

/// Every step of a login that a server may begin with.
fn greetings() -> Vec<Vec<u8>> {
    vec![
        greeting(),
        message(b'R', b"\0\0\0\x05salt"),
        message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
        message(b'E', b"SFATAL\0VFATAL\0C28P01\0Mno\0\0"),
        [message(b'v', b"\0\x03\0\0\0\0\0\0"), message(b'N', b"SNOTICE\0Mso\0\0"), greeting()].concat(),
    ]
}

fn answers() -> Vec<Vec<u8>> {
    let columns = message(b'T', &[&[0, 1][..], b"x\0", &[0; 18]].concat());
    let row = message(b'D', b"\0\x01\0\0\0\x04good");
    let complete = message(b'C', b"SELECT 1\0");
    let error = message(b'E', b"SERROR\0C22012\0Mno\0\0");
    let ready = message(b'Z', b"I");
    vec![
        [&columns[..], &row, &complete, &ready].concat(),
        [&error[..], &ready].concat(),
        [&message(b'I', b"")[..], &message(b'A', b"\0\0\0\x07a\0b\0"), &ready].concat(),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let greeting = prop_oneof![
        2 => Just(greeting()).boxed(),
        2 => damaged(greetings()).boxed(),
        1 => any::<Vec<u8>>().boxed(),
    ];
    let answer = prop_oneof![4 => damaged(answers()).boxed(), 1 => any::<Vec<u8>>().boxed()];
    (greeting, answer, vec(any::<Index>(), 0..4)).prop_map(|(greeting, answer, cuts)| Said { greeting, answer, cuts })
}

/// Says what it has to say, and hangs up.
async fn serve(mut socket: TcpStream, said: Said) -> std::io::Result<()> {
    let length = socket.read_u32().await?;
    let mut startup = vec![0; usize::try_from(length - 4).unwrap()];
    socket.read_exact(&mut startup).await?;
    for piece in pieces(&said.greeting, &said.cuts) {
        socket.write_all(piece).await?;
    }
    if said.greeting != greeting() {
        return Ok(());
    }
    // The tag of the query, and then its rest.
    let _query = socket.read_u8().await?;
    let length = socket.read_u32().await?;
    let mut query = vec![0; usize::try_from(length - 4).unwrap()];
    socket.read_exact(&mut query).await?;
    for piece in pieces(&said.answer, &said.cuts) {
        socket.write_all(piece).await?;
    }
    Ok(())
}

#[test]
fn arbitrary_and_damaged_greetings_and_answers_are_errors_or_what_they_say() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let next = Arc::<Mutex<Said>>::default();
    let says = Arc::clone(&next);
    runtime.spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let said = says.lock().unwrap().clone();
            // A client that understands nothing more has gone.
            tokio::spawn(async move { serve(socket, said).await.ok() });
        }
    });
    let url = parse(&format!("postgres://u:secret@127.0.0.1:{port}/d?sslmode=disable"));
    let config = ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() };
    let held = TestRunner::new(config).run(&said(), |said| {
        let greeted = said.greeting == greeting();
        *next.lock().unwrap() = said;
        let met = async {
            let mut connection = WireConnection::connect(&url, &options()).await.map_err(|error| error.to_string())?;
            assert!(connection.server_version().len() < 1000);
            let _major = connection.server_major_version();
            Ok::<_, String>(connection.simple_query("SELECT 1").await.is_ok())
        };
        let met = runtime.block_on(async { timeout(Duration::from_secs(20), met).await });
        let Ok(met) = met else { return Err(TestCaseError::fail("it waits for what never comes")) };
        prop_assert!(!greeted || met.is_ok(), "{:?}", met);
        Ok(())
    });
    if let Err(failed) = held {
        panic!("{failed}");
    }
}
