//! Sockets that say damaged things, to a gateway as a client and as a server: no session panics, each ends in the
//! protocol's own words, and others are served.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atalaya_damage::{damaged, pieces};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::{
    Client, FakeServer, Gateway, Message, PIPELINE, Setup, bind, cancel_request, close_statement, copy_data, copy_done,
    copy_fail, describe_portal, describe_statement, execute, fake_message, first, flush, for_each, gss_request,
    message, obedient_server, parse, query, ssl_request, startup, sync, tags, terminate,
};

/// Longer than anything here takes.
const SILENCE: Duration = Duration::from_secs(20);

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 0..4)
}

/// A gateway with one worker, whose panics are noted, before a server that takes whatever it is asked for.
fn before_obedient() -> (FakeServer, Gateway) {
    let server = obedient_server();
    // Enough for those, too, whose client has left them within a COPY: each takes a while to be given up.
    let gateway = Setup::new(&server.url(), "fake", "fake").servers_max(100).workers(1).start();
    (server, gateway)
}

/// All that is answered to bytes that come in pieces, behind which nothing more comes.
fn answered(port: u16, bytes: &[u8], cuts: &[Index]) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    for piece in pieces(bytes, cuts) {
        // The gateway may hang up before all was sent.
        let _sent = stream.write_all(piece);
    }
    let _closed = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came, and no end"),
        _ => answer,
    }
}

/// The messages in an answer, and what is left behind them.
fn messages(mut answer: &[u8]) -> (Vec<Message>, &[u8]) {
    let mut messages = Vec::new();
    while let Some((&[tag, a, b, c, d], rest)) = answer.split_first_chunk::<5>() {
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap().checked_sub(4);
        let Some((body, behind)) = length.and_then(|length| rest.split_at_checked(length)) else { break };
        messages.push(Message { tag, body: body.to_vec() });
        answer = behind;
    }
    (messages, answer)
}

fn is_alive(gateway: &Gateway, other: &mut Client) -> Result<(), TestCaseError> {
    prop_assert_eq!(other.tags(&query("SELECT fine")), "T D C ZI");
    prop_assert!(!gateway.has_panicked(), "a session panicked");
    Ok(())
}

#[test]
fn damaged_first_packets_are_answered_in_the_protocol_s_words_or_not_at_all() {
    let (_server, gateway) = before_obedient();
    let mut other = gateway.client();
    let packets = [
        ssl_request(),
        gss_request(),
        cancel_request(7, b"none"),
        startup(&[("user", "app"), ("database", "shop"), ("options", "-c a.b=c"), ("DateStyle", "ISO")]),
        first(b"\0\x03\0\x02user\0app\0database\0shop\0_pq_.x\0y\0\0"),
        [gss_request(), startup(&[("user", "app")])].concat(),
    ];
    let inputs = (prop_oneof![damaged(packets), any::<Vec<u8>>()], cuts());
    for_each(192, inputs, |(bytes, cuts)| {
        let answer = answered(gateway.port, &bytes, &cuts);
        // Encryption is declined by one byte, at most twice.
        let declined = answer.iter().take_while(|byte| **byte == b'N').take(2).count();
        let is_notice = answer.get(declined..).is_some_and(|rest| messages(rest).1.is_empty());
        prop_assert!(is_notice, "{:?}", answer);
        let said = messages(&answer[declined..]).0;
        prop_assert!(said.iter().all(|message| b"RvE".contains(&message.tag)), "{:?}", said);
        prop_assert!(said.iter().all(|message| message.tag != b'R' || message.body[..4] != [0; 4]), "let in");
        Ok(())
    });
    is_alive(&gateway, &mut other).unwrap();
}

#[test]
fn damaged_messages_of_the_password_exchange_let_nobody_in() {
    let (_server, gateway) = before_obedient();
    let mut other = gateway.client();
    let initial = message(b'p', b"SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=rOprNGfwEbeRWgbNEkqO123456789");
    let proof = message(b'p', b"c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    let second = prop_oneof![damaged([proof.clone()]), Just(proof)];
    for_each(96, (damaged([initial.clone()]), second, any::<bool>(), cuts()), |(blown, second, is_second, cuts)| {
        let first_message = if is_second { initial.clone() } else { blown };
        let login = startup(&[("user", "app"), ("database", "shop")]);
        let answer = answered(gateway.port, &[login, first_message, second].concat(), &cuts);
        let (said, rest) = messages(&answer);
        prop_assert!(rest.is_empty());
        prop_assert!(said.iter().all(|message| b"RE".contains(&message.tag)), "{:?}", said);
        prop_assert!(said.iter().all(|message| message.tag != b'R' || message.body[..4] != [0; 4]), "let in");
        Ok(())
    });
    is_alive(&gateway, &mut other).unwrap();
}

/// What clients ask for, each answered by one ReadyForQuery.
fn requests() -> Vec<Vec<u8>> {
    let copying = [query("COPY t FROM STDIN"), copy_data(b"1\n"), flush(), copy_data(b"2\n")].concat();
    vec![
        query("SELECT 1"),
        query(""),
        query("SET a.b = 'c'"),
        query("PREPARE q AS SELECT 1; DEALLOCATE q"),
        [copying.clone(), copy_done()].concat(),
        [copying, copy_fail("no")].concat(),
        [parse("", "SELECT 1"), bind("", "", &[]), describe_portal(""), execute("", 0), sync()].concat(),
        [parse("s", "SELECT $1"), describe_statement("s"), flush(), sync()].concat(),
        [bind("p", "s", &["value"]), execute("p", 7), execute("p", 0), sync()].concat(),
        [describe_statement("s"), close_statement("s"), sync()].concat(),
        [bind("", "nobody's", &[]), sync()].concat(),
        [parse("", "COPY t FROM STDIN"), bind("", "", &[]), execute("", 0), copy_data(b"1\n"), copy_done(), sync()]
            .concat(),
        [parse("atalaya:1", "SELECT 1"), describe_statement("atalaya:1"), sync()].concat(),
        [parse("s", "SELECT 2"), parse("s", "SELECT 3"), sync()].concat(),
        message(b'F', &[0, 0, 8, 30, 0, 0, 0, 0, 0, 0]),
        sync(),
    ]
}

#[test]
fn requests_are_answered_alike_however_they_are_cut_and_glued() {
    let (_server, gateway) = before_obedient();
    let mut other = gateway.client();
    // What the one before has left under the names that are used, and unnamed.
    let clean = || [close_statement("s"), sync(), query("SELECT 1")].concat();
    for_each(64, (vec(select(requests()), 1..8), cuts()), |(requests, cuts)| {
        let mut client = gateway.client();
        let mut ask = |bytes: &[u8], cuts: &[Index], answers: usize| {
            for piece in pieces(bytes, cuts) {
                client.send(piece);
            }
            (0..answers).map(|_| tags(&client.until_ready())).collect::<Vec<_>>()
        };
        let (bytes, answers) = (requests.concat(), requests.len());
        ask(&clean(), &[], 2);
        let mut one_by_one = Vec::new();
        for request in &requests {
            one_by_one.extend(ask(request, &[], 1));
        }
        ask(&clean(), &[], 2);
        prop_assert_eq!(&ask(&bytes, &[], answers), &one_by_one, "glued");
        ask(&clean(), &[], 2);
        prop_assert_eq!(ask(&bytes, &cuts, answers), one_by_one, "in pieces");
        Ok(())
    });
    is_alive(&gateway, &mut other).unwrap();
}

#[test]
fn damaged_requests_end_in_the_protocol_s_words_and_end_nobody_else() {
    let (_server, gateway) = before_obedient();
    let other = Mutex::new(gateway.client());
    let all: Vec<Vec<u8>> = requests().into_iter().chain([requests().concat()]).collect();
    let inputs = prop_oneof![4 => damaged(all), 1 => any::<Vec<u8>>()];
    for_each(64, (inputs, cuts()), |(bytes, cuts)| {
        let mut client = gateway.client();
        for piece in pieces(&[&bytes[..], &sync(), &terminate()].concat(), &cuts) {
            // A client that broke the protocol is hung up on.
            let _sent = client.try_send(piece);
        }
        let _closed = client.writer().shutdown(Shutdown::Write);
        let said = client.until_end();
        let fatal =
            said.iter().position(|message| message.field(b'V').as_deref() == Some("FATAL") && message.tag == b'E');
        if let Some(place) = fatal {
            prop_assert_eq!(place + 1, said.len(), "{:?}", said);
            prop_assert!(["08P01", "08007", "22021"].contains(&said[place].sqlstate().as_str()), "{:?}", said);
        }
        is_alive(&gateway, &mut other.lock().unwrap())
    });
}

/// Answers of a server to a query or to a pipeline, by what they hold.
fn answers() -> Vec<Vec<u8>> {
    let columns = fake_message(b'T', &[&[0, 1][..], b"x\0", &[0; 18]].concat());
    let row = fake_message(b'D', &[&[0, 1, 0, 0, 0, 4][..], b"good"].concat());
    let complete = fake_message(b'C', b"SELECT 1\0");
    let error = fake_message(b'E', b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0");
    let ready = fake_message(b'Z', b"I");
    let steps = [fake_message(b'1', b""), fake_message(b'2', b"")].concat();
    let others = [
        fake_message(b'N', b"SNOTICE\0C00000\0Mby the way\0\0"),
        fake_message(b'S', b"client_encoding\0UTF8\0"),
        fake_message(b'A', b"\0\0\0\x07channel\0payload\0"),
    ]
    .concat();
    let copy = [fake_message(b'H', &[0, 0, 0]), fake_message(b'd', b"1\n"), fake_message(b'c', b"")].concat();
    vec![
        [&columns[..], &row, &others, &complete, &ready].concat(),
        [&steps[..], &row, &others, &complete, &ready].concat(),
        [&steps[..], &error, &ready].concat(),
        [&error[..], &fake_message(b'Z', b"E")].concat(),
        [&copy[..], &complete, &ready].concat(),
        [&fake_message(b'G', &[1, 0, 1, 0, 1])[..], &error, &ready].concat(),
        [&fake_message(b't', &[0, 1, 0, 0, 0, 23])[..], &columns, &ready].concat(),
        [&fake_message(b'I', b"")[..], &fake_message(b'C', b"DISCARD ALL\0"), &ready].concat(),
    ]
}

#[test]
fn damaged_answers_end_their_session_at_most_and_no_other() {
    let bad: Arc<Mutex<(Vec<u8>, Vec<Index>)>> = Arc::default();
    let said = Arc::clone(&bad);
    let server = FakeServer::start_writing(move |sql, stream| match sql {
        "SELECT bad" | PIPELINE => {
            let (bytes, cuts) = said.lock().unwrap().clone();
            for piece in pieces(&bytes, &cuts) {
                stream.write_all(piece).ok()?;
            }
            // Else the gateway would wait for the rest of what was cut off.
            None
        }
        _ => stream.write_all(&answers()[0]).ok(),
    });
    let gateway = Setup::new(&server.url(), "fake", "fake").servers_max(2).workers(1).start();
    let asked = select(vec![
        query("SELECT bad"),
        [parse("", "SELECT 1"), bind("", "", &[]), execute("", 0), sync()].concat(),
        [parse("s", "SELECT 1"), describe_statement("s"), sync()].concat(),
    ]);
    let bytes = prop_oneof![4 => damaged(answers()), 1 => any::<Vec<u8>>()];
    for_each(64, (bytes, cuts(), asked), |(bytes, cuts, asked)| {
        *bad.lock().unwrap() = (bytes, cuts);
        let mut client = gateway.client();
        client.send(&asked);
        client.writer().set_read_timeout(Some(SILENCE)).unwrap();
        // Up to where all was there, or to the end: within a message it comes without a word.
        while client.try_message().is_some_and(|message| message.tag != b'Z') {}
        drop(client);
        // A server that was given back is found to have gone by the next one who asks for it, or by whoever asks then.
        let served = (0..4).any(|_| {
            let mut other = gateway.client();
            other.send(&query("SELECT fine"));
            let mut said = Vec::new();
            while let Some(message) = other.try_message() {
                let is_over = message.tag == b'Z';
                said.push(message);
                if is_over {
                    break;
                }
            }
            tags(&said) == "T D N S A C ZI"
        });
        prop_assert!(served, "nobody is served any more");
        prop_assert!(!gateway.has_panicked(), "a session panicked");
        Ok(())
    });
}
