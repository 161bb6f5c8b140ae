//! What a test sees of a broker beside the crate, and a broker that never answers to one thing.

use async_nats::jetstream::{self, Context};
use atalaya_nats::Options;
use atalaya_sandbox::NatsServer;
use futures_util::TryStreamExt;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) async fn context(options: &Options) -> Context {
    jetstream::new(async_nats::connect(&options.url).await.unwrap())
}

/// Whether the broker holds somebody's request for the next message.
pub(crate) async fn somebody_waits(context: &Context, stream: &str) -> bool {
    let places: Vec<_> = context.get_stream(stream).await.unwrap().consumers().try_collect().await.unwrap();
    places.iter().any(|place| place.num_waiting > 0)
}

/// The URL of the same broker, as a connection sees it that breaks off unnoticed where a consumer is to be deleted.
pub(crate) async fn that_never_deletes_a_consumer(server: &NatsServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let port = server.port();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let broker = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (from_client, mut to_client) = client.into_split();
        let (mut from_broker, mut to_broker) = broker.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_broker, &mut to_client).await });
        // No request to JetStream holds a line break, so that each line is one whole.
        let mut lines = BufReader::new(from_client);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.unwrap() > 0 {
            if String::from_utf8_lossy(&line).contains("$JS.API.CONSUMER.DELETE.") {
                std::future::pending::<()>().await;
            }
            to_broker.write_all(&line).await.unwrap();
            line.clear();
        }
    });
    url
}
