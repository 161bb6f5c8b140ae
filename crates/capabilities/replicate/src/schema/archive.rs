//! A schema-only dump of the source, and SQL taken out of it entry by entry.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use atalaya_data::RelationName;
use atalaya_estate::ConnectionUrl;

use super::ClientTools;
use super::entry::{Entry, Stage};
use super::private_file::create_private;
use crate::Error;

/// A dump on disk with its table of contents.
pub(crate) struct Archive {
    tools: ClientTools,
    path: PathBuf,
    entries: Vec<(Entry, Stage)>,
    ownership: Ownership,
}

/// Whether owners and privileges are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// As on the source: the role may act as every owner.
    Kept,
    /// Everything belongs to the role that restores; privileges are left out.
    Taken,
}

/// What is dumped, and where to.
pub(crate) struct Dump<'a> {
    pub(crate) source: &'a ConnectionUrl,
    /// The snapshot to see the schema in; none for the schema as it is.
    pub(crate) snapshot: Option<&'a str>,
    /// The tables alone that are dumped, with what belongs to them; everything where none is named.
    pub(crate) only: &'a [RelationName],
    /// Tables that stay.
    pub(crate) excluded: &'a [RelationName],
    pub(crate) path: PathBuf,
    pub(crate) ownership: Ownership,
}

impl Archive {
    /// Dumps the source's schema as the snapshot sees it, unless the dump is there already.
    pub(crate) async fn dump(tools: ClientTools, dump: Dump<'_>) -> Result<Self, Error> {
        let Dump { source, snapshot, only, excluded, path, ownership } = dump;
        if !path.exists() {
            if let Some(folder) = path.parent() {
                // Nobody else's: a dump holds what the schema's authors wrote, passwords of user mappings among it.
                let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
                made.map_err(|source| file_error("create", folder, source))?;
            }
            let partial = path.with_extension("partial");
            // pg_dump writes into what is there. Its archive always holds the database's own settings, which are
            // never restored but may hold an application's secret.
            let created = create_private(&partial).and_then(|file| prove_room(&file));
            created.map_err(|source| file_error("create", &partial, source))?;
            let mut arguments: Vec<OsString> = [
                "--format=custom",
                // Whatever the source's encoding is: we read the dump, and every session of ours speaks UTF8.
                "--encoding=UTF8",
                // Not `--schema-only`: it would leave out which materialized views are to be filled, too.
                "--section=pre-data",
                "--section=post-data",
                "--no-publications",
                "--no-subscriptions",
                "--exclude-schema=atalaya",
                "--lock-wait-timeout=30s",
                "--file",
            ]
            .iter()
            .map(OsString::from)
            .collect();
            arguments.push(partial.clone().into());
            if let Some(snapshot) = snapshot {
                arguments.push(format!("--snapshot={snapshot}").into());
            }
            // Quoted, a pattern is the name itself.
            arguments.extend(excluded.iter().map(|name| format!("--exclude-table={}", name.to_sql()).into()));
            arguments.extend(only.iter().map(|name| format!("--table={}", name.to_sql()).into()));
            tools.run("pg_dump", &arguments, Some(source)).await?;
            // Only what can be read is kept: the next run would take it for good.
            let list = list_entries(&tools, &partial).await?;
            std::fs::rename(&partial, &path).map_err(|source| file_error("write", &path, source))?;
            return Ok(Self { tools, path, entries: list, ownership });
        }
        let entries = list_entries(&tools, &path).await?;
        Ok(Self { tools, path, entries, ownership })
    }

    /// The entries of one stage, in the dump's order.
    pub(crate) fn entries(&self, stage: Stage) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |(_, of)| *of == stage).map(|(entry, _)| entry)
    }

    /// The SQL of some entries.
    pub(crate) async fn sql(&self, entries: &[&Entry]) -> Result<String, Error> {
        self.restored(entries, &[]).await
    }

    /// The same with a line before each entry that says which one it is.
    pub(super) async fn sql_with_headers(&self, entries: &[&Entry]) -> Result<String, Error> {
        self.restored(entries, &["--verbose"]).await
    }

    async fn restored(&self, entries: &[&Entry], options: &[&str]) -> Result<String, Error> {
        if entries.is_empty() {
            return Ok(String::new());
        }
        let mut list = tempfile::NamedTempFile::new().map_err(|source| file_error("create", &self.path, source))?;
        for entry in entries {
            writeln!(list, "{}", entry.line).map_err(|source| file_error("write", list.path(), source))?;
        }
        // pg_dump would take `--no-tablespaces` and forget it: an archive keeps them whatever it is told.
        let mut arguments: Vec<OsString> =
            vec!["--file=-".into(), "--no-tablespaces".into(), "--use-list".into(), list.path().into()];
        arguments.extend(options.iter().map(OsString::from));
        if self.ownership == Ownership::Taken {
            arguments.extend(["--no-owner".into(), "--no-privileges".into()]);
        }
        arguments.push(self.path.clone().into());
        let sql = self.tools.run("pg_restore", &arguments, None).await?;
        let sql = String::from_utf8(sql).map_err(|_| Error::Broken("the schema dump is not UTF-8"))?;
        Ok(without_restrict(&sql))
    }
}

async fn list_entries(tools: &ClientTools, path: &Path) -> Result<Vec<(Entry, Stage)>, Error> {
    let list = tools.run("pg_restore", &["--list".into(), path.into()], None).await?;
    Ok(String::from_utf8_lossy(&list).lines().filter_map(Entry::parse).collect())
}

/// Writes as much as a small dump has and takes it back. On a full disk pg_dump loses such a one without a word: the
/// failure hides in a seek whose result it does not look at.
fn prove_room(mut file: &std::fs::File) -> std::io::Result<()> {
    const ROOM: [u8; 16 << 10] = [0; 16 << 10];
    file.write_all(&ROOM)?;
    file.sync_all()?;
    file.set_len(0)
}

/// Leaves out psql's `\restrict` pair, which newer versions put around a script; it is no SQL.
fn without_restrict(sql: &str) -> String {
    let Some(start) = sql.find("\n\\restrict ") else { return sql.to_owned() };
    let line_end = |from: usize| sql.get(from..).and_then(|rest| rest.find('\n')).map_or(sql.len(), |at| from + at);
    let (head, body_from) = (sql.get(..=start).unwrap_or_default(), line_end(start + 1));
    let body = sql.get(body_from..).unwrap_or_default();
    let body_to = body.rfind("\n\\unrestrict ").unwrap_or(body.len());
    format!("{head}{}", body.get(..body_to).unwrap_or_default())
}

fn file_error(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File { action, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pair_of_psql_is_left_out() {
        let sql = "--\n\n\\restrict abc\n\nSELECT '\n\\restrict inner';\n\n\\unrestrict abc\n\n";
        assert_eq!(without_restrict(sql), "--\n\n\n\nSELECT '\n\\restrict inner';\n");
        assert_eq!(without_restrict("SELECT 1;\n"), "SELECT 1;\n");
    }
}
