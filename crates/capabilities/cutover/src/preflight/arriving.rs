//! What the server says that clients are to be led to.

use atalaya_postgres::Session;

use super::check::{Seen, Severity};
use super::rights::{self, Missing};
use super::transactions;
use crate::Error;
use crate::course::{Course, Means};
use crate::fence::{self, FenceError};

/// The most objects that one finding names.
const NAMES: usize = 20;

/// A question of the catalog: whatever it names is a finding.
struct Question {
    id: &'static str,
    severity: Severity,
    sql: &'static str,
    seen: &'static str,
    remedy: &'static str,
}

const OURS: &str = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'atalaya')";

const QUESTIONS: &[Question] = &[
    Question {
        id: "target-indexes",
        severity: Severity::Fail,
        sql: "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_index i
                JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE NOT (i.indisvalid AND i.indisready)",
        seen: "indexes are not valid",
        remedy: "REINDEX INDEX CONCURRENTLY",
    },
    Question {
        id: "target-constraints",
        severity: Severity::Warn,
        sql: "SELECT pg_catalog.format('%I on %I.%I', k.conname, n.nspname, c.relname) FROM pg_catalog.pg_constraint k
                JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE NOT k.convalidated",
        seen: "constraints are not validated",
        remedy: "ALTER TABLE ... VALIDATE CONSTRAINT, unless they are not valid where clients are now",
    },
    Question {
        id: "target-analyzed",
        severity: Severity::Warn,
        sql: "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind = 'r' AND pg_catalog.pg_relation_size(c.oid) > 0
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_stats s
                                  WHERE s.schemaname = n.nspname AND s.tablename = c.relname)",
        seen: "tables have no statistics",
        remedy: "ANALYZE",
    },
];

/// Asked where nobody fills them before clients come.
const VIEWS: &[Question] = &[
    Question {
        id: "target-materialized-views",
        severity: Severity::Fail,
        sql: "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind = 'm' AND NOT c.relispopulated",
        seen: "materialized views are not populated",
        remedy: "REFRESH MATERIALIZED VIEW",
    },
    Question {
        id: "target-materialized-views",
        severity: Severity::Warn,
        sql: "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind = 'm' AND c.relispopulated",
        seen: "materialized views hold what was there when they were last refreshed, and nothing refreshes them",
        remedy: "REFRESH MATERIALIZED VIEW",
    },
];

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) -> Result<(), Error> {
    let url = means.url(course, &course.to)?;
    let session = match Session::connect_for_control(url, "atalaya cutover").await {
        Ok(session) => session,
        Err(error) => {
            for question in QUESTIONS.iter().chain(VIEWS.first()) {
                seen.fail(question.id, atalaya_data::chain(&error), "see that the server can be reached");
            }
            return Ok(());
        }
    };
    let views = match means.replication(course)?.fills_views(course.direction).await {
        Ok(true) => &[],
        Ok(false) => VIEWS,
        Err(error) => {
            seen.fail(
                "target-materialized-views",
                format!("it cannot be seen who fills them: {error}"),
                error.hint.clone().unwrap_or_else(|| "see what the server says".to_owned()),
            );
            &[]
        }
    };
    for question in QUESTIONS.iter().chain(views) {
        let sql = format!("{} AND {OURS} ORDER BY 1", question.sql);
        match session.query(&sql, &[]).await {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => {
                let names: Vec<String> = rows.iter().take(NAMES).map(|row| row.get(0)).collect();
                let more = if rows.len() > NAMES { ", ..." } else { "" };
                let text = format!("{} {}: {}{more}", rows.len(), question.seen, names.join(", "));
                seen.add(question.id, question.severity, text, Some(question.remedy.to_owned()));
            }
            Err(error) => seen.fail(question.id, atalaya_data::chain(&error), "see what the server says"),
        }
    }
    if let Err(error) = may_fence(&session, course, seen).await {
        seen.fail("fence-rights", atalaya_data::chain(&error), "see what the server says");
    }
    if let Err(error) = transactions::anywhere(&session, &course.to, "true", seen).await {
        seen.fail("long-transactions", atalaya_data::chain(&error), "see what the server says");
    }
    Ok(())
}

/// What would keep clients from being led away again; where a fence stands, it is lifted before they come.
async fn may_fence(session: &Session, course: &Course, seen: &mut Seen) -> Result<(), FenceError> {
    let rights = fence::rights(session).await?;
    let (severity, why) = match fence::standing(session, &course.database).await?.is_up() {
        true => (Severity::Fail, "its fence is lifted when clients come"),
        false => (Severity::Warn, "clients could not be led away from there again"),
    };
    for Missing { seen: text, remedy } in rights::missing(session, &rights).await? {
        seen.add("fence-rights", severity, format!("in `{}`: {text}: {why}", course.to), Some(remedy));
    }
    Ok(())
}
