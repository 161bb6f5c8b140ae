//! Opening a session on a server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use atalaya_estate::ConnectionUrl;
use atalaya_pgwire::TransactionStatus;
use atalaya_postgres::wire::{ClientEncoding, WireConnection, WireError, WireOptions};

use super::{Cancellable, CopyIn, Server, ServerNames};
use crate::io::Outbox;
use crate::settings::Settings;

/// Logs in as the URL says. No setting is sent, so that the session starts as the server would start a client's
/// that asks for none.
///
/// # Errors
/// See [`WireError`]; the URL's `connect_timeout` is the limit.
pub(crate) async fn connect(
    url: &ConnectionUrl,
    place_epoch: u64,
    prepared_max: usize,
) -> Result<Box<Server>, WireError> {
    let options = WireOptions { encoding: ClientEncoding::OfServer, ..WireOptions::default() };
    let parts = WireConnection::connect(url, &options).await?.into_parts()?;
    let now = Instant::now();
    Ok(Box::new(Server {
        stream: parts.stream,
        outbox: Outbox::default(),
        carry: parts.unread.to_vec(),
        body_left: 0,
        expected: VecDeque::new(),
        skips_to_sync: false,
        copy_in: CopyIn::None,
        status: TransactionStatus::Idle,
        label: Arc::new(Settings::default()),
        reported: parts.parameters,
        names: ServerNames::new(prepared_max),
        unnamed: 0,
        own_named: Vec::new(),
        to_close: Vec::new(),
        is_spoilt: false,
        last_client: 0,
        opened_at: now,
        idle_since: now,
        place_epoch,
        cancel: Arc::new(Cancellable::new(parts.cancel)),
    }))
}
