//! Streams of a real broker that let go of messages before a reader has come to them.

use atalaya_cqrs::inbox::{Inbox, InboxError, Incoming};
use atalaya_eventstore::{Statement, Tables};
use atalaya_nats::{JetStream, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::ground::{Ground, number};
use crate::inbox::{balance, follow_to, pay_in, send};
use crate::outbox::{server, stream};

/// A request to the broker that the crate's client has no call for.
async fn ask(call: &str, request: &Value) {
    let mut broker = BufReader::new(TcpStream::connect(("127.0.0.1", server().port())).await.unwrap());
    let request = request.to_string();
    let sent = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB $JS.API.STREAM.{call} answer {}\r\n{request}\r\n",
        request.len()
    );
    broker.write_all(sent.as_bytes()).await.unwrap();
    let mut line = String::new();
    while !line.starts_with("MSG answer") {
        line.clear();
        assert_ne!(broker.read_line(&mut line).await.unwrap(), 0);
    }
    line.clear();
    broker.read_line(&mut line).await.unwrap();
    let answer: Value = serde_json::from_str(&line).unwrap();
    assert!(answer["error"].is_null(), "{answer}");
}

/// A stream with a limit, and its name.
async fn limited(limit: &str, number: u64) -> (JetStream, String) {
    let options: Options = stream(&server().url());
    let name = options.stream.clone();
    let mut request = json!({
        "name": name, "subjects": [format!("{}.>", options.prefix)], "retention": "limits", "storage": "file",
        "num_replicas": 1, "duplicate_window": 600_000_000_000_u64,
    });
    request[limit] = number.into();
    ask(&format!("CREATE.{name}"), &request).await;
    (JetStream::new(options), name)
}

async fn send_all(stream: &JetStream, numbers: std::ops::RangeInclusive<i64>) {
    for number in numbers {
        let id = format!("m{number}");
        send(stream, &id, &id, number).await;
    }
}

/// Follows until the stream is found to have let go of messages: which ones.
async fn gone(inbox: &Inbox, handle: impl AsyncFn(Incoming)) -> (u64, u64) {
    let (_stop, stopped) = watch::channel(false);
    let handle = async |message: Incoming| {
        handle(message).await;
        Ok(())
    };
    match inbox.follow(stopped, handle).await {
        Err(InboxError::Gone { from, to, .. }) => (from, to),
        other => panic!("{other:?}"),
    }
}

async fn none_is_handed_over(message: Incoming) {
    panic!("{} was handed over", message.id);
}

async fn a_reader_that_is_overtaken_while_it_reads_is_told_what_is_gone_and_goes_on_by_its_word(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    let (stream, _) = limited("max_msgs", 3).await;
    let inbox = Inbox::open(tables.clone(), stream.clone()).await.unwrap();
    send_all(&stream, 1..=3).await;
    let overtaken = async |message: Incoming| {
        pay_in(&store, &message).await.unwrap();
        if message.id == "m1" {
            send_all(&stream, 4..=9).await;
        }
    };
    assert_eq!(gone(&inbox, overtaken).await, (4, 6));
    assert_eq!((inbox.position().await.unwrap(), balance(&store).await.balance), (3, 1 + 2 + 3));
    assert_eq!(gone(&inbox, none_is_handed_over).await, (4, 6), "when it starts again, too");
    set_place(&tables, 6).await;
    assert_eq!(follow_to(&inbox, &store, "m9").await, ["m7", "m8", "m9"]);
}

async fn a_reader_that_has_handled_nothing_yet_is_told_of_what_has_gone_since_it_registered(ground: &Ground) {
    let (stream, _) = limited("max_msgs", 3).await;
    let inbox = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    send_all(&stream, 1..=1).await;
    let (_stop, stopped) = watch::channel(false);
    let broken = inbox.follow(stopped, async |_| Err("as if it were killed".into())).await;
    assert!(matches!(broken, Err(InboxError::NotHandled { .. })), "{broken:?}");
    send_all(&stream, 2..=5).await;
    assert_eq!(gone(&inbox, none_is_handed_over).await, (1, 2));
}

async fn what_was_gone_before_a_reader_came_for_the_first_time_is_not_missed(ground: &Ground) {
    let (store, (stream, _)) = (ground.store().await, limited("max_msgs", 3).await);
    let inbox = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    send_all(&stream, 1..=5).await;
    assert_eq!(follow_to(&inbox, &store, "m4").await, ["m3", "m4"]);
    assert_eq!(follow_to(&inbox, &store, "m5").await, ["m5"]);
}

async fn what_was_deleted_by_hand_between_others_is_passed_over_and_at_the_beginning_is_told(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    let (stream, name) = limited("max_msgs", 100).await;
    let inbox = Inbox::open(tables.clone(), stream.clone()).await.unwrap();
    send_all(&stream, 1..=4).await;
    assert_eq!(follow_to(&inbox, &store, "m1").await, ["m1"]);
    for sequence in [2, 3] {
        ask(&format!("MSG.DELETE.{name}"), &json!({ "seq": sequence })).await;
    }
    assert_eq!(follow_to(&inbox, &store, "m4").await, ["m4"]);
    assert_eq!(number(&tables, "SELECT sequence FROM inbox").await, 4);
    // With the first of all goes the beginning: what limits take looks the same.
    set_place(&tables, 0).await;
    ask(&format!("MSG.DELETE.{name}"), &json!({ "seq": 1 })).await;
    assert_eq!(gone(&inbox, none_is_handed_over).await, (1, 3));
}

async fn a_limit_by_subject_that_takes_messages_from_between_others_is_told(ground: &Ground) {
    let (stream, _) = limited("max_msgs_per_subject", 2).await;
    let inbox = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    let headers = [("id", "other")];
    let other = atalaya_nats::Outgoing { id: "other", kind: "other", headers: &headers, payload: "0".into() };
    stream.publish(other).await.unwrap();
    send_all(&stream, 1..=4).await;
    let handed_over = std::sync::Mutex::new(Vec::new());
    let handle = async |message: Incoming| handed_over.lock().unwrap().push(message.id);
    assert_eq!(gone(&inbox, handle).await, (2, 3));
    assert_eq!(handed_over.into_inner().unwrap(), ["other"]);
}

async fn set_place(tables: &Tables, place: i64) {
    let sql = "UPDATE inbox SET sequence = $1";
    tables.run(vec![Statement::new(sql, vec![place.into()])]).await.unwrap();
}

atalaya_sandbox::on_every_backend! {
    a_reader_that_is_overtaken_while_it_reads_is_told_what_is_gone_and_goes_on_by_its_word
    a_reader_that_has_handled_nothing_yet_is_told_of_what_has_gone_since_it_registered
    what_was_gone_before_a_reader_came_for_the_first_time_is_not_missed
    what_was_deleted_by_hand_between_others_is_passed_over_and_at_the_beginning_is_told
    a_limit_by_subject_that_takes_messages_from_between_others_is_told
}
