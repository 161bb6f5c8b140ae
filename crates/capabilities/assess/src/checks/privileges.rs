//! What the two roles may do.

use atalaya_data::quote_identifier;
use atalaya_postgres::wire::{WireConnection, WireOptions};

use crate::{Check, Error, Facts, Finding, Outcome, Severity, Side, SideName};

use super::support::{by_table, name_of, ready};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "replication-privilege",
        title: "the roles may start replication",
        severity: Severity::Fail,
        why: "a replication connection and a slot need the REPLICATION attribute (on RDS the role rds_replication)",
        remedy: "grant it to the role",
        run: |facts| ready(replication(facts)),
    },
    Check {
        id: "replication-connection",
        title: "a replication connection is let in",
        severity: Severity::Fail,
        why: "pg_hba.conf can let in ordinary connections and refuse those that follow changes",
        remedy: "add a line for this host, role and database to pg_hba.conf and reload; on a managed service, switch logical replication on",
        run: |facts| Box::pin(replication_connection(facts)),
    },
    Check {
        id: "publication-privilege",
        title: "the source's role may publish every selected table",
        severity: Severity::Fail,
        why: "CREATE PUBLICATION needs CREATE on the database, and to own each table",
        remedy: "grant CREATE on the database and membership in the tables' owners",
        run: |facts| Box::pin(publication(facts)),
    },
    Check {
        id: "read-privilege",
        title: "the source's role may read every column and sequence",
        severity: Severity::Fail,
        why: "a column that the role may not read cannot be copied or compared",
        remedy: "grant SELECT on the whole table, and USAGE on its schema",
        run: |facts| Box::pin(reading(facts)),
    },
    Check {
        id: "target-privileges",
        title: "the target's role may create schemas and give objects to their owners",
        severity: Severity::Fail,
        why: "the schema is restored by this role, and our own schema is made by it",
        remedy: "grant CREATE on the database and membership in the owners, or leave owners behind with --no-owner",
        run: |facts| Box::pin(target(facts)),
    },
    Check {
        id: "replica-role",
        title: "the target's role may switch triggers and foreign keys off for its own sessions",
        severity: Severity::Warn,
        why: "without session_replication_role = replica, triggers and foreign keys fire for every applied change, until they are made at the end",
        remedy: "grant it (15 and later), or leave triggers and foreign keys to the end of the move",
        run: |facts| Box::pin(replica_role(facts)),
    },
    Check {
        id: "monitor-privilege",
        title: "the roles see other sessions",
        severity: Severity::Warn,
        why: "long transactions, lag and the size of pg_wal are hidden from roles outside pg_monitor",
        remedy: "grant pg_monitor",
        run: |facts| ready(monitor(facts)),
    },
];

fn replication(facts: &Facts) -> Outcome {
    facts
        .sides()
        .into_iter()
        .filter(|side| !side.role.replication)
        .map(|side| {
            let role = quote_identifier(&side.role.name);
            let seen = format!("role `{}` has not REPLICATION", side.role.name);
            let finding = match side.name {
                SideName::Source => Finding::fail(seen),
                SideName::Target | SideName::Standby => Finding::warn(seen + ", which the way back needs"),
            };
            finding
                .on(side.name)
                .remedy(format!("ALTER ROLE {role} REPLICATION; -- on RDS: GRANT rds_replication TO {role};"))
        })
        .collect::<Vec<_>>()
        .into()
}

/// Opens a walsender, asks which system it is, and closes it: nothing is made.
async fn replication_connection(facts: &Facts) -> Result<Outcome, Error> {
    let options =
        WireOptions { application_name: "atalaya assess".to_owned(), replication: true, ..WireOptions::default() };
    let mut findings = Vec::new();
    for side in facts.servers() {
        let refused = match WireConnection::connect(&side.url, &options).await {
            Ok(mut connection) => {
                let answer = connection.simple_query("IDENTIFY_SYSTEM").await;
                connection.close().await;
                answer.err()
            }
            Err(error) => Some(error),
        };
        let Some(error) = refused else { continue };
        let said = error.server_error().map_or_else(|| atalaya_data::chain(&error), |error| error.message.clone());
        let seen = format!("refused: {said}");
        let finding = match side.name {
            SideName::Source | SideName::Standby => Finding::fail(seen),
            SideName::Target => Finding::warn(seen + "; the way back needs it"),
        };
        let remedy = match error.sqlstate() {
            Some("28000") => Some(format!(
                "host {} {} <this machine's address> scram-sha-256  # in pg_hba.conf of the {}, then: SELECT pg_reload_conf();",
                side.identity.database, side.role.name, side.name
            )),
            _ => error.hint(),
        };
        let finding = finding.on(side.name);
        findings.push(match remedy {
            Some(remedy) => finding.remedy(remedy),
            None => finding,
        });
    }
    Ok(findings.into())
}

async fn publication(facts: &Facts) -> Result<Outcome, Error> {
    let source = &facts.source;
    let role = quote_identifier(&source.role.name);
    let mut findings = Vec::new();
    let creates: bool = source
        .query_one("SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')", &[])
        .await?
        .get(0);
    if !creates {
        findings.push(
            Finding::fail("the role may not CREATE in the database")
                .on(&source.identity.database)
                .remedy(format!("GRANT CREATE ON DATABASE {} TO {role};", quote_identifier(&source.identity.database))),
        );
    }
    let rows = source
        .query(
            "SELECT n.nspname::text, c.relname::text, pg_catalog.pg_get_userbyid(c.relowner)::text
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.oid = ANY($1) AND c.relkind IN ('r', 'p')
                AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
              ORDER BY 1, 2",
            &[&facts.selected_oids()],
        )
        .await?;
    findings.extend(rows.iter().map(|row| {
        let owner: String = row.get(2);
        Finding::fail(format!("the table belongs to `{owner}`"))
            .on(name_of(row))
            .remedy(format!("GRANT {} TO {role};", quote_identifier(&owner)))
    }));
    Ok(findings.into())
}

async fn reading(facts: &Facts) -> Result<Outcome, Error> {
    let source = &facts.source;
    let role = quote_identifier(&source.role.name);
    let mut findings = unreadable(source, &facts.selected_oids()).await?;
    let sequences = source
        .query(
            "SELECT n.nspname::text, c.relname::text
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%'
                AND n.nspname NOT IN ('information_schema', 'atalaya')
                AND CASE WHEN c.relkind = 'S'
                    THEN NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT') ELSE false END
              ORDER BY 1, 2",
            &[],
        )
        .await?;
    findings.extend(sequences.iter().map(|row| {
        let name = name_of(row);
        Finding::fail("the role may not read where the sequence stands")
            .on(&name)
            .remedy(format!("GRANT SELECT ON SEQUENCE {} TO {role};", name.to_sql()))
    }));
    Ok(findings.into())
}

/// What a side's role may not read of these tables.
pub(super) async fn unreadable(side: &Side, tables: &[u32]) -> Result<Vec<Finding>, Error> {
    let role = quote_identifier(&side.role.name);
    let schemas = side
        .query(
            "SELECT DISTINCT n.nspname::text FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.oid = ANY($1) AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1",
            &[&tables],
        )
        .await?;
    let mut findings: Vec<Finding> = schemas
        .iter()
        .map(|row| {
            let schema: String = row.get(0);
            Finding::fail("the role has not USAGE on the schema")
                .on(&schema)
                .remedy(format!("GRANT USAGE ON SCHEMA {} TO {role};", quote_identifier(&schema)))
        })
        .collect();
    let columns = side
        .query(
            "SELECT n.nspname::text, c.relname::text, a.attname::text
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              WHERE c.oid = ANY($1) AND c.relkind IN ('r', 'p')
                AND NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
                AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
              ORDER BY 1, 2, a.attnum",
            &[&tables],
        )
        .await?;
    findings.extend(by_table(&columns, |table, columns| {
        Finding::fail(format!("the role may not read: {columns}"))
            .remedy(format!("GRANT SELECT ON TABLE {} TO {role};", table.to_sql()))
    }));
    Ok(findings)
}

async fn target(facts: &Facts) -> Result<Outcome, Error> {
    let target = &facts.target;
    let role = quote_identifier(&target.role.name);
    let mut findings = Vec::new();
    let creates: bool = target
        .query_one("SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')", &[])
        .await?
        .get(0);
    if !creates {
        findings.push(
            Finding::fail("the role may not CREATE in the database")
                .on(&target.identity.database)
                .remedy(format!("GRANT CREATE ON DATABASE {} TO {role};", quote_identifier(&target.identity.database))),
        );
    }
    let mut schemas: Vec<&str> = facts.selected().map(|relation| relation.name.schema.as_str()).collect();
    schemas.sort_unstable();
    schemas.dedup();
    let closed = target
        .query(
            "SELECT n.nspname::text FROM pg_catalog.pg_namespace n
              WHERE n.nspname = ANY($1) AND NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE') ORDER BY 1",
            &[&schemas],
        )
        .await?;
    findings.extend(closed.iter().map(|row| {
        let schema: String = row.get(0);
        Finding::fail("the role may not CREATE in the schema")
            .on(&schema)
            .remedy(format!("GRANT CREATE ON SCHEMA {} TO {role};", quote_identifier(&schema)))
    }));
    let mut owners: Vec<&str> = facts.selected().map(|relation| relation.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let foreign = target
        .query(
            "SELECT r.rolname::text FROM pg_catalog.pg_roles r
              WHERE r.rolname = ANY($1) AND NOT pg_catalog.pg_has_role(r.oid, 'MEMBER') ORDER BY 1",
            &[&owners],
        )
        .await?;
    findings.extend(foreign.iter().map(|row| {
        let owner: String = row.get(0);
        let seen = "objects cannot be given to this owner by the role";
        let restored = !facts.options.no_owner && !facts.options.existing_schema;
        let finding = if restored { Finding::fail(seen) } else { Finding::warn(seen) };
        finding.on(&owner).remedy(format!("GRANT {} TO {role};", quote_identifier(&owner)))
    }));
    Ok(findings.into())
}

/// Whether the target's role may set `session_replication_role`. Set for this one statement's transaction
/// only: the surest question is to ask for it.
pub(super) async fn may_silence_triggers(facts: &Facts) -> Result<bool, Error> {
    let tried =
        facts.target.query_one("SELECT pg_catalog.set_config('session_replication_role', 'replica', true)", &[]).await;
    match tried {
        Ok(_) => Ok(true),
        Err(Error::Postgres(error)) if error.sqlstate() == Some("42501") => Ok(false),
        Err(error) => Err(error),
    }
}

async fn replica_role(facts: &Facts) -> Result<Outcome, Error> {
    if may_silence_triggers(facts).await? {
        return Ok(Vec::new().into());
    }
    let target = &facts.target;
    let role = quote_identifier(&target.role.name);
    let remedy = if target.major() >= 15 {
        format!("GRANT SET ON PARAMETER session_replication_role TO {role};")
    } else {
        "before 15 only a superuser (on RDS a member of rds_superuser) can; triggers and foreign keys are then made at the end of the move".to_owned()
    };
    Ok(vec![Finding::warn("the role may not set session_replication_role").on("target").remedy(remedy)].into())
}

fn monitor(facts: &Facts) -> Outcome {
    facts
        .servers()
        .filter(|side| !side.role.reads_all_stats)
        .map(|side| {
            Finding::warn(format!("role `{}` does not see other roles' sessions", side.role.name))
                .on(side.name)
                .remedy(format!("GRANT pg_monitor TO {};", quote_identifier(&side.role.name)))
        })
        .collect::<Vec<_>>()
        .into()
}
