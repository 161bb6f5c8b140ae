//! The list of dropped keys in the folder: each export adds a file with those that are new, one id a line.

use std::path::Path;

use uuid::Uuid;

use super::{files, once, read_text};
use crate::checkpoint::CheckpointError;
use crate::erase::KeyId;

const EXTENSION: &str = "dropped-keys";
/// The most of one file, which then stays under the most bytes that are read.
const KEYS_MAX: usize = 20_000;

/// Adds what stands behind the first `exported` keys.
pub(super) fn write(folder: &Path, exported: usize, dropped: &[KeyId]) -> Result<(), CheckpointError> {
    let mut first = exported;
    for keys in dropped.get(exported..).unwrap_or_default().chunks(KEYS_MAX) {
        let last = first + keys.len();
        let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
        once::write(folder, &format!("{:010}-{last:010}.{EXTENSION}", first + 1), &text)?;
        first = last;
    }
    Ok(())
}

/// The whole list.
pub(super) fn read(folder: &Path) -> Result<Vec<KeyId>, CheckpointError> {
    let mut keys: Vec<KeyId> = Vec::new();
    for file in files(folder, EXTENSION)? {
        let refuse = |seen| CheckpointError::Folder { path: file.clone(), seen };
        let (first, last) = numbers(&file).ok_or_else(|| refuse("its name is not `FIRST-LAST.dropped-keys`"))?;
        let read: Option<Vec<KeyId>> =
            read_text(&file)?.lines().map(|line| Uuid::try_parse(line).ok().map(KeyId::from_uuid)).collect();
        let read = read.ok_or_else(|| refuse("a line is not the id of a key"))?;
        if first > keys.len() || first + read.len() != last {
            return Err(refuse("keys are missing in it or before it"));
        }
        // An export that was interrupted is followed by one with the same keys and more.
        for (number, key) in read.into_iter().enumerate().map(|(number, key)| (first + number, key)) {
            match keys.get(number) {
                Some(known) if *known != key => return Err(refuse("it contradicts another file")),
                Some(_) => {}
                None => keys.push(key),
            }
        }
    }
    Ok(keys)
}

/// How many keys stand before a file, and how many up to its end.
fn numbers(file: &Path) -> Option<(usize, usize)> {
    let (first, last) = file.file_stem()?.to_str()?.split_once('-')?;
    Some((first.parse::<usize>().ok()?.checked_sub(1)?, last.parse().ok()?))
}
