//! What only the whole file can tell: names that lead nowhere, and contradictions.

use std::collections::BTreeMap;

use super::model::{Engine, Migration, Service, StoredIn};
use super::parse::Parts;
use super::reader::{Reader, Text, suggestion};
use super::redact::shown;
use crate::ConnectionUrl;

impl Parts {
    pub(crate) fn services_checked(&self, reader: &mut Reader<'_>) -> BTreeMap<String, Service> {
        let mut services = BTreeMap::new();
        for (name, (database, patterns)) in &self.services {
            let Some(text) = database else { continue };
            let database = if self.databases.contains_key(&text.value) {
                StoredIn::Database(text.value.clone())
            } else if let Some(engine) = Engine::from_word(&text.value) {
                StoredIn::Engine(engine)
            } else {
                let known = self.databases.keys().map(String::as_str).chain(Engine::ALL.iter().map(|each| each.word()));
                let message = format!(
                    "service `{}` names `{}`, neither a database nor an engine",
                    shown(name),
                    reader.shown(&text.raw, &text.span)
                );
                let hint = suggestion(&text.raw, known).unwrap_or_else(|| "declare it under `databases`".to_owned());
                reader.report("estate::unknown_database", &text.span, "not declared", message, hint);
                continue;
            };
            services.insert(name.clone(), Service { database, patterns: patterns.clone() });
        }
        services
    }

    pub(crate) fn migrations_checked(&self, reader: &mut Reader<'_>) -> BTreeMap<String, Migration> {
        let mut migrations = BTreeMap::new();
        for (name, draft) in &self.migrations {
            let source = self.end_checked(reader, name, "source", draft.source.as_ref());
            let target = self.end_checked(reader, name, "target", draft.target.as_ref());
            let (Some(source_text), Some(target_text)) = (&draft.source, &draft.target) else {
                continue;
            };
            let same_place = match (source, target) {
                (Some(source), Some(target)) => source.is_same_database(target),
                _ => false,
            };
            if source_text.value == target_text.value || same_place {
                let message = format!("source and target of migration `{}` are the same database", shown(name));
                let hint = "a move needs two databases; check both URLs".to_owned();
                reader.report("estate::contradiction", &target_text.span, "same as the source", message, hint);
            }
            if let (Some(text), Some(standby)) =
                (&draft.snapshot_from, self.end_checked(reader, name, "snapshot_from", draft.snapshot_from.as_ref()))
                && source.is_some_and(|source| source.is_same_database(standby))
            {
                let message = format!("snapshot_from of migration `{}` is the source itself", shown(name));
                let hint = "name a physical standby of the source, or leave the key out".to_owned();
                reader.report("estate::contradiction", &text.span, "same as the source", message, hint);
            }
            let rest = draft.rest.clone();
            let (source, target) = (source_text.value.clone(), target_text.value.clone());
            let snapshot_from = draft.snapshot_from.as_ref().map(|text| text.value.clone());
            migrations.insert(name.clone(), Migration { source, target, snapshot_from, ..rest });
        }
        migrations
    }

    /// Finds one end of a migration, or says why it cannot be one.
    fn end_checked(
        &self,
        reader: &mut Reader<'_>,
        migration: &str,
        end: &str,
        text: Option<&Text>,
    ) -> Option<&ConnectionUrl> {
        let text = text?;
        let Some(declared) = self.databases.get(&text.value) else {
            let message = format!(
                "{end} of migration `{}` names the unknown database `{}`",
                shown(migration),
                reader.shown(&text.raw, &text.span)
            );
            let known: Vec<&str> = self.databases.keys().map(String::as_str).collect();
            let hint = suggestion(&text.raw, known).unwrap_or_else(|| "declare it under `databases`".to_owned());
            reader.report("estate::unknown_database", &text.span, "not declared", message, hint);
            return None;
        };
        let database = declared.as_ref()?;
        if database.engine != Engine::Postgres {
            let message = format!("{end} of migration `{}` is on {}", shown(migration), database.engine);
            let hint = "this version moves between `postgres` databases".to_owned();
            reader.report("estate::unsupported_engine", &text.span, "cannot be moved", message, hint);
        }
        database.url.as_ref()
    }
}
