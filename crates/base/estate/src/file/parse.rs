//! From the tree to an [`Estate`]: every key known, every name found, nothing contradictory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use atalaya_data::MigrationName;
use miette::Severity;

use super::gateway;
use super::model::{Database, Engine, Estate, Migration};
use super::problem::{EstateErrors, Finding, describe};
use super::reader::{Reader, Text};
use super::redact::Redacted;
use super::tree::{self, Node, Value};
use super::values::{conflicts_of, engine_of, flag_of, name_of, patterns_of, url_of, workers_of};
use crate::{TablePattern, TablePatterns};

const SECTIONS: [&str; 5] = ["estate", "services", "databases", "migrations", "gateway"];
const SERVICE_KEYS: [&str; 2] = ["database", "patterns"];
const DATABASE_KEYS: [&str; 2] = ["engine", "url"];
const MIGRATION_KEYS: [&str; 9] =
    ["source", "target", "snapshot_from", "tables", "exclude", "append_only", "conflicts", "workers", "ddl_trigger"];

impl Estate {
    /// Reads an estate file. `file` is its name for messages, and its folder is where relative paths of the
    /// gateway begin; `lookup` gives the values of `${VAR}` (neither environment nor files are read here).
    ///
    /// # Errors
    /// All problems at once, each with line and column; no message holds a password or a variable's value.
    pub fn parse(text: &str, file: &Path, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, EstateErrors> {
        if text.len() > tree::FILE_BYTES_MAX {
            let message = format!("the file is larger than {} bytes", tree::FILE_BYTES_MAX);
            let finding = Finding { code: "estate::too_large", at: 0..0, message, label: "too large", hint: None };
            return Err(describe(vec![finding], Severity::Error, file, "", Redacted::file("", &[], false)));
        }
        let tree = tree::read(text);
        let redacted = Redacted::file(text, &tree.scalars, tree.broken);
        let mut reader = Reader {
            lookup,
            folder: file.parent().unwrap_or(Path::new("")),
            redacted: &redacted,
            findings: Vec::new(),
            warnings: Vec::new(),
        };
        for problem in tree.problems {
            let hint = problem.hint.map(str::to_owned);
            reader.report("estate::syntax", &problem.at, "here", problem.message, hint);
        }
        let estate = match tree.root {
            Some(root) => Parts::default().read(&mut reader, &root),
            None if reader.findings.is_empty() => {
                let hint = "begin with `estate: NAME`".to_owned();
                reader.report("estate::empty", &(0..0), "nothing here", "the estate file is empty", hint);
                None
            }
            None => None,
        };
        let (findings, warnings) = (reader.findings, reader.warnings);
        match estate {
            Some(mut estate) if findings.is_empty() => {
                estate.warnings = describe(warnings, Severity::Warning, file, text, redacted).into_problems();
                Ok(estate)
            }
            _ => Err(describe(findings, Severity::Error, file, text, redacted)),
        }
    }
}

/// What was read, with the places later checks need.
#[derive(Default)]
pub(crate) struct Parts {
    name: Option<String>,
    pub(crate) services: BTreeMap<String, (Option<Text>, Vec<String>)>,
    /// `None` for a database that was declared but could not be read.
    pub(crate) databases: BTreeMap<String, Option<Database>>,
    pub(crate) migrations: BTreeMap<String, DraftMigration>,
}

pub(crate) struct DraftMigration {
    pub(crate) source: Option<Text>,
    pub(crate) target: Option<Text>,
    pub(crate) snapshot_from: Option<Text>,
    pub(crate) rest: Migration,
}

impl Parts {
    fn read(mut self, reader: &mut Reader<'_>, root: &Node) -> Option<Estate> {
        let entries = reader.entries(root, "the estate file", &SECTIONS);
        if matches!(root.value, Value::Map(_)) {
            reader.require(&entries, &(root.span.start..root.span.start), "the estate file", &["estate"]);
        }
        let mut gateway = None;
        for entry in entries {
            match entry.key.as_str() {
                "estate" => self.name = name_of(reader, &entry.value),
                "services" => self.section(reader, &entry.value, "services", Self::service),
                "databases" => self.section(reader, &entry.value, "databases", Self::database),
                "migrations" => self.section(reader, &entry.value, "migrations", Self::migration),
                _ => gateway = Some(&entry.value),
            }
        }
        let services = self.services_checked(reader);
        let migrations = self.migrations_checked(reader);
        // Last, whatever the order of the file: it names databases.
        let gateway = gateway.and_then(|node| gateway::read(reader, node, &self.databases));
        let databases = self.databases.into_iter().filter_map(|(name, database)| Some((name, database?))).collect();
        Some(Estate { name: self.name?, services, databases, migrations, gateway, warnings: Vec::new() })
    }

    fn section(
        &mut self,
        reader: &mut Reader<'_>,
        node: &Node,
        section: &str,
        read: fn(&mut Self, &mut Reader<'_>, &str, &Node, &Range<usize>),
    ) {
        for entry in reader.named(node, &format!("`{section}`")) {
            read(self, reader, &entry.key, &entry.value, &entry.key_span);
        }
    }

    fn service(&mut self, reader: &mut Reader<'_>, name: &str, node: &Node, at: &Range<usize>) {
        let what = format!("service `{}`", reader.shown(name, at));
        let entries = reader.entries(node, &what, &SERVICE_KEYS);
        if matches!(node.value, Value::Map(_)) {
            reader.require(&entries, at, &what, &["database"]);
        }
        let (mut database, mut patterns) = (None, Vec::new());
        for entry in entries {
            if entry.key == "database" {
                database = reader.text(&entry.value, &format!("`database` of {what}"));
            } else {
                let texts = reader.texts(&entry.value, &format!("`patterns` of {what}"), "leave the key out instead");
                patterns = texts.into_iter().map(|text| text.value).collect();
            }
        }
        self.services.insert(name.to_owned(), (database, patterns));
    }

    fn database(&mut self, reader: &mut Reader<'_>, name: &str, node: &Node, at: &Range<usize>) {
        let what = format!("database `{}`", reader.shown(name, at));
        let entries = reader.entries(node, &what, &DATABASE_KEYS);
        let (mut engine, mut url) = (None, None);
        if matches!(node.value, Value::Map(_)) {
            reader.require(&entries, at, &what, &["engine"]);
        }
        for entry in &entries {
            if entry.key == "engine" {
                engine =
                    reader.text(&entry.value, &format!("`engine` of {what}")).and_then(|text| engine_of(reader, &text));
            } else {
                url = reader.text(&entry.value, &format!("`url` of {what}"));
            }
        }
        let database = match engine {
            Some(Engine::Postgres) => {
                reader.require(&entries, at, &what, &["url"]);
                let url = url.and_then(|text| url_of(reader, &text));
                url.map(|url| Database { engine: Engine::Postgres, url: Some(url) })
            }
            Some(engine) => Some(Database { engine, url: None }),
            None => None,
        };
        self.databases.insert(name.to_owned(), database);
    }

    fn migration(&mut self, reader: &mut Reader<'_>, name: &str, node: &Node, at: &Range<usize>) {
        let what = format!("migration `{}`", reader.shown(name, at));
        if let Err(error) = name.parse::<MigrationName>() {
            reader.report("estate::migration_name", at, "not usable", error.to_string(), None);
        }
        let entries = reader.entries(node, &what, &MIGRATION_KEYS);
        if matches!(node.value, Value::Map(_)) {
            reader.require(&entries, at, &what, &["source", "target"]);
        }
        let (mut source, mut target, mut snapshot_from) = (None, None, None);
        let (mut tables, mut exclude, mut append_only) = (Vec::new(), Vec::new(), Vec::new());
        let (mut conflicts, mut workers, mut ddl_trigger) = (None, None, false);
        for entry in entries {
            let key = format!("`{}` of {what}", entry.key);
            match entry.key.as_str() {
                "source" => source = reader.text(&entry.value, &key),
                "target" => target = reader.text(&entry.value, &key),
                "snapshot_from" => snapshot_from = reader.text(&entry.value, &key),
                "tables" => tables = patterns_of(reader, &entry.value, &key),
                "exclude" => exclude = patterns_of(reader, &entry.value, &key),
                "append_only" => append_only = patterns_of(reader, &entry.value, &key),
                "conflicts" => conflicts = conflicts_of(reader, &entry.value, &key),
                "workers" => workers = workers_of(reader, &entry.value, &key),
                _ => ddl_trigger = flag_of(reader, &entry.value, &key),
            }
        }
        for (kept, key) in [(&tables, "tables"), (&append_only, "append_only")] {
            for (text, pattern) in kept {
                if exclude.iter().any(|(_, excluded)| excluded == pattern) {
                    let message =
                        format!("`{}` is in both `{key}` and `exclude` of {what}", reader.shown(&text.raw, &text.span));
                    let hint = "remove it from one of the two".to_owned();
                    reader.report("estate::contradiction", &text.span, "also excluded", message, hint);
                }
            }
        }
        let only = |list: Vec<(Text, TablePattern)>| list.into_iter().map(|(_, pattern)| pattern).collect::<Vec<_>>();
        let rest = Migration {
            source: String::new(),
            target: String::new(),
            snapshot_from: None,
            tables: TablePatterns::new(only(tables), only(exclude)),
            append_only: only(append_only),
            conflicts,
            workers,
            ddl_trigger,
        };
        self.migrations.insert(name.to_owned(), DraftMigration { source, target, snapshot_from, rest });
    }
}
