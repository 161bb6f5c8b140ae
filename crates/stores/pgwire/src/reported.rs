//! The settings that a server reports. It may do so at any time and as often as it likes, so what is kept has a bound.

use std::collections::BTreeMap;

use crate::CodecError;

/// No server reports as many; Postgres 18 has 15, and extensions add a few.
pub const REPORTED_MAX: usize = 256;

/// All names and values together. A client chooses some of the values, `search_path` for one.
pub const REPORTED_BYTES_MAX: usize = 4 << 20;

/// Keeps the value of a setting in the place of its former one.
///
/// # Errors
/// When they become more, or larger, than is kept. Nothing has changed then.
pub fn note_reported(reported: &mut BTreeMap<String, String>, name: String, value: String) -> Result<(), CodecError> {
    let others = reported.iter().filter(|(known, _)| **known != name);
    let (count, bytes) = others.fold((1, name.len() + value.len()), |(count, bytes), (name, value)| {
        (count + 1, bytes + name.len() + value.len())
    });
    if count > REPORTED_MAX || bytes > REPORTED_BYTES_MAX {
        return Err(CodecError::Invalid { message: "parameter status", field: "number or size of settings" });
    }
    reported.insert(name, value);
    Ok(())
}
