//! What is written down of projections beside their tables: how far each version has come, which one is live, what is set
//! aside.

use atalaya_eventstore::{Dialect, Position, Statement, Tables, Value};

use super::{Names, Projection, ProjectionError};

const VERSIONS: &str = "
    CREATE TABLE IF NOT EXISTS atalaya_projections (
        name text NOT NULL, version bigint NOT NULL, checkpoint bigint NOT NULL,
        live boolean NOT NULL, retired boolean NOT NULL, PRIMARY KEY (name, version))";
const PARKED: &str = "
    CREATE TABLE IF NOT EXISTS atalaya_projection_parked (
        name text NOT NULL, version bigint NOT NULL, key text NOT NULL, position bigint NOT NULL, reason text NOT NULL,
        PRIMARY KEY (name, version, position))";
const PARKED_BY_KEY: &str = "
    CREATE INDEX IF NOT EXISTS atalaya_projection_parked_by_key
        ON atalaya_projection_parked (name, version, key, position)";

/// How far a version has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VersionRow {
    pub(super) version: u32,
    pub(super) checkpoint: Position,
    pub(super) live: bool,
    pub(super) retired: bool,
}

/// A projection's name and version as parameters `$1` and `$2`.
pub(super) fn identity(projection: &dyn Projection) -> Vec<Value> {
    vec![Value::from(projection.name()), Value::Integer(i64::from(projection.version()))]
}

pub(super) fn stored(position: Position) -> Value {
    Value::Integer(i64::try_from(position.number()).unwrap_or(i64::MAX))
}

/// Makes what is missing; the first version of a projection is live at once.
pub(super) async fn ensure(tables: &Tables, projection: &dyn Projection) -> Result<(), ProjectionError> {
    let mut statements = Vec::new();
    if tables.dialect() == Dialect::Postgres {
        // Two programs that start at once: CREATE ... IF NOT EXISTS alone would fail in one of them.
        let lock = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('atalaya_projections'))";
        statements.push(Statement::new(lock, Vec::new()));
    }
    statements.extend([VERSIONS, PARKED, PARKED_BY_KEY].map(|sql| Statement::new(sql, Vec::new())));
    let names = Names::new(projection.version());
    let of_projection = projection.tables(tables.dialect());
    for table in &of_projection {
        let sql = format!("CREATE TABLE IF NOT EXISTS {} ({})", names.of(table.name), table.columns);
        statements.push(Statement::new(sql, Vec::new()));
    }
    tables.run(statements).await?;
    let versions = read(tables, projection).await?;
    if versions.iter().any(|row| row.version == projection.version()) {
        return Ok(());
    }
    let first = versions.is_empty();
    let mut statements = vec![Statement::new(
        "INSERT INTO atalaya_projections (name, version, checkpoint, live, retired)
         VALUES ($1, $2, 0, $3, $4) ON CONFLICT DO NOTHING",
        [identity(projection), vec![Value::Boolean(first), Value::Boolean(false)]].concat(),
    )];
    if first {
        statements.extend(of_projection.iter().flat_map(|table| view(table.name, &names)));
    }
    tables.run(statements).await?;
    Ok(())
}

/// The statements that make readers see a version's table.
pub(super) fn view(table: &str, names: &Names) -> [Statement; 2] {
    let name = atalaya_data::quote_identifier(table);
    [
        Statement::new(format!("DROP VIEW IF EXISTS {name}"), Vec::new()),
        Statement::new(format!("CREATE VIEW {name} AS SELECT * FROM {}", names.of(table)), Vec::new()),
    ]
}

/// Every version that is known of.
pub(super) async fn read(tables: &Tables, projection: &dyn Projection) -> Result<Vec<VersionRow>, ProjectionError> {
    let sql = "SELECT version, checkpoint, CASE WHEN live THEN 1 ELSE 0 END, CASE WHEN retired THEN 1 ELSE 0 END
                 FROM atalaya_projections WHERE name = $1 ORDER BY version";
    let rows = tables.query(Statement::new(sql, vec![Value::from(projection.name())])).await?;
    let row = |row: &Vec<Value>| {
        let number = |at: usize| row.get(at).and_then(Value::as_integer);
        Some(VersionRow {
            version: u32::try_from(number(0)?).ok()?,
            checkpoint: Position::new(u64::try_from(number(1)?).ok()?),
            live: number(2)? != 0,
            retired: number(3)? != 0,
        })
    };
    rows.iter()
        .map(|found| row(found).ok_or_else(|| ProjectionError::Unreadable { projection: projection.name().to_owned() }))
        .collect()
}
