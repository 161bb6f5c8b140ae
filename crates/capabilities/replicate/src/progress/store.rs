//! Rows of `atalaya.migration`, `atalaya.progress` and `atalaya.steps`.

use std::collections::{BTreeSet, HashSet};

use atalaya_data::{Lsn, RelationName, quote_literal};
use atalaya_postgres::catalog::ServerIdentity;
use atalaya_postgres::{Session, control};

use crate::Error;

/// How far a migration has come; each phase ends before the next is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The row stands; publication, slot and snapshot may or may not.
    Created,
    /// Slot and position stand; the schema and rows are on their way.
    Copy,
    /// Every row of the snapshot is there; changes are followed.
    Stream,
    /// Proven and complete; only what is ours is still to be removed.
    Finished,
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Copy => "copy",
            Self::Stream => "stream",
            Self::Finished => "finished",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        [Self::Created, Self::Copy, Self::Stream, Self::Finished]
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| {
                Error::refused(
                    "unknown-phase",
                    format!("atalaya.migration holds the phase `{text}`, which this version does not know"),
                    "use the version of atalaya that began this migration",
                )
            })
    }
}

/// A backend of a server.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct StoredBackend {
    /// Its process.
    #[serde(rename = "backend_pid")]
    pub(crate) pid: i32,
    /// When it started, as its server writes it: a pid alone can be another's later.
    #[serde(rename = "backend_start")]
    pub(crate) start: String,
}

/// A snapshot that a holder keeps open.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct StoredSnapshot {
    /// The name to import.
    pub(crate) name: String,
    /// The position it stands for.
    pub(crate) lsn: Lsn,
    /// The holder's backend on the source: the snapshot ends with it, also one that a standby keeps.
    #[serde(flatten)]
    pub(crate) holder: StoredBackend,
    /// The backend on the standby that keeps the snapshot; none where the source does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) standby: Option<StoredBackend>,
}

/// One row of `atalaya.migration`.
#[derive(Clone, Debug)]
pub(crate) struct Migration {
    pub(crate) name: String,
    pub(crate) identity: ServerIdentity,
    pub(crate) slot: String,
    pub(crate) publication: String,
    pub(crate) phase: Phase,
    pub(crate) snapshot: Option<StoredSnapshot>,
    pub(crate) schema: SchemaChoice,
    /// Why the slot was given up, where it was.
    pub(crate) given_up: Option<GivenUp>,
    /// Whether an event trigger on the source tells of statements.
    pub(crate) ddl_trigger: bool,
}

/// A slot that was dropped so that the source's disk does not fill: the move has to begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GivenUp {
    /// Bytes of log that the slot kept.
    pub retained_bytes: u64,
    /// What it was allowed to keep.
    pub limit_bytes: u64,
}

/// What the first run was told of the target's schema; later commands go by it, whatever they are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct SchemaChoice {
    /// The target's tables were there already.
    #[serde(default)]
    pub(crate) existing: bool,
    /// Objects belong to the target's role, and privileges are not moved.
    #[serde(default)]
    pub(crate) no_owner: bool,
}

/// What cannot be read is refused: taken for nothing it would have tables copied anew, or a schema restored twice.
fn read_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| {
        Error::refused(
            "unreadable-state",
            format!("atalaya.migration holds a value in `{what}` that this version cannot read"),
            "use the version of atalaya that began this migration",
        )
    })
}

impl Migration {
    /// The publication of tables that are only inserted into.
    pub(crate) fn append_publication(&self) -> String {
        format!("{}_append", self.publication)
    }
}

/// Reads and writes the migration's rows on one session.
pub(crate) struct Store<'a> {
    pub(crate) session: &'a Session,
    pub(crate) name: &'a str,
}

impl Store<'_> {
    /// The migration, where there is one.
    pub(crate) async fn read(&self) -> Result<Option<Migration>, Error> {
        if !control::is_installed(self.session).await? {
            return Ok(None);
        }
        let row = self
            .session
            .query_opt(
                "SELECT system_identifier, timeline, source_database, slot, publication, phase, snapshot::text,
                        (options ->> 'database_oid')::oid, (options -> 'schema')::text, (options -> 'given_up')::text,
                        coalesce((options ->> 'ddl_trigger')::boolean, false)
                   FROM atalaya.migration WHERE name = $1",
                &[&self.name],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (snapshot, schema): (Option<String>, Option<String>) = (row.get(6), row.get(8));
        let given_up: Option<String> = row.get(9);
        Ok(Some(Migration {
            name: self.name.to_owned(),
            identity: ServerIdentity {
                system_identifier: row.get(0),
                timeline: row.get(1),
                database: row.get(2),
                database_oid: row.get::<_, Option<u32>>(7).unwrap_or_default(),
            },
            slot: row.get(3),
            publication: row.get(4),
            phase: Phase::parse(row.get(5))?,
            snapshot: snapshot.as_deref().map(|text| read_json("snapshot", text)).transpose()?,
            // Always written with the row: without it, nobody knows whether there is a schema to be completed.
            schema: read_json("options.schema", schema.as_deref().unwrap_or("null"))?,
            given_up: given_up.as_deref().map(|text| read_json("options.given_up", text)).transpose()?,
            ddl_trigger: row.get(10),
        }))
    }

    /// Writes a new migration's row, before anything is made on the source. `wal_limit` is what its slot may keep.
    pub(crate) async fn create(&self, migration: &Migration, wal_limit: Option<u64>) -> Result<(), Error> {
        control::install_schema(self.session).await?;
        let options = serde_json::json!({
            "database_oid": migration.identity.database_oid,
            "schema": migration.schema,
            "wal_limit_bytes": wal_limit,
        })
        .to_string();
        self.session
            .execute(
                "INSERT INTO atalaya.migration (name, system_identifier, timeline, source_database, slot, publication,
                                                phase, options)
                 VALUES ($1, $2, $3, $4, $5, $6, 'created', ($7::text)::jsonb)",
                &[
                    &migration.name,
                    &migration.identity.system_identifier,
                    &migration.identity.timeline,
                    &migration.identity.database,
                    &migration.slot,
                    &migration.publication,
                    &options,
                ],
            )
            .await?;
        Ok(())
    }

    /// Stores slot and snapshot: from here on the position counts.
    pub(crate) async fn enter_copy(&self, snapshot: &StoredSnapshot, writers: usize) -> Result<(), Error> {
        let name = quote_literal(self.name);
        let lsn = snapshot.lsn;
        let json = quote_literal(&serde_json::json!(snapshot).to_string());
        self.session
            .batch(&format!(
                "BEGIN;
                 UPDATE atalaya.migration SET phase = 'copy', snapshot = {json} WHERE name = {name};
                 INSERT INTO atalaya.progress (migration, writer, applied)
                 SELECT {name}, n, CASE n WHEN 0 THEN '{lsn}'::pg_lsn ELSE '0/0' END FROM generate_series(0, {writers}) AS n;
                 UPDATE atalaya.tables SET start_lsn = '{lsn}' WHERE migration = {name};
                 COMMIT"
            ))
            .await?;
        Ok(())
    }

    /// Makes sure that each loading worker has its marker row.
    pub(crate) async fn ensure_writers(&self, writers: usize) -> Result<(), Error> {
        let last = i32::try_from(writers).unwrap_or(i32::MAX);
        self.session
            .execute(
                "INSERT INTO atalaya.progress (migration, writer)
                 SELECT $1, n FROM generate_series(1, $2) AS n ON CONFLICT DO NOTHING",
                &[&self.name, &last],
            )
            .await?;
        Ok(())
    }

    /// Replaces a snapshot whose holder died: unfinished tables begin anew at the new one's position.
    /// Tables that foreign keys refer to are emptied row by row.
    pub(crate) async fn replace_snapshot(
        &self,
        snapshot: &StoredSnapshot,
        referenced: &HashSet<RelationName>,
    ) -> Result<(), Error> {
        let name = quote_literal(self.name);
        let lsn = snapshot.lsn;
        let json = quote_literal(&serde_json::json!(snapshot).to_string());
        let tables = self.read_tables().await?;
        // Whoever shares its target with an unfinished table is unfinished, too: the target is emptied. Others are
        // emptied where their copy begins.
        let shared: BTreeSet<&RelationName> =
            tables.iter().filter(|table| table.shares_target && !table.done).map(|table| &table.target).collect();
        let truncate: String = shared
            .iter()
            .map(|target| match referenced.contains(*target) {
                false => format!("TRUNCATE {};", target.to_sql()),
                true => format!("SET LOCAL session_replication_role = replica; DELETE FROM {};", target.to_sql()),
            })
            .collect();
        let unfinished = "EXISTS (SELECT FROM atalaya.tables o WHERE o.migration = t.migration AND o.state <> 'done'
                                     AND o.target_schema = t.target_schema AND o.target_name = t.target_name)";
        self.session
            .batch(&format!(
                "BEGIN; {};
                 UPDATE atalaya.migration SET snapshot = {json} WHERE name = {name};
                 {truncate}
                 DELETE FROM atalaya.copy_ranges r USING atalaya.tables t
                  WHERE t.migration = {name} AND {unfinished} AND r.migration = t.migration
                    AND r.schema = t.schema AND r.name = t.name;
                 UPDATE atalaya.tables t SET start_lsn = '{lsn}', state = 'pending', ranges = NULL, copied_rows = 0,
                        copied_bytes = 0
                  WHERE migration = {name} AND {unfinished};
                 COMMIT",
                self.marker_sql()
            ))
            .await?;
        Ok(())
    }

    /// What the running process says of itself; what it says of its spool is written apart, and stays.
    pub(crate) async fn write_activity(&self, report: &serde_json::Value) -> Result<(), Error> {
        self.session
            .batch(&format!(
                "INSERT INTO atalaya.activity AS a (migration, report, updated_at) VALUES ({}, {}, now())
                 ON CONFLICT (migration) DO UPDATE SET updated_at = excluded.updated_at, report = excluded.report
                     || jsonb_strip_nulls(jsonb_build_object('spool', a.report -> 'spool'))",
                quote_literal(self.name),
                quote_literal(&report.to_string())
            ))
            .await?;
        Ok(())
    }

    /// Adds to the migration's options; what is there under the same name is replaced.
    pub(crate) async fn merge_options(&self, options: &serde_json::Value) -> Result<(), Error> {
        self.session
            .execute(
                "UPDATE atalaya.migration SET options = options || ($2::text)::jsonb WHERE name = $1",
                &[&self.name, &options.to_string()],
            )
            .await?;
        Ok(())
    }

    /// Ends the copy.
    pub(crate) async fn enter_stream(&self) -> Result<(), Error> {
        self.session
            .execute("UPDATE atalaya.migration SET phase = 'stream', snapshot = NULL WHERE name = $1", &[&self.name])
            .await?;
        Ok(())
    }

    /// Ends the move: nothing is applied any more.
    pub(crate) async fn enter_finished(&self) -> Result<(), Error> {
        self.session.execute("UPDATE atalaya.migration SET phase = 'finished' WHERE name = $1", &[&self.name]).await?;
        Ok(())
    }

    /// The statement that every transaction which touches a user's table begins with, so that a way back knows it
    /// as ours and does not send it round.
    pub(crate) fn marker_sql(&self) -> String {
        let name = quote_literal(self.name);
        format!("UPDATE atalaya.progress SET marker = marker + 1 WHERE migration = {name} AND writer = 0")
    }

    /// The stored position.
    pub(crate) async fn applied(&self) -> Result<Lsn, Error> {
        let row = self
            .session
            .query_one("SELECT applied::text FROM atalaya.progress WHERE migration = $1 AND writer = 0", &[&self.name])
            .await?;
        row.get::<_, String>(0).parse().map_err(|_| Error::Broken("the stored position cannot be read"))
    }

    /// Whether a step was done.
    pub(crate) async fn has_step(&self, step: &str) -> Result<bool, Error> {
        let row = self
            .session
            .query_one(
                "SELECT EXISTS (SELECT FROM atalaya.steps WHERE migration = $1 AND step = $2)",
                &[&self.name, &step],
            )
            .await?;
        Ok(row.get(0))
    }

    /// The statement that marks a step as done, to stand in the step's own transaction.
    pub(crate) fn step_sql(&self, step: &str) -> String {
        format!(
            "INSERT INTO atalaya.steps (migration, step) VALUES ({}, {})",
            quote_literal(self.name),
            quote_literal(step)
        )
    }
}
