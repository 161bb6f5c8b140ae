//! What is written down of projections beside their tables: how far each version has come, which one is live, what is set
//! aside.

use atalaya_eventstore::{Dialect, Digest, Position, Statement, Tables, Value};

use super::{Names, Projection, ProjectionError};

const VERSIONS: &str = "
    CREATE TABLE IF NOT EXISTS atalaya_projections (
        name text NOT NULL, version bigint NOT NULL, checkpoint bigint NOT NULL,
        chain BLOB NOT NULL, live boolean NOT NULL, retired boolean NOT NULL, PRIMARY KEY (name, version))";
/// Two live ones would cause everything twice.
const ONE_LIVE: &str =
    "CREATE UNIQUE INDEX IF NOT EXISTS atalaya_projections_live ON atalaya_projections (name) WHERE live";
const PARKED: &str = "
    CREATE TABLE IF NOT EXISTS atalaya_projection_parked (
        name text NOT NULL, version bigint NOT NULL, key text NOT NULL, position bigint NOT NULL, reason text NOT NULL,
        effects boolean NOT NULL, PRIMARY KEY (name, version, position))";
const PARKED_BY_KEY: &str = "
    CREATE INDEX IF NOT EXISTS atalaya_projection_parked_by_key
        ON atalaya_projection_parked (name, version, key, position)";

/// How far a version has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VersionRow {
    pub(super) version: u32,
    pub(super) checkpoint: Position,
    pub(super) chain: Option<Digest>,
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
    let binary = if tables.dialect() == Dialect::Postgres { "bytea" } else { "blob" };
    statements.push(Statement::new(VERSIONS.replace("BLOB", binary), Vec::new()));
    statements.extend([ONE_LIVE, PARKED, PARKED_BY_KEY].map(|sql| Statement::new(sql, Vec::new())));
    let names = Names::new(projection.version());
    let of_projection = projection.tables(tables.dialect());
    for table in &of_projection {
        let sql = format!("CREATE TABLE IF NOT EXISTS {} ({})", names.of(table.name), table.columns);
        statements.push(Statement::new(sql, Vec::new()));
    }
    // Under the same lock: of two versions that come first at once, one is live.
    statements.push(Statement::new(
        "INSERT INTO atalaya_projections (name, version, checkpoint, chain, live, retired)
         SELECT $1, $2, 0, $3, NOT EXISTS (SELECT 1 FROM atalaya_projections WHERE name = $1), $4
          WHERE NOT EXISTS (SELECT 1 FROM atalaya_projections WHERE name = $1 AND version = $2)",
        [identity(projection), vec![Value::from(Digest::ZERO.as_bytes().to_vec()), Value::Boolean(false)]].concat(),
    ));
    tables.run(statements).await?;
    let versions = read(tables, projection).await?;
    if versions.iter().any(|row| row.version == projection.version() && row.live) {
        let views = of_projection.iter().map(|table| view(tables.dialect(), table.name, &names));
        tables.run(views.collect()).await?;
    }
    Ok(())
}

/// The statement that makes readers see a version's table, where they see none or one with the same first columns. Who may
/// read it stays.
pub(super) fn view(dialect: Dialect, table: &str, names: &Names) -> Statement {
    let make = match dialect {
        Dialect::Postgres => "CREATE OR REPLACE VIEW",
        Dialect::Sqlite => "CREATE VIEW IF NOT EXISTS",
    };
    let name = atalaya_data::quote_identifier(table);
    Statement::new(format!("{make} {name} AS SELECT * FROM {}", names.of(table)), Vec::new())
}

/// The statement that takes a view away, so that one with other columns can be made.
pub(super) fn no_view(table: &str) -> Statement {
    Statement::new(format!("DROP VIEW IF EXISTS {}", atalaya_data::quote_identifier(table)), Vec::new())
}

/// Every version that is known of.
pub(super) async fn read(tables: &Tables, projection: &dyn Projection) -> Result<Vec<VersionRow>, ProjectionError> {
    let sql = "SELECT version, checkpoint, CASE WHEN live THEN 1 ELSE 0 END, CASE WHEN retired THEN 1 ELSE 0 END, chain
                 FROM atalaya_projections WHERE name = $1 ORDER BY version";
    let rows = tables.query(Statement::new(sql, vec![Value::from(projection.name())])).await?;
    let row = |row: &Vec<Value>| {
        let number = |at: usize| row.get(at).and_then(Value::as_integer);
        Some(VersionRow {
            version: u32::try_from(number(0)?).ok()?,
            checkpoint: Position::new(u64::try_from(number(1)?).ok()?),
            chain: row.get(4).and_then(Value::as_bytes).and_then(Digest::from_slice),
            live: number(2)? != 0,
            retired: number(3)? != 0,
        })
    };
    rows.iter()
        .map(|found| row(found).ok_or_else(|| ProjectionError::Unreadable { projection: projection.name().to_owned() }))
        .collect()
}
