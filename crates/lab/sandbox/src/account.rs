//! Who runs the servers: the caller, or an account of their own when the caller is root, which Postgres refuses.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use crate::Error;

/// Made by `scripts/setup.sh`.
const NAME: &str = "atalaya-sandbox";

/// Makes a program run by the account that runs servers, and hands it a folder and the files in it: for programs that
/// refuse root as Postgres does.
///
/// # Errors
/// When the account does not exist, cannot enter the folder, or a file cannot be given to it.
pub fn run_as_servers(command: &mut Command, folder: &Path) -> Result<(), Error> {
    let account = Account::find()?;
    account.give(folder)?;
    account.check_can_enter(folder)?;
    for entry in folder.read_dir().map_err(Error::file("read", folder))? {
        account.give(&entry.map_err(Error::file("read", folder))?.path())?;
    }
    account.run_as(command);
    Ok(())
}

/// The account that runs servers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account {
    /// The caller's own.
    Caller,
    /// Another one, by ids; the caller is root.
    Other { user: u32, group: u32 },
}

impl Account {
    /// The account for this caller.
    pub(crate) fn find() -> Result<Self, Error> {
        if !geteuid().is_root() {
            return Ok(Self::Caller);
        }
        match User::from_name(NAME) {
            Ok(Some(user)) => Ok(Self::Other { user: user.uid.as_raw(), group: user.gid.as_raw() }),
            _ => Err(Error::AccountMissing { name: NAME }),
        }
    }

    /// Makes a command run as this account; std drops root's supplementary groups with the user id.
    pub(crate) fn run_as(self, command: &mut Command) -> &mut Command {
        if let Self::Other { user, group } = self {
            command.uid(user).gid(group);
        }
        command
    }

    /// Hands a file or folder over to this account.
    pub(crate) fn give(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Caller => Ok(()),
            Self::Other { user, group } => {
                chown(path, Some(user), Some(group)).map_err(Error::file("change the owner of", path))
            }
        }
    }

    /// Fails when this account cannot enter one of the folders above and including `folder`.
    ///
    /// Judged by the permission bits for everyone: initdb's own message for this names neither folder nor remedy.
    pub(crate) fn check_can_enter(self, folder: &Path) -> Result<(), Error> {
        let Self::Other { user, .. } = self else {
            return Ok(());
        };
        for folder in folder.ancestors() {
            let metadata = folder.metadata().map_err(Error::file("read", folder))?;
            if metadata.uid() != user && metadata.permissions().mode() & 0o001 == 0 {
                return Err(Error::FolderClosed { folder: folder.into() });
            }
        }
        Ok(())
    }
}
