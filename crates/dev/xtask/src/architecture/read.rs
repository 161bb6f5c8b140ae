//! Reading the model from `cargo metadata` and the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use super::tree::{Dependency, Kind, Package, SourceFile, Tree};
use crate::child::{ChildError, output};

/// Why the tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// cargo or rustc did not answer.
    #[error("the workspace's metadata could not be had")]
    Command(#[from] ChildError),
    /// cargo answered something unexpected.
    #[error("the workspace's metadata could not be read")]
    Metadata(#[from] cargo_metadata::Error),
    /// A file could not be read.
    #[error("`{}` could not be read", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There are more files than a workspace has.
    #[error("more than {FILES_MAX} files below `crates` and `examples`")]
    TooManyFiles,
}

const FILES_MAX: usize = 20_000;
const METADATA_LIMIT: Duration = Duration::from_secs(300);
const METADATA_BYTES_MAX: u64 = 256 * 1024 * 1024;

impl Tree {
    /// Reads the workspace at `root`.
    ///
    /// Only packages for this machine's platform are looked at: others are not downloaded by a build.
    ///
    /// # Errors
    /// When cargo does not answer or a file cannot be read.
    pub fn read(root: &Path) -> Result<Self, TreeError> {
        let version = output(Command::new("rustc").arg("-vV"), METADATA_LIMIT, METADATA_BYTES_MAX)?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let mut command = Command::new("cargo");
        command.args(["metadata", "--format-version", "1", "--filter-platform", host]).current_dir(root);
        let metadata = MetadataCommand::parse(output(&mut command, METADATA_LIMIT, METADATA_BYTES_MAX)?)?;
        let packages = packages(root, &metadata)?;
        let mut files = Vec::new();
        for folder in ["crates", "examples"] {
            rust_files(root, &root.join(folder), &mut files)?;
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(Self { packages, files })
    }
}

fn packages(root: &Path, metadata: &Metadata) -> Result<Vec<Package>, TreeError> {
    let mut packages = Vec::new();
    for package in &metadata.packages {
        let own = metadata.workspace_members.contains(&package.id);
        let path = package.manifest_path.as_std_path();
        let dependencies = package.dependencies.iter().filter(|_| own).map(|dependency| Dependency {
            name: dependency.name.clone(),
            kind: match dependency.kind {
                DependencyKind::Development => Kind::Dev,
                DependencyKind::Build => Kind::Build,
                _ => Kind::Normal,
            },
        });
        packages.push(Package {
            name: package.name.to_string(),
            folder: own.then(|| path.parent().map(|folder| relative(root, folder))).flatten(),
            description: package.description.clone(),
            licence: package.license.clone(),
            dependencies: dependencies.collect(),
            manifest: if own { text(path)? } else { String::new() },
        });
    }
    packages.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(packages)
}

fn rust_files(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<(), TreeError> {
    let failed = |source| TreeError::File { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Of the entry itself: a link is not followed, so there are no cycles.
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        if kind.is_dir() && entry.file_name() != "target" {
            rust_files(root, &path, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(SourceFile { path: relative(root, &path), text: text(&path)? });
        }
        if files.len() > FILES_MAX {
            return Err(TreeError::TooManyFiles);
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, TreeError> {
    fs::read_to_string(path).map_err(|source| TreeError::File { path: path.to_owned(), source })
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
