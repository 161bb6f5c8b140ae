//! Reads pgoutput's messages.

use bytes::Bytes;

use super::message::{
    Begin, Commit, LogicalMessage, Message, OldTuple, Prepared, Relation, RelationColumn, ReplicaIdentity,
    RollbackPrepared, StreamAbort, StreamCommit, Truncate, Tuple, TypeName, Value,
};
use crate::CodecError;
use crate::reader::Reader;

/// Decodes one stream of messages. It remembers whether a streamed block is open, since messages inside one
/// begin with their transaction's id.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The top transaction of the block that is open.
    block: Option<u32>,
    stream_xid: Option<u32>,
}

impl Decoder {
    /// A decoder for a replication connection that has just begun. What a message holds follows from the message
    /// itself in all versions, so no version is needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder for messages that were taken out of streamed blocks of this transaction, without the blocks' own
    /// beginnings and ends.
    #[must_use]
    pub fn inside_block(xid: u32) -> Self {
        Self { block: Some(xid), stream_xid: None }
    }

    /// To which transaction or subtransaction a message belongs that may be kept unread: one inside a streamed block
    /// that neither begins nor ends it. Reads no more than the message's first bytes, and changes nothing; `None` for
    /// all others, and for what is too short to be one.
    #[must_use]
    pub fn peek_streamed(&self, payload: &[u8]) -> Option<u32> {
        let block = self.block?;
        match *payload {
            [b'R' | b'Y' | b'I' | b'U' | b'D' | b'T' | b'M', a, b, c, d, ..] => Some(u32::from_be_bytes([a, b, c, d])),
            // The only one without an id of its own; it is about the whole transaction.
            [b'O', ..] => Some(block),
            _ => None,
        }
    }

    /// The transaction id written before the last message; `None` where that was not inside a streamed block.
    /// It may be a subtransaction's, which [`StreamAbort`] can roll back alone.
    #[must_use]
    pub fn stream_xid(&self) -> Option<u32> {
        self.stream_xid
    }

    /// Reads one message.
    ///
    /// # Errors
    /// When the bytes are not a message of protocol 1 to 4.
    pub fn decode(&mut self, payload: Bytes) -> Result<Message, CodecError> {
        let mut reader = Reader::new("pgoutput", payload);
        let tag = reader.u8("type")?;
        self.stream_xid = match tag {
            b'R' | b'Y' | b'I' | b'U' | b'D' | b'T' | b'M' if self.block.is_some() => {
                Some(reader.u32("transaction id")?)
            }
            _ => None,
        };
        let message = match tag {
            b'I' => insert(&mut reader)?,
            b'U' => update(&mut reader)?,
            b'D' => delete(&mut reader)?,
            b'B' => Message::Begin(begin(&mut reader)?),
            b'C' => Message::Commit(commit(&mut reader)?),
            b'R' => Message::Relation(relation(&mut reader)?),
            b'T' => Message::Truncate(truncate(&mut reader)?),
            b'M' => Message::Logical(logical_message(&mut reader)?),
            b'O' => Message::Origin { commit_lsn: reader.lsn("commit position")?, name: reader.text("origin name")? },
            b'Y' => Message::Type(TypeName {
                id: reader.u32("type id")?,
                schema: schema(&mut reader)?,
                name: reader.text("type name")?,
            }),
            _ => rare(tag, &mut reader)?,
        };
        reader.finish()?;
        match message {
            Message::StreamStart { xid, .. } => self.block = Some(xid),
            Message::StreamStop => self.block = None,
            _ => {}
        }
        Ok(message)
    }
}

/// Messages of streamed and of prepared transactions.
fn rare(tag: u8, reader: &mut Reader) -> Result<Message, CodecError> {
    Ok(match tag {
        b'S' => Message::StreamStart {
            xid: reader.u32("transaction id")?,
            is_first_segment: reader.u8("first segment flag")? != 0,
        },
        b'E' => Message::StreamStop,
        b'c' => {
            let xid = reader.u32("transaction id")?;
            Message::StreamCommit(StreamCommit { xid, commit: commit(reader)? })
        }
        b'A' => Message::StreamAbort(stream_abort(reader)?),
        b'b' => Message::BeginPrepare(prepared(reader)?),
        b'P' => Message::Prepare(flagged(reader)?),
        b'K' => Message::CommitPrepared(flagged(reader)?),
        b'p' => Message::StreamPrepare(flagged(reader)?),
        b'r' => {
            reader.u8("flags")?;
            Message::RollbackPrepared(RollbackPrepared {
                prepare_end_lsn: reader.lsn("prepare's end position")?,
                rollback_end_lsn: reader.lsn("rollback's end position")?,
                prepare_time_micros: reader.i64("prepare time")?,
                rollback_time_micros: reader.i64("rollback time")?,
                xid: reader.u32("transaction id")?,
                gid: reader.text("transaction name")?,
            })
        }
        tag => {
            return Err(CodecError::UnknownTag { context: "pgoutput", tag });
        }
    })
}

fn begin(reader: &mut Reader) -> Result<Begin, CodecError> {
    Ok(Begin {
        final_lsn: reader.lsn("commit position")?,
        commit_time_micros: reader.i64("commit time")?,
        xid: reader.u32("transaction id")?,
    })
}

fn commit(reader: &mut Reader) -> Result<Commit, CodecError> {
    reader.u8("flags")?;
    Ok(Commit {
        commit_lsn: reader.lsn("commit position")?,
        end_lsn: reader.lsn("end position")?,
        commit_time_micros: reader.i64("commit time")?,
    })
}

fn prepared(reader: &mut Reader) -> Result<Prepared, CodecError> {
    Ok(Prepared {
        lsn: reader.lsn("position")?,
        end_lsn: reader.lsn("end position")?,
        time_micros: reader.i64("time")?,
        xid: reader.u32("transaction id")?,
        gid: reader.text("transaction name")?,
    })
}

fn flagged(reader: &mut Reader) -> Result<Prepared, CodecError> {
    reader.u8("flags")?;
    prepared(reader)
}

fn stream_abort(reader: &mut Reader) -> Result<StreamAbort, CodecError> {
    let (xid, subtransaction_xid) = (reader.u32("transaction id")?, reader.u32("subtransaction id")?);
    // Only `streaming = parallel` sends position and time.
    let (abort_lsn, abort_time_micros) = match reader.remaining() {
        0 => (None, None),
        _ => (Some(reader.lsn("abort position")?), Some(reader.i64("abort time")?)),
    };
    Ok(StreamAbort { xid, subtransaction_xid, abort_lsn, abort_time_micros })
}

fn relation(reader: &mut Reader) -> Result<Relation, CodecError> {
    let id = reader.u32("relation id")?;
    let schema = schema(reader)?;
    let name = reader.text("relation name")?;
    let replica_identity = match reader.u8("replica identity")? {
        b'd' => ReplicaIdentity::Default,
        b'n' => ReplicaIdentity::Nothing,
        b'f' => ReplicaIdentity::Full,
        b'i' => ReplicaIdentity::Index,
        _ => return Err(reader.invalid("replica identity")),
    };
    let count = reader.u16("column count")?;
    let mut columns = Vec::with_capacity(usize::from(count).min(reader.remaining()));
    for _ in 0..count {
        columns.push(RelationColumn {
            is_key: reader.u8("column flags")? & 1 != 0,
            name: reader.text("column name")?,
            type_oid: reader.u32("column type")?,
            type_modifier: reader.i32("column type modifier")?,
        });
    }
    Ok(Relation { id, schema, name, replica_identity, columns })
}

/// A schema's name; the protocol sends nothing for `pg_catalog`.
fn schema(reader: &mut Reader) -> Result<String, CodecError> {
    let name = reader.text("schema")?;
    Ok(if name.is_empty() { "pg_catalog".to_owned() } else { name })
}

fn insert(reader: &mut Reader) -> Result<Message, CodecError> {
    let relation_id = reader.u32("relation id")?;
    match reader.u8("tuple type")? {
        b'N' => Ok(Message::Insert { relation_id, new: tuple(reader)? }),
        _ => Err(reader.invalid("tuple type")),
    }
}

fn update(reader: &mut Reader) -> Result<Message, CodecError> {
    let relation_id = reader.u32("relation id")?;
    let mut old = None;
    let mut kind = reader.u8("tuple type")?;
    if kind != b'N' {
        old = Some(old_tuple(kind, reader)?);
        kind = reader.u8("tuple type")?;
    }
    match kind {
        b'N' => Ok(Message::Update { relation_id, old, new: tuple(reader)? }),
        _ => Err(reader.invalid("tuple type")),
    }
}

fn delete(reader: &mut Reader) -> Result<Message, CodecError> {
    let relation_id = reader.u32("relation id")?;
    let kind = reader.u8("tuple type")?;
    Ok(Message::Delete { relation_id, old: old_tuple(kind, reader)? })
}

fn old_tuple(kind: u8, reader: &mut Reader) -> Result<OldTuple, CodecError> {
    match kind {
        b'K' => tuple(reader).map(OldTuple::Key),
        b'O' => tuple(reader).map(OldTuple::Full),
        _ => Err(reader.invalid("tuple type")),
    }
}

fn tuple(reader: &mut Reader) -> Result<Tuple, CodecError> {
    let count = reader.u16("value count")?;
    let mut values = Vec::with_capacity(usize::from(count).min(reader.remaining()));
    for _ in 0..count {
        values.push(match reader.u8("value type")? {
            b't' => Value::Text(reader.counted("value")?),
            b'n' => Value::Null,
            b'u' => Value::UnchangedToast,
            b'b' => Value::Binary(reader.counted("value")?),
            _ => return Err(reader.invalid("value type")),
        });
    }
    Ok(Tuple { values })
}

fn truncate(reader: &mut Reader) -> Result<Truncate, CodecError> {
    let count = reader.u32("relation count")?;
    let options = reader.u8("options")?;
    let most = reader.remaining() / size_of::<u32>();
    let mut relation_ids = Vec::with_capacity(usize::try_from(count).unwrap_or(usize::MAX).min(most));
    for _ in 0..count {
        relation_ids.push(reader.u32("relation id")?);
    }
    Ok(Truncate { relation_ids, cascade: options & 1 != 0, restart_identity: options & 2 != 0 })
}

fn logical_message(reader: &mut Reader) -> Result<LogicalMessage, CodecError> {
    Ok(LogicalMessage {
        transactional: reader.u8("flags")? & 1 != 0,
        lsn: reader.lsn("position")?,
        prefix: reader.text("prefix")?,
        content: reader.counted("content")?,
    })
}
