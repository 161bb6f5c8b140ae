//! What was written down of conflicts, for `status` and `conflicts`.

use atalaya_data::RelationName;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::{Session, control};

use crate::Error;

/// How many conflicts of one kind a table has had.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ConflictCount {
    /// The target's table.
    pub table: RelationName,
    /// `insert_exists`, `update_missing`, `update_exists`, `update_differs`, `delete_missing`, `delete_differs`,
    /// `unique_taken`, `truncate_differs` or `foreign_key_missing`.
    pub kind: String,
    /// Which row stands now: `source` or `target`; `stopped` where nothing was done.
    pub resolution: String,
    /// How many.
    pub conflicts: i64,
    /// How many of them have no row in `atalaya.conflicts`.
    pub unlisted: i64,
}

/// One row of `atalaya.conflicts`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ConflictRow {
    /// The target's table.
    pub table: RelationName,
    /// As in [`ConflictCount`].
    pub kind: String,
    /// The source's transaction.
    pub commit_lsn: String,
    /// When it was committed there.
    pub committed_at: Option<String>,
    /// The table's policy then.
    pub policy: String,
    /// As in [`ConflictCount`].
    pub resolution: String,
    /// The constraint or index that was violated.
    pub constraint: Option<String>,
    /// The columns that the row is known by.
    pub key_columns: Vec<String>,
    /// Tells rows apart without showing them.
    pub key_hash: Option<String>,
    /// The row's identity, where values are kept and were asked for.
    pub key: Option<Vec<Option<String>>>,
    /// The source's row, likewise.
    pub source_row: Option<serde_json::Value>,
    /// The target's row as it was, likewise.
    pub target_row: Option<serde_json::Value>,
    /// When it was met.
    pub seen_at: String,
}

/// The newest conflicts of a migration, at most so many; none where the target knows no such migration. Values only
/// with `show_values`, and only those that were kept.
///
/// # Errors
/// When the target cannot be read.
pub async fn conflicts(
    target: &ConnectionUrl,
    migration: &str,
    limit: u32,
    show_values: bool,
) -> Result<Option<(Vec<ConflictCount>, Vec<ConflictRow>)>, Error> {
    let session = Session::connect_for_control(target, &format!("atalaya conflicts {migration}")).await?;
    if !control::is_installed(&session).await? {
        return Ok(None);
    }
    let sql = "SELECT FROM atalaya.migration WHERE name = $1";
    if session.query_opt(sql, &[&migration]).await?.is_none() {
        return Ok(None);
    }
    let rows = session
        .query(
            "SELECT schema, name, kind, commit_lsn::text, committed_at::text, policy, resolution, constraint_name,
                    key_columns, key_hash, CASE WHEN $3 THEN key END, CASE WHEN $3 THEN source_row END::text,
                    CASE WHEN $3 THEN target_row END::text, seen_at::text
               FROM atalaya.conflicts WHERE migration = $1 ORDER BY id DESC LIMIT $2",
            &[&migration, &i64::from(limit), &show_values],
        )
        .await?;
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let rows = rows
        .iter()
        .map(|row| ConflictRow {
            table: RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
            kind: row.get(2),
            commit_lsn: row.get(3),
            committed_at: row.get(4),
            policy: row.get(5),
            resolution: row.get(6),
            constraint: row.get(7),
            key_columns: row.get(8),
            key_hash: row.get(9),
            key: row.get(10),
            source_row: json(row.get(11)),
            target_row: json(row.get(12)),
            seen_at: row.get(13),
        })
        .collect();
    Ok(Some((read_counts(&session, migration).await?, rows)))
}

/// Conflicts counted by table, kind and how they ended.
pub(crate) async fn read_counts(session: &Session, migration: &str) -> Result<Vec<ConflictCount>, Error> {
    let rows = session
        .query(
            "SELECT schema, name, kind, resolution, conflicts, unlisted FROM atalaya.conflict_counts
              WHERE migration = $1 ORDER BY schema, name, kind, resolution",
            &[&migration],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| ConflictCount {
            table: RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
            kind: row.get(2),
            resolution: row.get(3),
            conflicts: row.get(4),
            unlisted: row.get(5),
        })
        .collect())
}
