//! Whether a server can serve as a place to read a primary's rows from; asked before anything is made on either.

use atalaya_data::quote_identifier;

use super::{StandbyState, read_standby};
use crate::catalog::read_identity;
use crate::{Error, Session};

/// The first version that makes logical slots on standbys.
const STANDBYS_FROM: u32 = 16;

/// What keeps a server from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It cannot make a logical slot at all.
    #[error("the standby is PostgreSQL {0}; standbys make logical slots from {from} on", from = STANDBYS_FROM)]
    Version(u32),
    /// It takes writes of its own.
    #[error("the server that rows shall be read from is no standby, or was promoted")]
    NotInRecovery,
    /// Another system, or another database of it.
    #[error("it is the standby of another server, or the URL names another database")]
    Foreign,
    /// It follows what its primary has left.
    #[error("the standby follows timeline {standby}, the source is on {primary}")]
    Timeline {
        /// What it receives.
        standby: i32,
        /// What the primary writes.
        primary: i32,
    },
    /// It is not set up for slots of its own.
    #[error("wal_level of the standby is `{0}`, and it makes no logical slot")]
    WalLevel(String),
    /// The role that logged in there lacks the right.
    #[error("the role `{0}` may not make a slot on the standby")]
    Role(String),
}

impl Unfit {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Version(_) => "standby-version",
            Self::NotInRecovery => "standby-not-in-recovery",
            Self::Foreign => "standby-foreign",
            Self::Timeline { .. } => "standby-timeline",
            Self::WalLevel(_) => "standby-wal-level",
            Self::Role(_) => "standby-role",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Version(_) => "read from the source itself, without `--snapshot-from`".to_owned(),
            Self::NotInRecovery | Self::Timeline { .. } => {
                "name another standby with `--snapshot-from`, or read from the source itself without it".to_owned()
            }
            Self::Foreign => "check the URL of `--snapshot-from`".to_owned(),
            Self::WalLevel(_) => {
                "ALTER SYSTEM SET wal_level = 'logical'; -- on the standby, then restart it".to_owned()
            }
            Self::Role(role) => {
                let role = quote_identifier(role);
                format!("ALTER ROLE {role} REPLICATION; -- on the source; on RDS: GRANT rds_replication TO {role};")
            }
        }
    }
}

/// What a server is as a standby of `primary`, and all that keeps rows from being read there.
///
/// # Errors
/// Either server's.
pub async fn judge(standby: &Session, primary: &Session) -> Result<(StandbyState, Vec<Unfit>), Error> {
    let state = read_standby(standby).await?;
    let (here, there) = (read_identity(standby).await?, read_identity(primary).await?);
    let same = (here.system_identifier, &here.database, here.database_oid)
        == (there.system_identifier, &there.database, there.database_oid);
    let mut unfit = Vec::new();
    if standby.major() < STANDBYS_FROM {
        unfit.push(Unfit::Version(standby.major()));
    }
    // A timeline means nothing where it is none of this primary's.
    match (state.in_recovery, same) {
        (false, _) => unfit.push(Unfit::NotInRecovery),
        (true, false) => unfit.push(Unfit::Foreign),
        (true, true) if state.timeline != there.timeline => {
            unfit.push(Unfit::Timeline { standby: state.timeline, primary: there.timeline });
        }
        (true, true) => {}
    }
    if state.wal_level != "logical" {
        unfit.push(Unfit::WalLevel(state.wal_level.clone()));
    }
    if !state.may_replicate {
        unfit.push(Unfit::Role(state.role.clone()));
    }
    Ok((state, unfit))
}
