//! What a certificate says besides rows: servers, sequences, conflicts, what stayed behind.

use std::collections::HashSet;

use atalaya_catalog::{Relation, RelationKind};
use atalaya_data::RelationName;
use atalaya_postgres::Session;
use atalaya_postgres::catalog::{SequenceState, read_identity, read_relations, read_sequences};

use super::document::{
    CertifiedConflicts, CertifiedPosition, CertifiedSequence, CertifiedServer, NotCertified, StandsAt,
};
use crate::survey::Survey;
use crate::{Error, Plan, SchemaSide};

/// Who a server is.
pub(crate) async fn server(session: &Session) -> Result<CertifiedServer, Error> {
    let identity = read_identity(session).await?;
    let row = session
        .query_one(
            "SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_encoding')",
            &[],
        )
        .await?;
    Ok(CertifiedServer {
        side: SchemaSide { server_version: row.get(0), database: identity.database },
        system_identifier: identity.system_identifier.to_string(),
        timeline: identity.timeline,
        encoding: row.get(1),
    })
}

/// The moment, by a server's own clock.
pub(crate) async fn now(session: &Session) -> Result<String, Error> {
    let sql =
        "SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    Ok(session.query_one(sql, &[]).await?.get(0))
}

/// Where every sequence that moves stands on both sides.
pub(crate) async fn sequences(
    plan: &Plan,
    survey: &Survey,
    source: &Session,
    target: &Session,
) -> Result<Vec<CertifiedSequence>, Error> {
    let of_target = read_sequences(target).await?;
    let mut sequences: Vec<CertifiedSequence> = read_sequences(source)
        .await?
        .into_iter()
        .filter(|state| survey.takes_sequence(plan, state))
        .map(|state| CertifiedSequence {
            target: of_target.iter().find(|other| other.name == state.name).map(stands_at),
            source: stands_at(&state),
            name: state.name,
        })
        .collect();
    sequences.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(sequences)
}

pub(crate) fn stands_at(state: &SequenceState) -> StandsAt {
    StandsAt { last_value: state.last_value.to_string(), is_called: state.is_called }
}

/// When the migration began, what it has applied and what did not apply, while the target knows it.
pub(crate) async fn history(
    target: &Session,
    migration: &str,
) -> Result<Option<(String, CertifiedPosition, Vec<CertifiedConflicts>)>, Error> {
    if !atalaya_postgres::control::is_installed(target).await? {
        return Ok(None);
    }
    let row = target
        .query_opt(
            "SELECT pg_catalog.to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                    coalesce(p.applied, '0/0')::text, coalesce(p.transactions, 0), coalesce(p.changes, 0),
                    (SELECT coalesce(sum(t.copied_rows), 0)::int8 FROM atalaya.tables t WHERE t.migration = m.name)
               FROM atalaya.migration m LEFT JOIN atalaya.progress p ON p.migration = m.name AND p.writer = 0
              WHERE m.name = $1",
            &[&migration],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let number = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    let position =
        CertifiedPosition { applied: row.get(1), transactions: number(2), changes: number(3), copied_rows: number(4) };
    let conflicts = target
        .query(
            "SELECT kind, resolution, sum(conflicts)::int8 FROM atalaya.conflict_counts WHERE migration = $1
              GROUP BY kind, resolution ORDER BY kind, resolution",
            &[&migration],
        )
        .await?
        .iter()
        .map(|row| CertifiedConflicts {
            kind: row.get(0),
            resolution: row.get(1),
            count: u64::try_from(row.get::<_, i64>(2)).unwrap_or_default(),
        })
        .collect();
    Ok(Some((row.get(0), position, conflicts)))
}

/// What stayed behind on the source, as far as it can be seen.
pub(crate) async fn not_certified(source: &Session, survey: &Survey) -> Result<Vec<NotCertified>, Error> {
    let certified: HashSet<&RelationName> = survey.units.iter().flat_map(|unit| unit.source_names()).collect();
    let mut left: Vec<NotCertified> = read_relations(source)
        .await?
        .iter()
        .filter(|relation| relation.holds_rows() || relation.kind == RelationKind::Foreign)
        .filter(|relation| {
            let root = relation.partition_root.as_ref().unwrap_or(&relation.name);
            !certified.contains(&relation.name) && !certified.contains(root)
        })
        .map(|relation| NotCertified { what: format!("table {}", relation.name), reason: reason(relation) })
        .collect();
    let objects: i64 = source.query_one("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata", &[]).await?.get(0);
    if objects > 0 {
        left.push(NotCertified { what: format!("{objects} large objects"), reason: "are not hashed here".to_owned() });
    }
    Ok(left)
}

fn reason(relation: &Relation) -> String {
    match (relation.kind, &relation.extension) {
        (RelationKind::Foreign, _) => "a foreign table".to_owned(),
        (_, Some(extension)) => format!("of the extension {extension}"),
        (RelationKind::Unlogged, _) => "an unlogged table".to_owned(),
        _ => "not chosen".to_owned(),
    }
}
