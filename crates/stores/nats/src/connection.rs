//! A connection to the broker whose stream is known to be there.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, ServerAddr};

use crate::subject::all_of;
use crate::{Error, Options};

/// A client that lost its connection is let go of by us soon after; until then it does not try for ever.
const RECONNECTS: usize = 2;

/// Connects, and makes the stream where there is none.
pub(crate) async fn open(options: &Options) -> Result<Context, Error> {
    let limit = options.connect_limit + options.answer_limit;
    let opening = async {
        let address: ServerAddr = options.url.parse().map_err(|_| Error::Url)?;
        let mut connecting = ConnectOptions::new();
        if let Some(authorities) = &options.root_certificates {
            connecting = connecting.add_root_certificates(authorities.clone());
        }
        let client = connecting
            .name("atalaya")
            .connection_timeout(options.connect_limit)
            .request_timeout(Some(options.answer_limit))
            .max_reconnects(RECONNECTS)
            .ignore_discovered_servers()
            .connect(address)
            .await
            .map_err(Error::NoConnection)?;
        let context = jetstream::ContextBuilder::new()
            .timeout(options.answer_limit)
            .ack_timeout(options.answer_limit)
            .build(client);
        ensure_stream(&context, options).await?;
        Ok(context)
    };
    tokio::time::timeout(limit, opening).await.unwrap_or(Err(Error::NoAnswer { limit }))
}

async fn ensure_stream(context: &Context, options: &Options) -> Result<(), Error> {
    let wanted = all_of(&options.prefix);
    let config = Config {
        name: options.stream.clone(),
        subjects: vec![wanted.clone()],
        duplicate_window: options.duplicate_window,
        storage: StorageType::File,
        ..Config::default()
    };
    let stream = context
        .get_or_create_stream(config)
        .await
        .map_err(|source| Error::NoStream { stream: options.stream.clone(), source })?;
    let other = |seen| Error::OtherStream { stream: options.stream.clone(), seen };
    let found = &stream.cached_info().config;
    if !found.subjects.contains(&wanted) {
        return Err(other("does not hold the subjects of the prefix"));
    }
    // Whole milliseconds: the broker keeps no more of it.
    if found.duplicate_window + Duration::from_millis(1) < options.duplicate_window {
        return Err(other("knows identities again for a shorter time than asked for"));
    }
    if found.no_ack {
        return Err(other("acknowledges nothing"));
    }
    Ok(())
}
