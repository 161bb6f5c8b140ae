//! Changes from real walsenders, decoded.

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{Decoder, Message, OldTuple, ReplicaIdentity, Value};
use atalaya_postgres::wire::{ReplicationEvent, ReplicationStream, WireConnection, WireError, WireOptions};
use atalaya_sandbox::{Server, ServerOptions, StopMode, eventually};

use super::support::{connect, parse, start, value};

async fn walsender(server: &Server) -> WireConnection {
    let options = WireOptions {
        application_name: "wire test".to_owned(),
        replication: true,
        settings: vec![("DateStyle".to_owned(), "ISO, YMD".to_owned())],
        ..WireOptions::default()
    };
    WireConnection::connect(&parse(&server.url("postgres")), &options).await.unwrap()
}

/// Creates slot `s` for publication `p` and streams from it.
async fn stream(server: &Server, options: &[(&str, &str)]) -> (ReplicationStream, Lsn) {
    let mut connection = walsender(server).await;
    let created =
        connection.simple_query("CREATE_REPLICATION_SLOT s LOGICAL pgoutput NOEXPORT_SNAPSHOT").await.unwrap();
    let start: Lsn = created[0].rows[0][1].as_deref().unwrap().parse().unwrap();
    let mut all = vec![("publication_names".to_owned(), "p".to_owned())];
    all.extend(options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    (connection.start_replication("s", start, &all).await.unwrap(), start)
}

/// Messages up to and with the first that `is_last` says yes to.
async fn until(stream: &mut ReplicationStream, decoder: &mut Decoder, is_last: fn(&Message) -> bool) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        if let ReplicationEvent::Data { payload, .. } = stream.next().await.unwrap() {
            messages.push(decoder.decode(payload).unwrap());
            if messages.last().is_some_and(is_last) {
                return messages;
            }
        }
    }
}

fn text(value: &Value) -> &[u8] {
    let Value::Text(text) = value else { panic!("{value:?}") };
    text
}

async fn every_kind_of_change_is_decoded(major: u16) {
    let server = start(major);
    let setup = "create table t(id int primary key, a text, d date); alter table t alter a set storage external;
        create publication p for table t";
    server.run_sql("postgres", setup).unwrap();
    let (mut stream, start) = stream(&server, &[("proto_version", "1")]).await;
    server
        .run_sql(
            "postgres",
            "begin; insert into t values (1, repeat('x', 10000), '2024-02-29'); update t set d = null;
             update t set id = 2; delete from t; truncate t restart identity; commit",
        )
        .unwrap();
    let mut decoder = Decoder::new();
    let messages = until(&mut stream, &mut decoder, |message| matches!(message, Message::Commit(_))).await;
    let [
        Message::Begin(begin),
        Message::Relation(relation),
        Message::Insert { new: inserted, .. },
        Message::Update { old: None, new: updated, .. },
        Message::Update { old: Some(OldTuple::Key(old_key)), new: moved, .. },
        Message::Delete { old: OldTuple::Key(deleted), relation_id },
        rest @ ..,
    ] = &messages[..]
    else {
        panic!("{messages:?}")
    };
    assert_eq!((relation.schema.as_str(), relation.name.as_str()), ("public", "t"));
    assert_eq!(relation.replica_identity, ReplicaIdentity::Default);
    let keys: Vec<_> = relation.columns.iter().map(|column| (column.name.as_str(), column.is_key)).collect();
    assert_eq!(keys, [("id", true), ("a", false), ("d", false)]);
    assert_eq!((text(&inserted.values[1]).len(), text(&inserted.values[2])), (10_000, &b"2024-02-29"[..]));
    assert_eq!(updated.values[1..], [Value::UnchangedToast, Value::Null]);
    assert_eq!((text(&old_key.values[0]), text(&moved.values[0])), (&b"1"[..], &b"2"[..]));
    assert_eq!((text(&deleted.values[0]), *relation_id), (&b"2"[..], relation.id));
    let [.., Message::Truncate(truncate), Message::Commit(commit)] = rest else { panic!("{rest:?}") };
    assert_eq!(
        (&truncate.relation_ids[..], truncate.cascade, truncate.restart_identity),
        (&[relation.id][..], false, true)
    );
    assert_eq!(commit.commit_lsn, begin.final_lsn);
    assert!(start <= commit.commit_lsn && commit.commit_lsn < commit.end_lsn);

    stream.send_status(commit.end_lsn, true).await.unwrap();
    loop {
        if let ReplicationEvent::Keepalive { wal_end, .. } = stream.next().await.unwrap() {
            assert!(wal_end >= commit.end_lsn);
            break;
        }
    }
    stream.finish().await;
    let mut connection = connect(&server).await;
    let confirmed = value(&mut connection, "select confirmed_flush_lsn from pg_replication_slots").await;
    assert_eq!(confirmed.parse::<Lsn>().unwrap(), commit.end_lsn);
}

#[tokio::test]
async fn every_kind_of_change_of_13_is_decoded() {
    every_kind_of_change_is_decoded(13).await;
}

#[tokio::test]
async fn every_kind_of_change_of_18_is_decoded() {
    every_kind_of_change_is_decoded(18).await;
}

#[tokio::test]
async fn a_streamed_transaction_and_logical_messages_of_18_are_decoded() {
    let server = Server::start(ServerOptions::new(18).setting("logical_decoding_work_mem", "64kB")).unwrap();
    server.run_sql("postgres", "create table t(id int, a text); create publication p for table t").unwrap();
    let options = [("proto_version", "4"), ("streaming", "parallel"), ("messages", "true"), ("binary", "true")];
    let (mut stream, _) = stream(&server, &options).await;
    server
        .run_sql(
            "postgres",
            "begin; select pg_logical_emit_message(true, 'atalaya', 'hello');
             insert into t select i, md5(i::text) from generate_series(1, 5000) i;
             savepoint a; insert into t select i, md5(i::text) from generate_series(1, 5000) i; rollback to a; commit",
        )
        .unwrap();
    let mut decoder = Decoder::new();
    let messages = until(&mut stream, &mut decoder, |message| matches!(message, Message::StreamCommit(_))).await;
    let count = |wanted: fn(&Message) -> bool| messages.iter().filter(|message| wanted(message)).count();
    assert!(count(|message| matches!(message, Message::StreamStart { .. })) > 1);
    assert!(count(|message| matches!(message, Message::StreamAbort(abort) if abort.abort_lsn.is_some())) >= 1);
    assert!(count(|message| matches!(message, Message::Insert { .. })) >= 5000);
    let greeting = |message: &Message| {
        matches!(message, Message::Logical(logical) if logical.transactional && logical.prefix == "atalaya"
            && &logical.content[..] == b"hello")
    };
    assert_eq!(count(greeting), 1);
    let first = messages.iter().find_map(|message| match message {
        Message::Insert { new, .. } => Some(new.values[0].clone()),
        _ => None,
    });
    assert_eq!(first, Some(Value::Binary(bytes::Bytes::from_static(&[0, 0, 0, 1]))));
}

#[tokio::test]
async fn a_row_of_50_mb_comes_whole_and_waiting_messages_need_no_read() {
    let server = start(18);
    server.run_sql("postgres", "create table t(a text); create publication p for table t").unwrap();
    let (mut stream, _) = stream(&server, &[("proto_version", "1")]).await;
    server.run_sql("postgres", "insert into t values (repeat('x', 50 * 1048576))").unwrap();
    let mut decoder = Decoder::new();
    let messages = until(&mut stream, &mut decoder, |message| matches!(message, Message::Commit(_))).await;
    let Message::Insert { new, .. } = &messages[2] else { panic!("{:?}", messages.len()) };
    assert_eq!(text(&new.values[0]).len(), 50 * 1_048_576);

    server.run_sql("postgres", "insert into t select i::text from generate_series(1, 1000) i").unwrap();
    let written = server.run_sql("postgres", "select pg_current_wal_insert_lsn()").unwrap();
    // All of it waits on the way to us, which has room for more.
    let sent = format!("select bool_and(sent_lsn >= '{}') from pg_stat_replication", written.trim());
    eventually("all is sent", || server.run_sql("postgres", &sent).unwrap() == "t");
    until(&mut stream, &mut decoder, |message| matches!(message, Message::Insert { .. })).await;
    let mut without_read = 0;
    let mut committed = false;
    while !committed {
        without_read += usize::from(stream.has_complete_message());
        if let Some(ReplicationEvent::Data { payload, .. }) = stream.try_next().unwrap() {
            committed = matches!(decoder.decode(payload).unwrap(), Message::Commit(_));
        }
        tokio::task::yield_now().await;
    }
    assert!(without_read > 500, "only {without_read} messages came with an earlier one");
}

#[tokio::test]
async fn a_server_that_stops_ends_the_stream_with_an_error() {
    let mut server = start(18);
    server.run_sql("postgres", "create table t(a text); create publication p for table t").unwrap();
    let (mut stream, _) = stream(&server, &[("proto_version", "1")]).await;
    let stopped = tokio::task::spawn_blocking(move || server.stop(StopMode::Fast).map(|()| server));
    let error = loop {
        match stream.next().await {
            // A walsender waits at its end until all was confirmed.
            Ok(ReplicationEvent::Keepalive { wal_end, .. }) => {
                if let Err(error) = stream.send_status(wal_end, false).await {
                    break error;
                }
            }
            Ok(ReplicationEvent::Data { .. }) => {}
            Err(error) => break error,
        }
    };
    let is_end = matches!(error, WireError::ReplicationEnded | WireError::Ended(_) | WireError::Server(_));
    assert!(is_end && error.hint().is_some() | error.sqlstate().is_some(), "{error:?}");
    drop(stream);
    stopped.await.unwrap().unwrap();
}
