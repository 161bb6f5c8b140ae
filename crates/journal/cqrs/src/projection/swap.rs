//! One version in the place of another, in one transaction.

use atalaya_eventstore::{Dialect, Ran, Statement, Tables, TablesError, Value};

use super::bookkeeping::{self, identity, no_view, view};
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
    // A view with other columns cannot be replaced; then it is made anew, without what was granted on the former.
    let swapped = match tables.run(statements(tables.dialect(), projection, Views::Replaced)).await {
        Err(TablesError::Refused { statement, .. }) if statement >= VIEWS_FROM => {
            tables.run(statements(tables.dialect(), projection, Views::Anew)).await?
        }
        ran => ran?,
    };
    match swapped {
        Ran::Committed(_) => Ok(true),
        Ran::Unexpected { statement: OWED, .. } => {
            Err(not_now("cannot take over while side effects of events that are set aside are owed: retry those first"))
        }
        Ran::Unexpected { .. } => Ok(false),
    }
}

/// How readers come to see the other tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Views {
    Replaced,
    Anew,
}

/// The statement that finds side effects that only the live version knows to be owed.
const OWED: usize = 2;
/// The first statement that changes what readers see.
const VIEWS_FROM: usize = 6;

fn statements(dialect: Dialect, projection: &dyn Projection, views: Views) -> Vec<Statement> {
    let names = Names::new(projection.version());
    let of = |sql: &str, more: Vec<Value>| Statement::new(sql, [identity(projection), more].concat());
    let mut statements = vec![
        // Whoever moves the live one's checkpoint waits here, and finds it retired.
        of(
            "UPDATE atalaya_projections SET checkpoint = checkpoint WHERE name = $1 AND version <> $2 AND live",
            Vec::new(),
        )
        .touching(1),
        // What both have set aside is owed by the one that takes over.
        of(
            "UPDATE atalaya_projection_parked SET effects = $3
              WHERE name = $1 AND version = $2 AND position IN
                    (SELECT p.position FROM atalaya_projection_parked p JOIN atalaya_projections l
                        ON l.name = p.name AND l.version = p.version AND l.live
                      WHERE p.name = $1 AND p.effects)",
            vec![true.into()],
        ),
        of(
            "UPDATE atalaya_projections SET checkpoint = checkpoint
              WHERE name = $1 AND version = $2 AND NOT EXISTS
                    (SELECT 1 FROM atalaya_projection_parked p JOIN atalaya_projections l
                        ON l.name = p.name AND l.version = p.version AND l.live
                      WHERE p.name = $1 AND p.effects AND NOT EXISTS
                            (SELECT 1 FROM atalaya_projection_parked q
                              WHERE q.name = $1 AND q.version = $2 AND q.position = p.position))",
            Vec::new(),
        )
        .touching(1),
        of(
            "UPDATE atalaya_projections SET checkpoint = checkpoint
              WHERE name = $1 AND version = $2 AND checkpoint =
                    (SELECT checkpoint FROM atalaya_projections WHERE name = $1 AND live)",
            Vec::new(),
        )
        .touching(1),
        of(
            "UPDATE atalaya_projections SET live = $3, retired = $4 WHERE name = $1 AND version <> $2 AND live",
            vec![false.into(), true.into()],
        )
        .touching(1),
        of("UPDATE atalaya_projections SET live = $3 WHERE name = $1 AND version = $2", vec![true.into()]).touching(1),
    ];
    for table in projection.tables(dialect) {
        // SQLite has no other way, and no grants.
        if views == Views::Anew || dialect == Dialect::Sqlite {
            statements.push(no_view(table.name));
        }
        statements.push(view(dialect, table.name, &names));
    }
    statements
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
