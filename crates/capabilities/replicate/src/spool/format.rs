//! The bytes of a segment: a header, then records, each with a checksum that also covers all before it.
//!
//! The checksum is chained, so that a record that was lost, doubled or exchanged shows as well as one that was changed.
//! All numbers are big-endian:
//!
//! ```text
//! header   "ATLSPOOL", version (2 bytes), length (4), JSON of that length, CRC-32C of all of this (4)
//! record   length of what follows the checksum (4), CRC-32C of the one before, continued over the length and what
//!          follows the checksum (4), kind (1), body
//! ```

use atalaya_data::Lsn;
use bytes::{Buf, Bytes};
use crc32c::{crc32c, crc32c_append};

use crate::Error;

const MAGIC: &[u8; 8] = b"ATLSPOOL";
const VERSION: u16 = 1;
/// Before the JSON.
const HEADER_START: usize = 8 + 2 + 4;
/// Nothing of ours comes near it.
const HEADER_LIMIT: usize = 64 << 10;
/// Length and checksum.
const RECORD_START: usize = 8;

const MESSAGE: u8 = 1;
const IDLE: u8 = 2;
const KNOWN: u8 = 3;

/// What a segment belongs to. All segments of one spool say the same.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Identity {
    /// The spool's own random name.
    pub(super) spool: String,
    pub(super) migration: String,
    pub(super) slot: String,
    pub(super) system_identifier: i64,
    pub(super) timeline: i32,
}

/// The first bytes of a segment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    #[serde(flatten)]
    pub(super) identity: Identity,
    /// Segments are numbered without a gap.
    pub(super) sequence: u64,
    /// Every transaction before this position is in an earlier segment.
    pub(super) start: Lsn,
}

/// Why bytes are no segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They end too early.
    Torn,
    /// They are not what was written.
    Damaged,
    /// A later version of this program wrote them.
    Version,
}

/// The checksum so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain(u32);

impl Header {
    /// The header's bytes, and the chain that its records begin with.
    pub(super) fn encode(&self) -> Result<(Vec<u8>, Chain), Error> {
        const UNWRITABLE: Error = Error::Broken("a spool's header cannot be written");
        let json = serde_json::to_vec(self).map_err(|_| UNWRITABLE)?;
        let length = u32::try_from(json.len()).map_err(|_| UNWRITABLE)?;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&json);
        let checksum = crc32c(&out);
        out.extend_from_slice(&checksum.to_be_bytes());
        Ok((out, Chain(checksum)))
    }

    /// How many bytes a header takes, told by its first ones.
    pub(super) fn length(start: &[u8]) -> Result<usize, Flaw> {
        let mut bytes = start.get(..HEADER_START).ok_or(Flaw::Torn)?;
        if !bytes.starts_with(MAGIC) {
            return Err(Flaw::Damaged);
        }
        bytes.advance(MAGIC.len());
        match bytes.get_u16() {
            VERSION => {}
            0 => return Err(Flaw::Damaged),
            _ => return Err(Flaw::Version),
        }
        let length = usize::try_from(bytes.get_u32()).unwrap_or(usize::MAX);
        if length > HEADER_LIMIT { Err(Flaw::Damaged) } else { Ok(HEADER_START + length + 4) }
    }

    /// Reads a header of exactly [`Self::length`] bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, Chain), Flaw> {
        let length = Self::length(bytes)?;
        let (covered, mut checksum) = bytes.get(..length).ok_or(Flaw::Torn)?.split_at(length - 4);
        let checksum = checksum.get_u32();
        if crc32c(covered) != checksum {
            return Err(Flaw::Damaged);
        }
        let json = covered.get(HEADER_START..).unwrap_or_default();
        Ok((serde_json::from_slice(json).map_err(|_| Flaw::Damaged)?, Chain(checksum)))
    }
}

/// One thing that the source sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Output of the decoding plugin.
    Message(Bytes),
    /// The source has sent everything before this position.
    Idle(Lsn),
    /// The shape of a relation that an earlier segment holds, too: for a reader that begins here.
    Known(Bytes),
}

impl Record {
    /// Appends the record's bytes.
    pub(super) fn encode(&self, chain: &mut Chain, out: &mut Vec<u8>) -> Result<(), Error> {
        let position;
        let (kind, body): (u8, &[u8]) = match self {
            Self::Message(payload) => (MESSAGE, payload),
            Self::Known(payload) => (KNOWN, payload),
            Self::Idle(lsn) => {
                position = lsn.0.to_be_bytes();
                (IDLE, &position)
            }
        };
        let length = u32::try_from(body.len() + 1)
            .map_err(|_| Error::Broken("a message of the source is too large for the spool"))?
            .to_be_bytes();
        chain.0 = crc32c_append(crc32c_append(crc32c_append(chain.0, &length), &[kind]), body);
        out.extend_from_slice(&length);
        out.extend_from_slice(&chain.0.to_be_bytes());
        out.push(kind);
        out.extend_from_slice(body);
        Ok(())
    }

    /// How many bytes the next record takes, as its first ones say; as many as are needed to tell, where they are few.
    pub(super) fn length(bytes: &[u8]) -> usize {
        match bytes.get(..RECORD_START) {
            Some(mut start) => RECORD_START.saturating_add(usize::try_from(start.get_u32()).unwrap_or(usize::MAX)),
            None => RECORD_START,
        }
    }

    /// Takes the next record from the front of `bytes`; none when it is not there as a whole.
    pub(super) fn decode(bytes: &mut Bytes, chain: &mut Chain) -> Result<Option<Self>, Flaw> {
        let length = Self::length(bytes);
        if bytes.len() < length {
            return Ok(None);
        }
        let mut record = bytes.slice(..length);
        let covered = crc32c_append(chain.0, record.get(..4).unwrap_or_default());
        let covered = crc32c_append(covered, record.get(RECORD_START..).unwrap_or_default());
        record.advance(4);
        if record.get_u32() != covered || record.is_empty() {
            return Err(Flaw::Damaged);
        }
        let found = match record.get_u8() {
            MESSAGE => Self::Message(record),
            KNOWN => Self::Known(record),
            IDLE if record.len() == 8 => Self::Idle(Lsn(record.get_u64())),
            _ => return Err(Flaw::Damaged),
        };
        chain.0 = covered;
        bytes.advance(length);
        Ok(Some(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let identity = Identity {
            spool: "5f".to_owned(),
            migration: "shop".to_owned(),
            slot: "s".to_owned(),
            system_identifier: 7,
            timeline: 1,
        };
        Header { identity, sequence: 3, start: Lsn(0x16_0000_0001) }
    }

    fn records() -> [Record; 3] {
        [Record::Known(Bytes::from_static(b"Rel")), Record::Message(Bytes::from_static(b"B")), Record::Idle(Lsn(9))]
    }

    fn segment() -> Vec<u8> {
        let (mut out, mut chain) = header().encode().unwrap();
        for record in records() {
            record.encode(&mut chain, &mut out).unwrap();
        }
        out
    }

    fn read(segment: &[u8]) -> Result<(Header, Vec<Record>), Flaw> {
        let length = Header::length(segment)?;
        let (header, mut chain) = Header::decode(segment)?;
        let mut bytes = Bytes::copy_from_slice(&segment[length..]);
        let mut found = Vec::new();
        while let Some(record) = Record::decode(&mut bytes, &mut chain)? {
            found.push(record);
        }
        if bytes.is_empty() { Ok((header, found)) } else { Err(Flaw::Torn) }
    }

    #[test]
    fn the_bytes_of_version_1_stay_what_they_are() {
        let json = br#"{"spool":"5f","migration":"shop","slot":"s","system_identifier":7,"timeline":1,"sequence":3,"start":"16/1"}"#;
        let mut golden = b"ATLSPOOL\x00\x01\x00\x00\x00".to_vec();
        golden.push(u8::try_from(json.len()).unwrap());
        golden.extend_from_slice(json);
        let segment = segment();
        assert_eq!(&segment[..golden.len()], golden);
        let records = &segment[golden.len() + 4..];
        assert_eq!((&records[..4], &records[8..12]), (&b"\x00\x00\x00\x04"[..], &b"\x03Rel"[..]));
        assert_eq!((&records[12..16], &records[20..22]), (&b"\x00\x00\x00\x02"[..], &b"\x01B"[..]));
        assert_eq!(&records[30..], b"\x02\x00\x00\x00\x00\x00\x00\x00\x09");
        // Checked against another implementation of CRC-32C.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read(&segment()).unwrap(), (header(), records().to_vec()));
    }

    #[test]
    fn no_bit_can_be_turned_and_nothing_cut_unseen() {
        let whole = segment();
        for bit in 0..whole.len() * 8 {
            let mut turned = whole.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&turned).is_err(), "bit {bit}");
        }
        let first = Header::length(&whole).unwrap();
        // A segment may end after any record: how far it has to reach is said elsewhere.
        let ends = [first, first + 12, first + 22];
        for length in (0..whole.len()).filter(|length| !ends.contains(length)) {
            assert_eq!(read(&whole[..length]).unwrap_err(), Flaw::Torn, "{length}");
        }
    }

    #[test]
    fn a_record_that_is_missing_or_twice_there_is_seen() {
        let whole = segment();
        let first = Header::length(&whole).unwrap();
        let without = [&whole[..first], &whole[first + 12..]].concat();
        let doubled = [&whole[..first + 12], &whole[first..]].concat();
        assert_eq!(read(&without).unwrap_err(), Flaw::Damaged);
        assert_eq!(read(&doubled).unwrap_err(), Flaw::Damaged);
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut later = segment();
        later[9] = 2;
        assert_eq!(read(&later).unwrap_err(), Flaw::Version);
    }
}
