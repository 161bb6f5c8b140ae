//! One segment file: its name, and reading it record by record.
//!
//! A reader never reads beyond the end that it is given: what lies behind may be cut off and written anew.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::format::{Chain, Flaw, Header, Record};

/// Bytes read at once; more only for a single larger record.
const CHUNK: u64 = 256 << 10;
const SUFFIX: &str = "segment";

/// The file of a segment.
pub(super) fn path(folder: &Path, sequence: u64) -> PathBuf {
    folder.join(format!("{sequence:012}.{SUFFIX}"))
}

/// The numbers of all segments that there are, in order.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|suffix| suffix == SUFFIX)) {
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Why a segment cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The system says so.
    Io(io::Error),
    /// It is not what was written.
    Flaw(Flaw),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Flaw> for Unreadable {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

/// A record and where it ends.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) record: Record,
    pub(super) end: u64,
    pub(super) chain: Chain,
}

/// An open segment.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: File,
    pub(super) header: Header,
    pub(super) chain: Chain,
    pub(super) offset: u64,
}

impl SegmentReader {
    /// Opens a segment and reads its header.
    pub(super) fn open(path: &Path) -> Result<Self, Unreadable> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        // The header is small; what is read besides is read again.
        let mut start = vec![0; usize::try_from(length.min(CHUNK)).unwrap_or_default()];
        file.read_exact_at(&mut start, 0)?;
        let (header, chain) = Header::decode(&start)?;
        let offset = Header::length(&start)? as u64;
        Ok(Self { file, header, chain, offset })
    }

    /// How long the file is now.
    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// The next records before `end`; none at `end`.
    pub(super) fn read(&mut self, end: u64) -> Result<Vec<Placed>, Unreadable> {
        let left = end.saturating_sub(self.offset);
        let mut wanted = CHUNK.min(left);
        let mut found = Vec::new();
        while wanted > 0 {
            let mut chunk = vec![0; usize::try_from(wanted).unwrap_or_default()];
            self.file.read_exact_at(&mut chunk, self.offset)?;
            let mut bytes = Bytes::from(chunk);
            while let Some(record) = Record::decode(&mut bytes, &mut self.chain)? {
                found.push(Placed { record, end: self.offset + wanted - bytes.len() as u64, chain: self.chain });
            }
            if let Some(last) = found.last() {
                self.offset = last.end;
                break;
            }
            let needed = Record::length(&bytes) as u64;
            if needed > left {
                return Err(Flaw::Torn.into());
            }
            wanted = needed;
        }
        Ok(found)
    }
}
