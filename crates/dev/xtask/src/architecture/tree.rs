//! The model the rules judge: packages, dependencies, files.

use std::fmt;

/// The workspace, as much of it as the rules need.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Every package, the workspace's own and foreign ones.
    pub packages: Vec<Package>,
    /// Every Rust file below `crates/` and `examples/`.
    pub files: Vec<SourceFile>,
}

/// One package.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder from the root, for example `crates/base/data`; `None` for a foreign package.
    pub folder: Option<String>,
    /// Its one sentence of purpose.
    pub description: Option<String>,
    /// Its licence as an SPDX expression.
    pub licence: Option<String>,
    /// What its manifest names, in every section.
    pub dependencies: Vec<Dependency>,
    /// The text of its manifest; empty for a foreign package.
    pub manifest: String,
}

/// One line of a manifest.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The package's name, also when renamed.
    pub name: String,
    /// The section it stands in.
    pub kind: Kind,
}

/// Sections of dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[dependencies]`.
    Normal,
    /// `[dev-dependencies]`.
    Dev,
    /// `[build-dependencies]`.
    Build,
}

/// One Rust file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// From the root, for example `crates/base/data/src/lib.rs`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Layers from the lowest to the highest; `dev` stands outside and above all, and nobody sees `examples`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Said by everyone: no network, no driver.
    Base,
    /// One crate per kind of database.
    Stores,
    /// What happened, what must still happen.
    Journal,
    /// What a DBA does.
    Capabilities,
    /// Sandbox, demo, drill.
    Lab,
    /// Wiring.
    Apps,
    /// Never shipped.
    Dev,
    /// What a user of the libraries would write.
    Examples,
}

impl Layer {
    /// The layer of a path below the root, by its folder.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let layer = match parts.next()? {
            "crates" => parts.next()?,
            "examples" => return Some(Self::Examples),
            _ => return None,
        };
        Some(match layer {
            "base" => Self::Base,
            "stores" => Self::Stores,
            "journal" => Self::Journal,
            "capabilities" => Self::Capabilities,
            "lab" => Self::Lab,
            "apps" => Self::Apps,
            "dev" => Self::Dev,
            _ => return None,
        })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Base => "base",
            Self::Stores => "stores",
            Self::Journal => "journal",
            Self::Capabilities => "capabilities",
            Self::Lab => "lab",
            Self::Apps => "apps",
            Self::Dev => "dev",
            Self::Examples => "examples",
        })
    }
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule's id.
    pub rule: &'static str,
    /// A file, with line where there is one, or a manifest.
    pub place: String,
    /// What was seen.
    pub seen: String,
    /// What to do.
    pub remedy: String,
}

impl Tree {
    /// The workspace's own packages with their folders.
    pub fn own(&self) -> impl Iterator<Item = (&Package, &str)> {
        self.packages.iter().filter_map(|package| Some((package, package.folder.as_deref()?)))
    }

    /// A package of the workspace and its folder.
    #[must_use]
    pub fn own_named(&self, name: &str) -> Option<(&Package, &str)> {
        self.own().find(|(package, _)| package.name == name)
    }
}
