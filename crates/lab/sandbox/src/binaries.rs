//! Where the pinned servers are: found in the cache that `scripts/setup.sh` fills, never fetched from here.

use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::Error;

const PINNED: &str = include_str!("../servers.txt");
/// Root's cache, and a fallback for everyone: it is readable by all.
const SYSTEM_CACHE: &str = "/var/cache/atalaya";
const STAMP: &str = ".pinned";

/// A server that is in the cache, ready to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailableServer {
    /// Its major version.
    pub major: u16,
    /// Its full version, as in `18.6`.
    pub version: String,
}

/// The unpacked programs of one version.
#[derive(Clone, Debug)]
pub(crate) struct Binaries {
    /// The full version, as in `18.6`.
    pub(crate) version: String,
    /// The folder of programs.
    pub(crate) programs: PathBuf,
    /// The folder of its shared libraries. Some modules (`dblink`, the WAL receiver) carry a search path of the machine
    /// they were made on and would load the system's libpq, or none, so a server gets this in its environment.
    pub(crate) libraries: PathBuf,
}

struct Pin {
    major: u16,
    version: &'static str,
    stamp: String,
}

fn pins() -> impl Iterator<Item = Pin> {
    PINNED.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut words = line.split_whitespace();
        let major = words.next()?.parse().ok()?;
        let version = words.next()?;
        let sha256 = words.nth(2)?;
        Some(Pin { major, version, stamp: format!("{version} {sha256}") })
    })
}

/// The NATS server, which Debian's package brings.
pub(crate) fn nats_server() -> Result<PathBuf, Error> {
    let own = own_cache()?;
    for cache in [own.as_path(), Path::new(SYSTEM_CACHE)] {
        let program = cache.join("servers").join("nats").join("bin").join("nats-server");
        if program.exists() {
            return Ok(program);
        }
    }
    Err(Error::NatsMissing { folder: own.join("servers") })
}

/// The folder that `make setup` fills: root's is the system's, since root's home is closed to the servers' account.
///
/// # Errors
/// When the environment names no home.
pub fn cache_folder() -> Result<PathBuf, Error> {
    own_cache()
}

/// The cache this caller may write to.
pub(crate) fn own_cache() -> Result<PathBuf, Error> {
    if geteuid().is_root() {
        return Ok(SYSTEM_CACHE.into());
    }
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("atalaya"))
        .ok_or(Error::NoCacheFolder)
}

/// The programs of a major version.
pub(crate) fn find(major: u16) -> Result<Binaries, Error> {
    let pin = pins().find(|pin| pin.major == major).ok_or_else(|| Error::UnknownVersion {
        major,
        known: pins().map(|pin| pin.major.to_string()).collect::<Vec<_>>().join(", "),
    })?;
    let own = own_cache()?;
    for cache in [own.as_path(), Path::new(SYSTEM_CACHE)] {
        let folder = cache.join("servers").join(major.to_string());
        // Another stamp is another version: tests must never run against a server that is not the pinned one.
        if std::fs::read_to_string(folder.join(STAMP)).is_ok_and(|stamp| stamp.trim_end() == pin.stamp) {
            return Ok(Binaries {
                version: pin.version.into(),
                programs: folder.join("bin"),
                libraries: folder.join("lib"),
            });
        }
    }
    Err(Error::ServerMissing { major, folder: own.join("servers") })
}

/// The servers in the cache, lowest version first.
#[must_use]
pub fn available() -> Vec<AvailableServer> {
    pins()
        .filter_map(|pin| {
            find(pin.major).ok().map(|found| AvailableServer { major: pin.major, version: found.version })
        })
        .collect()
}

/// The folder with `pg_dump`, `pg_restore`, `psql`, `pgbench` and `pg_recvlogical` of exactly this major version.
///
/// # Errors
/// When the version is not pinned, not in the cache, or comes without these tools, as 13 does.
pub fn client_tools(major: u16) -> Result<PathBuf, Error> {
    let programs = find(major)?.programs;
    if programs.join("psql").exists() { Ok(programs) } else { Err(Error::NoClientTools { major }) }
}

/// The highest `psql` in the cache: it speaks to every server, 13 included, which has none of its own.
pub(crate) fn psql() -> Result<PathBuf, Error> {
    let highest = pins().map(|pin| pin.major).max().unwrap_or_default();
    for major in available().into_iter().rev().map(|server| server.major) {
        if let Ok(tools) = client_tools(major) {
            return Ok(tools.join("psql"));
        }
    }
    client_tools(highest).map(|tools| tools.join("psql"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_file_names_every_version_once_with_a_sum() {
        let majors: Vec<_> = pins().map(|pin| pin.major).collect();
        assert_eq!(majors, [13, 14, 15, 16, 17, 18]);
        assert!(pins().all(|pin| { pin.stamp.split(' ').nth(1).is_some_and(|sum| sum.len() == 64) }));
    }

    #[test]
    fn an_unknown_version_is_refused_with_those_there_are() {
        assert_eq!(find(9).unwrap_err().to_string(), "no Postgres 9 is known here, only 13, 14, 15, 16, 17, 18");
    }
}
