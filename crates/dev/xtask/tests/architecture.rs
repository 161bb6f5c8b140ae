//! Every rule on a made-up tree that breaks it, and all of them on the real one.

use std::path::Path;

use xtask::architecture::{Dependency, Kind, Package, RULES, SourceFile, Tree, check, report};

fn package(folder: &str, dependencies: &[(&str, Kind)]) -> Package {
    Package {
        name: format!("atalaya-{}", folder.rsplit('/').next().unwrap()),
        folder: Some(folder.to_owned()),
        description: Some("A purpose.".to_owned()),
        licence: Some("Apache-2.0".to_owned()),
        dependencies: dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: *kind })
            .collect(),
        manifest: "[package]\n[lints]\nworkspace = true\n".to_owned(),
    }
}

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

/// `rule place` of every violation.
fn found(packages: Vec<Package>, files: Vec<SourceFile>) -> Vec<String> {
    let violations = check(&Tree { packages, files });
    violations.iter().map(|violation| format!("{} {}", violation.rule, violation.place)).collect()
}

fn with(dependent: &str, dependencies: &[(&str, Kind)]) -> Vec<String> {
    let others = [
        "crates/base/data",
        "crates/base/sql",
        "crates/stores/postgres",
        "crates/journal/saga",
        "crates/capabilities/access",
        "crates/lab/sandbox",
        "crates/lab/load",
        "crates/lab/damage",
        "crates/lab/drill",
        "crates/apps/cli",
        "crates/dev/tools",
        "examples/orders",
    ];
    let mut packages: Vec<_> =
        others.iter().filter(|folder| **folder != dependent).map(|folder| package(folder, &[])).collect();
    packages.push(package(dependent, dependencies));
    found(packages, Vec::new())
}

#[test]
fn the_real_tree_holds_every_invariant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
    let tree = Tree::read(root).unwrap();
    let violations = check(&tree);
    assert!(violations.is_empty(), "\n{}", report(&tree, &violations));
    assert!(tree.own().count() > 5 && tree.files.len() > 10, "the tree was read");
}

#[test]
fn layers_import_downward_only() {
    use Kind::{Build, Dev, Normal};
    for (dependent, dependency, kind) in [
        ("crates/base/catalog", "atalaya-postgres", Normal),
        ("crates/stores/pgwire", "atalaya-saga", Normal),
        ("crates/journal/eventstore", "atalaya-access", Normal),
        ("crates/capabilities/assess", "atalaya-sandbox", Normal),
        ("crates/capabilities/assess", "atalaya-sandbox", Build),
        ("crates/capabilities/assess", "atalaya-cli", Dev),
        ("crates/capabilities/assess", "atalaya-drill", Dev),
        ("crates/base/catalog", "atalaya-sandbox", Dev),
        ("crates/capabilities/assess", "atalaya-damage", Normal),
        ("crates/lab/demo", "atalaya-cli", Normal),
        ("crates/apps/server", "atalaya-tools", Normal),
    ] {
        assert_eq!(with(dependent, &[(dependency, kind)]), [format!("layers {dependent}/Cargo.toml")], "{dependency}");
    }
    assert_eq!(with("crates/base/catalog", &[("atalaya-data", Normal)]), [""; 0]);
    assert_eq!(
        with(
            "crates/capabilities/assess",
            &[("atalaya-postgres", Normal), ("atalaya-sandbox", Dev), ("atalaya-load", Dev), ("atalaya-damage", Dev)]
        ),
        [""; 0]
    );
    assert_eq!(with("crates/apps/cli", &[("atalaya-access", Normal), ("atalaya-drill", Normal)]), [""; 0]);
    assert_eq!(with("crates/misc/odd", &[]), ["layers crates/misc/odd/Cargo.toml"]);
    assert_eq!(with("crates/base/deep/er", &[]), ["layers crates/base/deep/er/Cargo.toml"]);
}

#[test]
fn an_example_sees_what_a_user_of_the_libraries_would_and_nobody_sees_it() {
    use Kind::{Build, Dev, Normal};
    let seen = with(
        "examples/shop",
        &[
            ("atalaya-data", Normal),
            ("atalaya-postgres", Normal),
            ("atalaya-saga", Normal),
            ("atalaya-sandbox", Normal),
        ],
    );
    assert_eq!(seen, [""; 0]);
    assert_eq!(with("examples/shop", &[("atalaya-sandbox", Dev)]), [""; 0]);
    for other in ["access", "load", "drill", "cli", "tools", "orders"] {
        for kind in [Normal, Dev, Build] {
            let seen = with("examples/shop", &[(&format!("atalaya-{other}"), kind)]);
            assert_eq!(seen, ["examples examples/shop/Cargo.toml"], "{other}");
        }
    }
    for dependent in ["crates/base/catalog", "crates/capabilities/assess", "crates/apps/server", "crates/dev/bench"] {
        let seen = with(dependent, &[("atalaya-orders", Dev)]);
        assert_eq!(seen, [format!("examples {dependent}/Cargo.toml")]);
    }
    // No driver either, and files that say why they exist.
    assert_eq!(with("examples/shop", &[("rusqlite", Normal)]), ["drivers examples/shop/Cargo.toml"]);
    assert_eq!(
        found(Vec::new(), vec![file("examples/shop/src/main.rs", "fn main() { println!() }")]),
        ["file-purpose examples/shop/src/main.rs:1"]
    );
    assert_eq!(with("examples/deep/er", &[]), ["layers examples/deep/er/Cargo.toml"]);
    assert_eq!(with("crates/examples/odd", &[]), ["layers crates/examples/odd/Cargo.toml"]);
}

#[test]
fn capabilities_do_not_import_their_siblings() {
    for kind in [Kind::Normal, Kind::Dev] {
        let seen = with("crates/capabilities/assess", &[("atalaya-access", kind)]);
        assert_eq!(seen, ["siblings crates/capabilities/assess/Cargo.toml"]);
    }
}

#[test]
fn drivers_stay_in_stores_and_the_event_store() {
    for (folder, driver) in [
        ("crates/capabilities/assess", "tokio-postgres"),
        ("crates/lab/load", "sqlx"),
        ("crates/journal/saga", "rusqlite"),
        ("crates/apps/server", "mysql_async"),
        ("crates/stores/postgres", "postgres-protocol"),
    ] {
        assert_eq!(with(folder, &[(driver, Kind::Normal)]), [format!("drivers {folder}/Cargo.toml")]);
    }
    assert_eq!(with("crates/stores/postgres", &[("tokio-postgres", Kind::Normal)]), [""; 0]);
    assert_eq!(with("crates/stores/pgwire", &[("postgres-protocol", Kind::Normal)]), [""; 0]);
    assert_eq!(with("crates/journal/eventstore", &[("rusqlite", Kind::Normal)]), [""; 0]);
}

#[test]
fn parsers_stay_in_base_sql_and_off_the_move_path() {
    assert_eq!(with("crates/base/sql", &[("pg_query", Kind::Normal)]), [""; 0]);
    assert_eq!(with("crates/base/catalog", &[("sqlparser", Kind::Normal)]), ["parsers crates/base/catalog/Cargo.toml"]);
    let packages = vec![
        package("crates/base/sql", &[]),
        package("crates/base/catalog", &[("atalaya-sql", Kind::Normal)]),
        package("crates/capabilities/replicate", &[("atalaya-catalog", Kind::Normal)]),
        package("crates/capabilities/lineage", &[("atalaya-catalog", Kind::Normal)]),
    ];
    assert_eq!(found(packages, Vec::new()), ["parsers crates/capabilities/replicate/Cargo.toml"]);
}

#[test]
fn base_knows_no_network() {
    assert_eq!(
        with("crates/base/catalog", &[("tokio", Kind::Normal)]),
        ["base-network crates/base/catalog/Cargo.toml"]
    );
    assert_eq!(with("crates/stores/postgres", &[("tokio", Kind::Normal)]), [""; 0]);
}

#[test]
fn manifests_take_the_lints_and_say_their_purpose() {
    let mut silent = package("crates/base/data", &[]);
    silent.manifest = "[package]\n# [lints]\n[dependencies]\nworkspace = true\n".to_owned();
    silent.description = Some(" ".to_owned());
    assert_eq!(
        found(vec![silent], Vec::new()),
        ["lints crates/base/data/Cargo.toml", "description crates/base/data/Cargo.toml"]
    );
}

#[test]
fn licences_have_to_be_allowed() {
    let foreign = |name: &str, licence: Option<&str>| Package {
        name: name.to_owned(),
        licence: licence.map(str::to_owned),
        ..Package::default()
    };
    let packages =
        vec![foreign("good", Some("MIT OR GPL-3.0")), foreign("bad", Some("AGPL-3.0")), foreign("none", None)];
    assert_eq!(found(packages, Vec::new()), ["licences bad", "licences none"]);
}

#[test]
fn files_are_short_and_say_why_they_exist() {
    let long = format!("//! Long.\n{}", "\n".repeat(700));
    let files = vec![
        file("crates/apps/cli/src/a.rs", &long),
        file("crates/dev/x/tests/b.rs", "// no\n"),
        file("crates/lab/x/src/c.rs", "//!\n"),
    ];
    assert_eq!(
        found(Vec::new(), files),
        [
            "file-length crates/apps/cli/src/a.rs",
            "file-purpose crates/dev/x/tests/b.rs:1",
            "file-purpose crates/lab/x/src/c.rs:1"
        ]
    );
}

#[test]
fn below_the_lab_nothing_prints_or_reads_the_environment() {
    let text = "//! println! is only named here.\nfn f() {\n    println!(\"x\");\n    std::env :: var(\"X\");\n    my_println!();\n}\n\
                /* eprintln!() */\n#[cfg(test)]\nmod tests {\n    fn g() { println!(\"{}\", \"}\"); }\n}\nfn h() { eprintln!() }\n";
    let paths = [
        "crates/base/data/src/a.rs",
        "crates/base/data/tests/a.rs",
        "crates/base/data/src/a/tests.rs",
        "crates/lab/load/src/a.rs",
    ];
    assert_eq!(
        found(Vec::new(), paths.iter().map(|path| file(path, text)).collect()),
        [
            "printing crates/base/data/src/a.rs:3",
            "printing crates/base/data/src/a.rs:12",
            "environment crates/base/data/src/a.rs:4"
        ]
    );
}

#[test]
fn a_report_names_invariant_place_and_remedy() {
    let tree = Tree { packages: vec![package("crates/base/data", &[("tokio", Kind::Normal)])], files: Vec::new() };
    let text = report(&tree, &check(&tree));
    for part in [
        "broken invariant `base-network`: `base` knows no network",
        "crates/base/data/Cargo.toml",
        "`tokio`",
        "remedy: ",
        "1 violation",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(report(&tree, &[]).starts_with(&format!("{} invariants hold", RULES.len())));
}
