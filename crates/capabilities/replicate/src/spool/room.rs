//! How much a spool may take: its limit, and never what its disk needs for others.

use std::path::Path;

/// A disk is left this much, or a tenth of it where that is less.
const RESERVE_BYTES: u64 = 1_000_000_000;
const RESERVE_SHARE: u64 = 10;

/// Whether so many bytes more may be written. A file system that does not say how full it is counts as one with room:
/// a write that fails is noticed in any case.
pub(super) fn is_there(folder: &Path, used_bytes: u64, more_bytes: u64, limit_bytes: u64) -> bool {
    if used_bytes.saturating_add(more_bytes) > limit_bytes {
        return false;
    }
    let Ok(disk) = nix::sys::statvfs::statvfs(folder) else { return true };
    let bytes = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
    let reserve = RESERVE_BYTES.min(bytes(disk.blocks()) / RESERVE_SHARE);
    bytes(disk.blocks_available()) >= more_bytes.saturating_add(reserve)
}
