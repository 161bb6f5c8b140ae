//! Where a secret may lie: never in a folder that is copied, restored or edited together with what it protects.

use std::path::{Path, PathBuf};

/// Why a file may not lie where it does.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Inside a folder that it must be apart from.
    #[error("`{}` lies in `{}`: whoever copies or edits that folder has both", path.display(), folder.display())]
    Inside {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// There is no such folder.
    #[error("the folder of `{}` cannot be found", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The path with its folder's links followed; the file itself need not exist.
pub(crate) fn resolved(path: &Path) -> Result<PathBuf, PlaceError> {
    let missing = |source| PlaceError::Missing { path: path.to_owned(), source };
    if path.exists() {
        return path.canonicalize().map_err(missing);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| missing(std::io::ErrorKind::InvalidInput.into()))?;
    Ok(folder.canonicalize().map_err(missing)?.join(name))
}

/// Refuses a file that lies in a folder or in one below it, links followed. A folder that does not exist holds nothing.
pub fn outside(path: &Path, folder: &Path) -> Result<(), PlaceError> {
    let path = resolved(path)?;
    match folder.canonicalize() {
        Ok(folder) if path.starts_with(&folder) => Err(PlaceError::Inside { path, folder }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(PlaceError::Missing { path: folder.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_below_a_folder_is_inside_it_also_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (state, apart) = (folder.path().join("state"), folder.path().join("apart"));
        std::fs::create_dir_all(state.join("below")).unwrap();
        std::fs::create_dir(&apart).unwrap();
        std::os::unix::fs::symlink(state.join("below"), apart.join("link")).unwrap();
        for inside in [state.join("key"), state.join("below/key"), apart.join("link/key"), apart.join("../state/key")] {
            assert!(matches!(outside(&inside, &state), Err(PlaceError::Inside { .. })), "{}", inside.display());
        }
        outside(&apart.join("key"), &state).unwrap();
        outside(&folder.path().join("state-key"), &state).unwrap();
    }
}
