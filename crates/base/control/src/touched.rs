//! Notes of changed keys, as the rows of `atalaya.touched` hold them.
//!
//! Whoever writes rows of a table that has been proven notes the keys in the same transaction; whoever proves again
//! reads them. One note is a block: a version byte, the number of key columns (2 bytes), their names, then the keys.
//! A name or value is its length (4 bytes, big endian) and its bytes, UTF-8 as the source's output functions write
//! them. NULL has no form here: a key that holds one is not known by its columns, and its table is noted as a whole.

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 3;

/// Adds one name or value; false when it is too long to be noted.
fn put(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let Ok(length) = u32::try_from(bytes.len()) else { return false };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    true
}

/// Splits the first name or value off.
fn take(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (text, rest) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// Writes a key as it stands in a block; false when a value is NULL, no UTF-8 or too long.
#[must_use]
pub fn write_key<'a>(out: &mut Vec<u8>, values: impl Iterator<Item = Option<&'a [u8]>>) -> bool {
    out.clear();
    for value in values {
        match value {
            Some(value) if std::str::from_utf8(value).is_ok() && put(out, value) => {}
            _ => return false,
        }
    }
    true
}

/// A key's values; none when these bytes are no key.
#[must_use]
pub fn read_key(mut key: &[u8]) -> Option<Vec<&str>> {
    let mut values = Vec::new();
    while !key.is_empty() {
        let (value, rest) = take(key)?;
        values.push(value);
        key = rest;
    }
    Some(values)
}

/// A block that is being filled.
#[derive(Clone, Default)]
pub struct KeyBlock {
    bytes: Vec<u8>,
    keys: u64,
}

impl KeyBlock {
    /// An empty block of keys with these columns; none when there are more or longer names than a table has.
    #[must_use]
    pub fn new<'a>(columns: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut bytes = vec![VERSION, 0, 0];
        let mut count = 0_u16;
        for column in columns {
            count = count.checked_add(1)?;
            if !put(&mut bytes, column.as_bytes()) {
                return None;
            }
        }
        if let Some(place) = bytes.get_mut(1..HEADER_BYTES) {
            place.copy_from_slice(&count.to_be_bytes());
        }
        Some(Self { bytes, keys: 0 })
    }

    /// Adds a key that [`write_key`] wrote.
    pub fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.keys += 1;
    }

    /// How many keys it holds.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// The block as it is stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

// Keys are values of rows.
impl std::fmt::Debug for KeyBlock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyBlock").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// What a stored block says.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKeys<'a> {
    /// Names of the key's columns.
    pub columns: Vec<&'a str>,
    /// Each key as [`read_key`] takes it.
    pub keys: Vec<&'a [u8]>,
}

/// Reads a block; none when it is not whole or of a version that is not known: its table is then to be proven as a whole.
#[must_use]
pub fn read_block(block: &[u8]) -> Option<StoredKeys<'_>> {
    let ([version, high, low], mut rest) = block.split_first_chunk::<HEADER_BYTES>()?;
    let width = u16::from_be_bytes([*high, *low]);
    if *version != VERSION || width == 0 {
        return None;
    }
    let mut columns = Vec::new();
    for _ in 0..width {
        let (name, after) = take(rest)?;
        columns.push(name);
        rest = after;
    }
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let begin = rest;
        for _ in 0..width {
            (_, rest) = take(rest)?;
        }
        keys.push(begin.get(..begin.len() - rest.len())?);
    }
    Some(StoredKeys { columns, keys })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> KeyBlock {
        let mut block = KeyBlock::new(["id", "b"].into_iter()).unwrap();
        let mut key = Vec::new();
        for values in [["7", "x"], ["", "é"]] {
            assert!(write_key(&mut key, values.iter().map(|value| Some(value.as_bytes()))));
            block.push(&key);
        }
        block
    }

    #[test]
    fn a_block_is_stored_in_these_bytes() {
        let golden = b"\x01\x00\x02\0\0\0\x02id\0\0\0\x01b\0\0\0\x017\0\0\0\x01x\0\0\0\0\0\0\0\x02\xc3\xa9";
        assert_eq!(block().bytes(), golden);
        assert_eq!(block().keys(), 2);
    }

    #[test]
    fn a_block_is_read_back() {
        let block = block();
        let stored = read_block(block.bytes()).unwrap();
        assert_eq!(stored.columns, ["id", "b"]);
        let keys: Vec<Vec<&str>> = stored.keys.iter().map(|key| read_key(key).unwrap()).collect();
        assert_eq!(keys, [["7", "x"], ["", "é"]]);
    }

    #[test]
    fn null_and_what_is_no_text_cannot_be_noted() {
        let mut key = Vec::new();
        assert!(!write_key(&mut key, [Some(b"1".as_slice()), None].into_iter()));
        assert!(!write_key(&mut key, [Some(b"\xff".as_slice())].into_iter()));
    }

    #[test]
    fn no_cut_or_changed_block_is_taken_for_another() {
        let block = block();
        let bytes = block.bytes();
        for length in 0..bytes.len() {
            if let Some(stored) = read_block(&bytes[..length]) {
                assert!(stored.keys.len() < 2, "{length}");
            }
            let mut changed = bytes.to_vec();
            changed[length] ^= 0xff;
            // It may read as other keys, but never panics.
            let _any = read_block(&changed);
        }
        assert!(read_block(b"\x02\x00\x01\0\0\0\x01a").is_none());
        assert!(read_block(b"\x01\x00\x00").is_none());
    }
}
