//! stub
#![allow(missing_docs, clippy::todo, unused)]
use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use bytes::Bytes;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct WireError;
impl WireError {
    pub fn is_transient(&self) -> bool {
        todo!()
    }
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
    pub fn sqlstate(&self) -> Option<&str> {
        None
    }
}
#[derive(Clone, Debug)]
pub struct WireOptions {
    pub application_name: String,
    pub replication: bool,
    pub settings: Vec<(String, String)>,
}
pub struct SimpleResult {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
    pub affected: u64,
}
pub struct WireConnection;
pub struct CopyTotals {
    pub rows: u64,
    pub bytes: u64,
}
impl WireConnection {
    pub async fn connect(url: &ConnectionUrl, o: &WireOptions) -> Result<Self, WireError> {
        todo!()
    }
    pub async fn simple_query(&mut self, sql: &str) -> Result<Vec<SimpleResult>, WireError> {
        todo!()
    }
    pub async fn start_replication(
        self,
        slot: &str,
        start: Lsn,
        options: &[(String, String)],
    ) -> Result<ReplicationStream, WireError> {
        todo!()
    }
}
pub async fn pipe_copy(
    s: &mut WireConnection,
    a: &str,
    t: &mut WireConnection,
    b: &str,
    f: impl FnMut(u64),
) -> Result<CopyTotals, WireError> {
    todo!()
}
pub struct ReplicationStream;
impl ReplicationStream {
    pub async fn next(&mut self) -> Result<ReplicationEvent, WireError> {
        todo!()
    }
    pub fn has_complete_message(&self) -> bool {
        todo!()
    }
    pub fn try_next(&mut self) -> Result<Option<ReplicationEvent>, WireError> {
        todo!()
    }
    pub async fn send_status(&mut self, f: Lsn, r: bool) -> Result<(), WireError> {
        todo!()
    }
    pub async fn finish(self) {}
}
pub enum ReplicationEvent {
    Data { wal_start: Lsn, wal_end: Lsn, payload: Bytes },
    Keepalive { wal_end: Lsn, reply_requested: bool },
}
