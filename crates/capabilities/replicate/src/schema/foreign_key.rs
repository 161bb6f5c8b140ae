//! Foreign keys in two steps: added without looking at the rows, then validated under a weaker lock, several tables at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::archive::Archive;
use super::builders::{Builders, Work};
use super::entry::{Entry, Stage};
use super::scripts::Scripts;
use super::sections::{LOCK_TIMEOUT, run_script, step_name};
use crate::progress::Store;
use crate::{Error, Options};

/// A foreign key's script, split.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// The table whose key it is, as SQL.
    pub(super) table: String,
    /// The script with `NOT VALID`.
    pub(super) add: String,
    /// The statement that validates it.
    pub(super) validate: String,
}

/// A key that stands and whose rows are to be looked at.
struct Added {
    step: String,
    validate: String,
}

/// Whose foreign keys are restored, and how.
pub(crate) struct ForeignKeyRestore<'a> {
    pub(crate) archive: &'a Archive,
    pub(crate) store: &'a Store<'a>,
    pub(crate) builders: &'a Builders<'a>,
    pub(crate) options: &'a Options,
    /// What the names of their steps begin with.
    pub(crate) prefix: &'a str,
}

/// Foreign keys, each in transactions of its own: all are added, then all validated.
///
/// Keys of one table are validated one after the other: each locks the table against the next one (SHARE UPDATE EXCLUSIVE),
/// and a lock that is waited for longer than [`LOCK_TIMEOUT`] would end the run. None is added meanwhile for the same reason.
pub(crate) async fn restore_foreign_keys(keys: &ForeignKeyRestore<'_>) -> Result<(), Error> {
    let ForeignKeyRestore { archive, store, builders, options, prefix } = *keys;
    let step = |entry: &Entry| format!("{prefix}{}", step_name(entry));
    let mut open = Vec::new();
    for entry in archive.entries(Stage::ForeignKey) {
        if !store.has_step(&validated(&step(entry))).await? {
            open.push(entry);
        }
    }
    let scripts = Scripts::of(archive, &open).await?;
    let mut tables: HashMap<String, Vec<Added>> = HashMap::new();
    for entry in open {
        if let Some((table, added)) = add(&scripts, store, entry, step(entry)).await? {
            tables.entry(table).or_default().push(added);
            options.failpoints.reach("foreign-key-added");
        }
    }
    let tables: Vec<Vec<Added>> = tables.into_values().collect();
    let next = AtomicUsize::new(0);
    let worker = || async {
        let session = builders.take(Work::ForeignKeys).await?;
        let own = Store { session: &session, name: store.name };
        while let Some(keys) = tables.get(next.fetch_add(1, Ordering::Relaxed)) {
            for key in keys {
                run_script(&own, &validated(&key.step), &key.validate, LOCK_TIMEOUT).await?;
                options.failpoints.reach("foreign-key-validated");
            }
        }
        builders.give_back(session).await;
        Ok::<(), Error>(())
    };
    let workers = options.index_workers.min(tables.len());
    futures_util::future::try_join_all((0..workers).map(|_| worker())).await?;
    Ok(())
}

fn validated(step: &str) -> String {
    format!("VALIDATE {step}")
}

/// Adds one key, and says whose it is where its rows are left to be looked at.
async fn add(
    scripts: &Scripts<'_>,
    store: &Store<'_>,
    entry: &Entry,
    step: String,
) -> Result<Option<(String, Added)>, Error> {
    let script = scripts.of_entry(entry).await?;
    let Some(split) = split(&script) else {
        run_script(store, &step, &script, LOCK_TIMEOUT).await?;
        run_script(store, &validated(&step), "", LOCK_TIMEOUT).await?;
        return Ok(None);
    };
    run_script(store, &step, &split.add, LOCK_TIMEOUT).await?;
    Ok(Some((split.table, Added { step, validate: split.validate })))
}

/// Splits pg_restore's script of one foreign key. None where it has to be added as it is: on a partitioned
/// table, which takes no `NOT VALID` before 18 (pg_dump writes no `ONLY` there), or not valid on the source.
pub(super) fn split(script: &str) -> Option<Split> {
    const ALTER: &str = "ALTER TABLE ONLY ";
    const ADD: &str = "\n    ADD CONSTRAINT ";
    let table_from = script.find(ALTER)? + ALTER.len();
    let table_to = table_from + script.get(table_from..)?.find(ADD)?;
    let table = script.get(table_from..table_to)?;
    let name_from = table_to + ADD.len();
    let name_to = name_from + script.get(name_from..)?.find(" FOREIGN KEY (")?;
    let name = script.get(name_from..name_to)?;
    let end = name_to + script.get(name_to..)?.rfind(";\n")?;
    let (before, after) = (script.get(..end)?, script.get(end..)?);
    if before.ends_with(" NOT VALID") {
        return None;
    }
    Some(Split {
        table: table.to_owned(),
        add: format!("{before} NOT VALID{after}"),
        validate: format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name};"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_added_first_and_validated_then() {
        let script = "SET x = 1;\n\n--\n-- Name: b b_a_fkey; Type: FK CONSTRAINT\n--\n\nALTER TABLE ONLY public.b\n    \
                      ADD CONSTRAINT \"odd name\" FOREIGN KEY (a) REFERENCES public.a(id) DEFERRABLE;\n\n\n--\n-- done\n--\n";
        let split = split(script).unwrap();
        assert!(split.add.contains("REFERENCES public.a(id) DEFERRABLE NOT VALID;\n"));
        assert_eq!(split.validate, "ALTER TABLE public.b VALIDATE CONSTRAINT \"odd name\";");
    }

    #[test]
    fn partitioned_tables_and_keys_that_are_not_valid_are_left_as_they_are() {
        let partitioned = "ALTER TABLE public.b\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES public.a(id);\n";
        assert_eq!(split(partitioned), None);
        let open =
            "ALTER TABLE ONLY public.b\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES public.a(id) NOT VALID;\n";
        assert_eq!(split(open), None);
    }
}
