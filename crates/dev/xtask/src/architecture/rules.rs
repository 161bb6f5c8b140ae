//! The list of invariants, and those about who depends on whom.

use std::collections::BTreeSet;

use super::tree::{Kind, Layer, Package, Tree, Violation};
use super::{licence, source};

/// One invariant.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// A stable name.
    pub id: &'static str,
    /// What holds, as one sentence.
    pub states: &'static str,
    pub(crate) find: fn(&Tree) -> Vec<Violation>,
}

/// Every invariant.
pub const RULES: [Rule; 13] = [
    Rule { id: "layers", states: "a layer sees only the layers before it", find: layers },
    Rule { id: "siblings", states: "no capability imports another", find: siblings },
    Rule {
        id: "examples",
        states: "an example sees base, stores, journal and `lab/sandbox` alone, and nobody sees it",
        find: examples,
    },
    Rule { id: "drivers", states: "only `stores/*` and `journal/eventstore` use database drivers", find: drivers },
    Rule {
        id: "parsers",
        states: "only `base/sql` uses SQL parsers, and the move path does without it",
        find: parsers,
    },
    Rule { id: "base-network", states: "`base` knows no network", find: base_network },
    Rule { id: "lints", states: "every crate takes the workspace's lints", find: lints },
    Rule { id: "description", states: "every crate has one sentence of purpose", find: description },
    Rule { id: "licences", states: "every package has an allowed licence", find: licence::find },
    Rule { id: "file-length", states: "no file is longer than 700 lines", find: source::length },
    Rule { id: "file-purpose", states: "every file opens with `//!`", find: source::purpose },
    Rule { id: "printing", states: "nothing below `lab` prints", find: source::printing },
    Rule { id: "environment", states: "nothing below `lab` reads the environment", find: source::environment },
];

/// Judges a tree by every rule.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Violation> {
    RULES.iter().flat_map(|rule| (rule.find)(tree)).collect()
}

/// What tests of lower layers may use from the lab: real servers, the workload, and broken bytes.
const LAB_FOR_TESTS: [&str; 3] = ["crates/lab/sandbox", "crates/lab/load", "crates/lab/damage"];

/// What examples may use from the lab: real servers.
const LAB_FOR_EXAMPLES: &str = "crates/lab/sandbox";

const DRIVERS: [&str; 10] = [
    "tokio-postgres",
    "tokio-postgres-rustls",
    "postgres",
    "postgres-protocol",
    "rusqlite",
    "libsqlite3-sys",
    "mysql_async",
    "sqlx",
    "deadpool-postgres",
    "async-nats",
];

const NETWORK: [&str; 9] =
    ["tokio", "async-std", "smol", "mio", "socket2", "hyper", "reqwest", "rustls", "tokio-rustls"];

const PARSERS: [&str; 2] = ["pg_query", "sqlparser"];

/// Capabilities that move data, and must build without a SQL parser.
const MOVE_PATH: [&str; 4] = [
    "crates/capabilities/assess",
    "crates/capabilities/replicate",
    "crates/capabilities/validate",
    "crates/capabilities/cutover",
];

fn manifest(folder: &str) -> String {
    format!("{folder}/Cargo.toml")
}

fn layers(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (package, folder) in tree.own() {
        let violation =
            |seen: String, remedy: String| Violation { rule: "layers", place: manifest(folder), seen, remedy };
        let stands_right = |layer: &Layer| folder.split('/').count() == if *layer == Layer::Examples { 2 } else { 3 };
        let Some(layer) = Layer::of(folder).filter(stands_right) else {
            let remedy = "move it to `crates/LAYER/NAME`, LAYER one of base, stores, journal, capabilities, lab, apps, dev, \
                          or to `examples/NAME`";
            found.push(violation(format!("`{}` stands in no layer", package.name), remedy.to_owned()));
            continue;
        };
        for dependency in &package.dependencies {
            let Some((_, other_folder)) = tree.own_named(&dependency.name) else {
                continue;
            };
            let Some(other) = Layer::of(other_folder) else {
                continue;
            };
            if other == Layer::Examples {
                // Told by a rule of its own.
                continue;
            }
            let for_tests = dependency.kind == Kind::Dev
                && (Layer::Stores..=Layer::Capabilities).contains(&layer)
                && LAB_FOR_TESTS.contains(&other_folder);
            if other > layer && !for_tests {
                let seen = format!("`{}` in {layer} depends on `{}` in {other}", package.name, dependency.name);
                let remedy = if dependency.kind == Kind::Dev {
                    format!(
                        "move the test up to {other}; tests of stores, journal and capabilities may use sandbox, load and damage of the lab"
                    )
                } else {
                    format!(
                        "state the need as a trait of `{}` and plug it in apps, or move the shared part down",
                        package.name
                    )
                };
                found.push(violation(seen, remedy));
            }
        }
    }
    found
}

fn siblings(tree: &Tree) -> Vec<Violation> {
    let capability = |folder: &str| Layer::of(folder) == Some(Layer::Capabilities);
    let mut found = Vec::new();
    for (package, folder) in tree.own().filter(|(_, folder)| capability(folder)) {
        for dependency in &package.dependencies {
            if tree.own_named(&dependency.name).is_some_and(|(other, at)| capability(at) && other.name != package.name)
            {
                found.push(Violation {
                    rule: "siblings",
                    place: manifest(folder),
                    seen: format!("`{}` depends on its sibling `{}`", package.name, dependency.name),
                    remedy: "state the need as a trait the capability owns and plug both together in apps; tests of both live there too"
                        .to_owned(),
                });
            }
        }
    }
    found
}

fn examples(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (package, folder) in tree.own() {
        for dependency in &package.dependencies {
            let Some((_, other_folder)) = tree.own_named(&dependency.name) else {
                continue;
            };
            let (layer, other) = (Layer::of(folder), Layer::of(other_folder));
            let seeable = other.is_some_and(|other| other <= Layer::Journal) || other_folder == LAB_FOR_EXAMPLES;
            let remedy = if other == Some(Layer::Examples) {
                "nothing needs an example; move what both need into a crate of the layer that it belongs to"
            } else if layer == Some(Layer::Examples) && !seeable {
                "an example shows what a user of the libraries can do: base, stores, journal and lab/sandbox are theirs"
            } else {
                continue;
            };
            found.push(Violation {
                rule: "examples",
                place: manifest(folder),
                seen: format!("`{}` depends on `{}`", package.name, dependency.name),
                remedy: remedy.to_owned(),
            });
        }
    }
    found
}

fn drivers(tree: &Tree) -> Vec<Violation> {
    let allowed = |folder: &str, name: &str| match name {
        "postgres-protocol" => folder == "crates/stores/pgwire",
        // The bare loop that the journal's figures are measured beside.
        "rusqlite" if folder == "crates/dev/bench" => true,
        _ => Layer::of(folder) == Some(Layer::Stores) || folder == "crates/journal/eventstore",
    };
    forbidden(tree, "drivers", &DRIVERS, allowed, |name| match name {
        "postgres-protocol" => "use `atalaya-pgwire`; it alone speaks the protocol".to_owned(),
        _ => "go through a crate of `stores/`, and add there what is missing".to_owned(),
    })
}

fn parsers(tree: &Tree) -> Vec<Violation> {
    let allowed = |folder: &str, _: &str| folder == "crates/base/sql";
    let remedy = |_: &str| "go through `base/sql`".to_owned();
    let mut found = forbidden(tree, "parsers", &PARSERS, allowed, remedy);
    for (package, folder) in tree.own().filter(|(_, folder)| MOVE_PATH.contains(folder)) {
        if reaches(tree, package, "crates/base/sql") {
            found.push(Violation {
                rule: "parsers",
                place: manifest(folder),
                seen: format!("`{}` needs `base/sql`, directly or through others", package.name),
                remedy: "the move path asks the server instead of parsing SQL; drop the dependency".to_owned(),
            });
        }
    }
    found
}

/// Whether a package needs, outside its tests, the one in `folder`.
fn reaches(tree: &Tree, from: &Package, folder: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(package) = open.pop() {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev) {
            let Some((next, at)) = tree.own_named(&dependency.name) else {
                continue;
            };
            if at == folder {
                return true;
            }
            if seen.insert(&next.name) {
                open.push(next);
            }
        }
    }
    false
}

fn base_network(tree: &Tree) -> Vec<Violation> {
    let allowed = |folder: &str, _: &str| Layer::of(folder) != Some(Layer::Base);
    forbidden(tree, "base-network", &NETWORK, allowed, |_| {
        "keep types and pure functions in base; what waits or connects belongs into stores or above".to_owned()
    })
}

/// Dependencies by name, of any kind, where they are not allowed.
fn forbidden(
    tree: &Tree,
    rule: &'static str,
    names: &[&str],
    allowed: impl Fn(&str, &str) -> bool,
    remedy: impl Fn(&str) -> String,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (package, folder) in tree.own() {
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            if names.contains(&name) && !allowed(folder, name) {
                let seen = format!("`{}` depends on `{name}`", package.name);
                found.push(Violation { rule, place: manifest(folder), seen, remedy: remedy(name) });
            }
        }
    }
    found
}

fn lints(tree: &Tree) -> Vec<Violation> {
    let takes = |text: &str| {
        let mut in_lints = false;
        text.lines().map(str::trim).any(|line| {
            if line.starts_with('[') {
                in_lints = line == "[lints]";
            }
            let words: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            (in_lints && words == "workspace=true") || words == "lints.workspace=true"
        })
    };
    tree.own()
        .filter(|(package, _)| !takes(&package.manifest))
        .map(|(package, folder)| Violation {
            rule: "lints",
            place: manifest(folder),
            seen: format!("`{}` does not take the workspace's lints", package.name),
            remedy: "add `[lints]` with `workspace = true`".to_owned(),
        })
        .collect()
}

fn description(tree: &Tree) -> Vec<Violation> {
    tree.own()
        .filter(|(package, _)| package.description.as_deref().is_none_or(|text| text.trim().is_empty()))
        .map(|(package, folder)| Violation {
            rule: "description",
            place: manifest(folder),
            seen: format!("`{}` does not say what it is for", package.name),
            remedy: "add `description` with one sentence".to_owned(),
        })
        .collect()
}
