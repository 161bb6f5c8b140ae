//! Indexes, constraints and objects that act on their own.

use atalaya_data::quote_identifier;

use crate::{Check, Error, Facts, Finding, Outcome, Severity};

use super::support::{listed, name_of, ready};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "event-triggers",
        title: "no event trigger fires on DDL",
        severity: Severity::Warn,
        why: "event triggers are not restored; those on the target fire on every statement of the restore, ENABLE ALWAYS ones whatever the session says",
        remedy: "disable those of the target for the time of the move; make the source's anew at the end",
        run: |facts| Box::pin(event_triggers(facts)),
    },
    Check {
        id: "foreign-keys-outside",
        title: "no foreign key leads out of the selection",
        severity: Severity::Fail,
        why: "a foreign key to a table that does not move cannot be restored",
        remedy: "select the referenced table too, or drop the foreign key",
        run: |facts| Box::pin(foreign_keys_outside(facts)),
    },
    Check {
        id: "invalid-indexes",
        title: "every index is valid",
        severity: Severity::Warn,
        why: "an invalid index (of an interrupted CREATE INDEX CONCURRENTLY) is not restored; a unique one may hide duplicates",
        remedy: "reindex or drop it",
        run: |facts| Box::pin(invalid_indexes(facts)),
    },
    Check {
        id: "unvalidated-constraints",
        title: "every constraint is validated",
        severity: Severity::Warn,
        why: "rows that violate a NOT VALID constraint arrive as they are, and the constraint stays NOT VALID",
        remedy: "validate it",
        run: |facts| Box::pin(unvalidated(facts)),
    },
    Check {
        id: "secondary-unique-indexes",
        title: "tables have no unique index besides their key",
        severity: Severity::Info,
        why: "changes to such tables are applied in order and not in parallel, since two rows may take over each other's value",
        remedy: "none is needed",
        run: |facts| ready(secondary_unique(facts)),
    },
    Check {
        id: "scheduled-jobs",
        title: "no scheduled jobs run in the database",
        severity: Severity::Warn,
        why: "jobs of pg_cron, pg_partman, pgAgent and the like are not moved as such; run on both sides they do their work twice",
        remedy: "switch the jobs off on one side, and make them on the target at the cutover",
        run: |facts| Box::pin(jobs(facts)),
    },
    Check {
        id: "foreign-data",
        title: "no foreign servers are defined",
        severity: Severity::Warn,
        why: "foreign servers and dblinks must be reachable from the target; passwords of user mappings are not moved",
        remedy: "check addresses and firewalls, and make the user mappings anew",
        run: |facts| Box::pin(foreign_data(facts)),
    },
    Check {
        id: "c-functions",
        title: "no function is written in C outside an extension",
        severity: Severity::Fail,
        why: "its library must be on the target, built for that version, and to create it takes a superuser",
        remedy: "install the library on the target first, or drop the function",
        run: |facts| Box::pin(c_functions(facts)),
    },
];

async fn event_triggers(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.sides() {
        let rows = side
            .query(
                "SELECT e.evtname::text, e.evtevent::text, e.evtenabled IN ('A', 'R')
                   FROM pg_catalog.pg_event_trigger e
                  WHERE e.evtenabled <> 'D' AND e.evtfoid NOT IN (
                        SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = (
                               SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'atalaya'))
                    AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_depend d
                         WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass AND d.objid = e.oid
                           AND d.deptype = 'e')
                  ORDER BY 1",
                &[],
            )
            .await?;
        findings.extend(rows.iter().map(|row| {
            let (name, event): (String, String) = (row.get(0), row.get(1));
            let always = if row.get(2) { ", ENABLE ALWAYS or REPLICA" } else { "" };
            Finding::warn(format!("{}: fires on {event}{always}", side.name)).on(&name).remedy(format!(
                "ALTER EVENT TRIGGER {} DISABLE; -- on the {}",
                quote_identifier(&name),
                side.name
            ))
        }));
    }
    Ok(findings.into())
}

async fn foreign_keys_outside(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT n.nspname::text, c.relname::text, k.conname::text, pg_catalog.quote_ident(fn.nspname) || '.'
                    || pg_catalog.quote_ident(f.relname)
               FROM pg_catalog.pg_constraint k
               JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
               JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
              WHERE k.contype = 'f' AND k.conparentid = 0
                AND k.conrelid = ANY($1) AND NOT k.confrelid = ANY($1)
              ORDER BY 1, 2, 3",
            &[&facts.selected_oids()],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (constraint, referenced): (String, String) = (row.get(2), row.get(3));
            let seen = format!("foreign key `{constraint}` references `{referenced}`, which is not selected");
            // A schema that exists already has settled the matter in its own way.
            if facts.options.existing_schema { Finding::warn(seen) } else { Finding::fail(seen) }.on(name_of(row))
        })
        .collect::<Vec<_>>()
        .into())
}

async fn invalid_indexes(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT n.nspname::text, i.relname::text, x.indrelid::regclass::text, x.indisunique
               FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
              WHERE NOT x.indisvalid AND x.indrelid = ANY($1) ORDER BY 1, 2",
            &[&facts.selected_oids()],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let name = name_of(row);
            let unique = if row.get(3) { "unique " } else { "" };
            Finding::warn(format!("an invalid {unique}index of {}", row.get::<_, String>(2)))
                .on(&name)
                .remedy(format!("REINDEX INDEX CONCURRENTLY {0}; -- or: DROP INDEX CONCURRENTLY {0};", name.to_sql()))
        })
        .collect::<Vec<_>>()
        .into())
}

async fn unvalidated(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT n.nspname::text, c.relname::text, k.conname::text
               FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE NOT k.convalidated AND k.conrelid = ANY($1) ORDER BY 1, 2, 3",
            &[&facts.selected_oids()],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let (table, constraint) = (name_of(row), row.get::<_, String>(2));
            Finding::warn(format!("constraint `{constraint}` is NOT VALID")).on(&table).remedy(format!(
                "ALTER TABLE {} VALIDATE CONSTRAINT {};",
                table.to_sql(),
                quote_identifier(&constraint)
            ))
        })
        .collect::<Vec<_>>()
        .into())
}

fn secondary_unique(facts: &Facts) -> Outcome {
    facts
        .moving()
        .filter(|relation| relation.other_unique_indexes > 0)
        .map(|relation| {
            Finding::info(format!("{} unique indexes besides the key", relation.other_unique_indexes))
                .on(&relation.name)
        })
        .collect::<Vec<_>>()
        .into()
}

async fn jobs(facts: &Facts) -> Result<Outcome, Error> {
    let mut findings = Vec::new();
    for side in facts.sides() {
        let rows = side
            .query(
                "SELECT 'extension ' || extname FROM pg_catalog.pg_extension
                  WHERE extname IN ('pg_cron', 'pg_partman', 'pgagent', 'pg_timetable', 'timescaledb', 'pg_task')
                 UNION
                 SELECT 'table ' || n.nspname || '.' || c.relname
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relkind IN ('r', 'p') AND (n.nspname, c.relname) IN
                        (('cron', 'job'), ('pgagent', 'pga_job'), ('timetable', 'chain'))
                     OR c.relkind = 'r' AND c.relname = 'part_config'
                  ORDER BY 1",
                &[],
            )
            .await?;
        let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if !found.is_empty() {
            findings.push(Finding::warn(format!("jobs may be kept in: {}", listed(&found, 10))).on(side.name));
        }
    }
    Ok(findings.into())
}

async fn foreign_data(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT s.srvname::text, w.fdwname::text,
                    (SELECT count(*) FROM pg_catalog.pg_user_mappings u WHERE u.srvid = s.oid)
               FROM pg_catalog.pg_foreign_server s
               JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw ORDER BY 1",
            &[],
        )
        .await?;
    let mut findings: Vec<Finding> = rows
        .iter()
        .map(|row| {
            let (server, wrapper, mappings): (String, String, i64) = (row.get(0), row.get(1), row.get(2));
            Finding::warn(format!("a foreign server of `{wrapper}` with {mappings} user mappings")).on(server)
        })
        .collect();
    let dblink = facts.source.query("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'dblink'", &[]).await?;
    if !dblink.is_empty() {
        findings.push(Finding::warn("connection strings inside functions lead to where they led").on("dblink"));
    }
    Ok(findings.into())
}

/// Aggregates and the constructors of range types are `internal` too, but come with what they belong to.
async fn c_functions(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT n.nspname::text, p.proname::text, coalesce(p.probin, '-')
               FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
               JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
              WHERE l.lanname IN ('c', 'internal') AND p.oid >= 16384 AND p.prokind <> 'a' AND NOT EXISTS (
                    SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                       AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
              ORDER BY 1, 2",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| Finding::fail(format!("a C function of library `{}`", row.get::<_, String>(2))).on(name_of(row)))
        .collect::<Vec<_>>()
        .into())
}
