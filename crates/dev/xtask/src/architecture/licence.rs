//! Licences of everything that is linked in or built with, judged by their SPDX expressions.

use super::tree::{Tree, Violation};

/// Licences that ask for no more than notices (MPL-2.0: and for changes to its own files).
const ALLOWED: [&str; 16] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PostgreSQL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub(crate) fn find(tree: &Tree) -> Vec<Violation> {
    tree.packages
        .iter()
        .filter(|package| !package.licence.as_deref().is_some_and(is_allowed))
        .map(|package| Violation {
            rule: "licences",
            place: package
                .folder
                .as_ref()
                .map_or_else(|| package.name.clone(), |folder| format!("{folder}/Cargo.toml")),
            seen: match &package.licence {
                Some(licence) => format!("`{}` is under `{licence}`", package.name),
                None => format!("`{}` names no licence", package.name),
            },
            remedy: "use another package, or add the licence to the list of allowed ones after reading it".to_owned(),
        })
        .collect()
}

/// Whether an expression can be met with allowed licences alone. What is not understood is not allowed.
pub(crate) fn is_allowed(expression: &str) -> bool {
    // `MIT/Apache-2.0` is how manifests wrote OR before SPDX.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest, 0) == Some(true) && rest.is_empty()
}

const DEPTH_MAX: usize = 16;

fn either(rest: &mut &[&str], depth: usize) -> Option<bool> {
    let mut met = both(rest, depth)?;
    while let ["OR", after @ ..] = *rest {
        *rest = after;
        met |= both(rest, depth)?;
    }
    Some(met)
}

fn both(rest: &mut &[&str], depth: usize) -> Option<bool> {
    let mut met = one(rest, depth)?;
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        met &= one(rest, depth)?;
    }
    Some(met)
}

fn one(rest: &mut &[&str], depth: usize) -> Option<bool> {
    match *rest {
        ["(", after @ ..] if depth < DEPTH_MAX => {
            *rest = after;
            let met = either(rest, depth + 1)?;
            let [")", after @ ..] = *rest else {
                return None;
            };
            *rest = after;
            Some(met)
        }
        [name, "WITH", exception, after @ ..] => {
            *rest = after;
            Some(ALLOWED.contains(&format!("{name} WITH {exception}").as_str()))
        }
        [name, after @ ..] => {
            *rest = after;
            Some(ALLOWED.contains(name))
        }
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_by_any_side_of_or_and_every_side_of_and() {
        for text in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(is_allowed(text), "{text}");
        }
        for text in ["", "GPL-3.0", "MIT AND GPL-2.0", "MIT OR", "(MIT", "MIT ISC", "GPL-2.0 WITH LLVM-exception"] {
            assert!(!is_allowed(text), "{text}");
        }
    }
}
