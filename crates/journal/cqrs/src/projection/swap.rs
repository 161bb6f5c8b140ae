//! One version in the place of another, in one transaction.

use atalaya_eventstore::{Ran, Statement, Tables};

use super::bookkeeping::{self, identity, view};
use super::{Names, Projection, ProjectionError};

/// Swaps a version in, if it stands where the live one does.
pub(super) async fn swap_in(tables: &Tables, projection: &dyn Projection) -> Result<bool, ProjectionError> {
    let not_now = |reason| ProjectionError::NotNow {
        projection: projection.name().to_owned(),
        version: projection.version(),
        reason,
    };
    let versions = bookkeeping::read(tables, projection).await?;
    let own = versions.iter().find(|row| row.version == projection.version());
    if own.is_none_or(|own| own.live || own.retired) {
        return Err(not_now("is live already, or was"));
    }
    let names = Names::new(projection.version());
    let mut statements = vec![
        // Whoever moves the live one's checkpoint waits here, and finds it retired.
        Statement::new(
            "UPDATE atalaya_projections SET checkpoint = checkpoint WHERE name = $1 AND version <> $2 AND live",
            identity(projection),
        )
        .touching(1),
        Statement::new(
            "UPDATE atalaya_projections SET live = $3
              WHERE name = $1 AND version = $2 AND checkpoint =
                    (SELECT checkpoint FROM atalaya_projections WHERE name = $1 AND live)",
            [identity(projection), vec![true.into()]].concat(),
        )
        .touching(1),
        Statement::new(
            "UPDATE atalaya_projections SET live = $3, retired = $4 WHERE name = $1 AND version <> $2 AND live",
            [identity(projection), vec![false.into(), true.into()]].concat(),
        )
        .touching(1),
    ];
    statements.extend(projection.tables(tables.dialect()).iter().flat_map(|table| view(table.name, &names)));
    Ok(matches!(tables.run(statements).await?, Ran::Committed(_)))
}

/// Drops a version that nobody reads.
pub(super) async fn discard(tables: &Tables, projection: &dyn Projection) -> Result<(), ProjectionError> {
    let names = Names::new(projection.version());
    let mut statements = vec![
        Statement::new(
            "DELETE FROM atalaya_projections WHERE name = $1 AND version = $2 AND NOT live",
            identity(projection),
        )
        .touching(1),
        Statement::new("DELETE FROM atalaya_projection_parked WHERE name = $1 AND version = $2", identity(projection)),
    ];
    let own = projection.tables(tables.dialect());
    statements.extend(
        own.iter().map(|table| Statement::new(format!("DROP TABLE IF EXISTS {}", names.of(table.name)), Vec::new())),
    );
    match tables.run(statements).await? {
        Ran::Committed(_) => Ok(()),
        Ran::Unexpected { .. } => Err(ProjectionError::NotNow {
            projection: projection.name().to_owned(),
            version: projection.version(),
            reason: "is live, or is none",
        }),
    }
}
