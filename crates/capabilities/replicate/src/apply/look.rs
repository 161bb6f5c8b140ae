//! What stands on the target before it is changed, for tables with a policy: is the row there, is it what it was on the
//! source, is it later than what comes. The rows are locked, so that the answer still holds when they are changed.

use std::collections::HashMap;

use atalaya_data::quote_identifier;
use atalaya_pgwire::pgoutput::{Tuple, Value};
use atalaya_postgres::{Session, ToSql};
use bytes::Bytes;

use super::fold::key_of;
use super::prepared::{StatementKey, Statements};
use super::table::TargetColumn;
use super::value::{TextValue, text_of};
use super::{Change, ChangeKind, TargetTable, statements};
use crate::Error;
use crate::conflict::{Policy, Values};

/// The time that a row of the target is compared with.
#[derive(Clone, Copy, Default)]
pub(super) enum Contender<'a> {
    /// None: only whether the row is there is asked.
    #[default]
    Nothing,
    /// The source's new row.
    Row(&'a Tuple),
    /// A delete, committed then; microseconds since 2000-01-01.
    Deleted(i64),
}

/// What is expected of one row.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// What it is known by.
    pub(super) identity: &'a Tuple,
    /// The whole old row, where it travelled.
    pub(super) old: Option<&'a Tuple>,
    /// What comes.
    pub(super) contender: Contender<'a>,
}

/// A row that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether somebody has changed it, as far as that can be seen.
    pub(super) differs: bool,
    /// Whether its time is later than the contender's.
    pub(super) newer: bool,
    /// The row as JSON, where values are kept.
    pub(super) row: Option<String>,
}

impl Seen {
    /// Whether the row is not what the change takes it for. An old row says so for sure; without one, under
    /// `latest-wins`, only a later time does.
    pub(super) fn is_conflict(&self, table: &TargetTable) -> bool {
        match table.policy {
            _ if table.full => self.differs,
            Policy::LatestWins { .. } => self.newer,
            _ => false,
        }
    }
}

/// The rows that are there, in no order; fewer than asked for when some are missing.
pub(super) async fn look(
    session: &Session,
    statements: &mut Statements,
    table: &TargetTable,
    values: Values,
    questions: &[Question<'_>],
) -> Result<Vec<Seen>, Error> {
    let mut columns: Vec<Vec<Option<TextValue<'_>>>> = Vec::new();
    for position in &table.identity {
        columns.push(questions.iter().map(|each| text_of(each.identity.values.get(*position))).collect());
    }
    if table.full {
        for position in table.others() {
            columns.push(
                questions.iter().map(|each| text_of(each.old.and_then(|old| old.values.get(position)))).collect(),
            );
        }
    }
    let mut deleted: Vec<Option<i64>> = Vec::new();
    if let Policy::LatestWins { position, .. } = table.policy {
        columns.push(
            questions
                .iter()
                .map(|each| match each.contender {
                    Contender::Row(row) => text_of(row.values.get(position)),
                    Contender::Deleted(_) | Contender::Nothing => None,
                })
                .collect(),
        );
        deleted = questions
            .iter()
            .map(|each| match each.contender {
                Contender::Deleted(micros) => Some(micros),
                Contender::Row(_) | Contender::Nothing => None,
            })
            .collect();
    }
    let mut parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
    if matches!(table.policy, Policy::LatestWins { .. }) {
        parameters.push(&deleted);
    }
    let statement = statements.get(session, table, StatementKey::Look(values)).await?;
    let rows = session.query_prepared(&statement, &parameters).await?;
    Ok(rows.iter().map(|row| Seen { differs: row.get(0), newer: row.get(1), row: row.get(2) }).collect())
}

/// The SQL of [`look`]: arrays of the identity, of the other columns where the old row travels, of times and commit
/// times where these decide.
pub(super) fn sql(table: &TargetTable, values: Values) -> String {
    let mut asked: Vec<String> = table.identity.iter().map(|position| format!("c{position}")).collect();
    let mut differs = Vec::new();
    if table.full {
        for (position, column) in table.others().filter_map(|at| Some((at, table.columns.get(at)?))) {
            asked.push(format!("c{position}"));
            differs.push(differs_sql(position, column));
        }
    }
    let mut types = vec!["text"; asked.len()];
    let mut newer = "false".to_owned();
    if let Policy::LatestWins { position, zoned } = table.policy
        && let Some(column) = table.columns.get(position)
    {
        asked.extend(["time".to_owned(), "deleted".to_owned()]);
        types.extend(["text", "int8"]);
        newer = newer_sql(column, zoned, "s.time", "s.deleted");
    }
    let arrays: Vec<String> =
        types.iter().enumerate().map(|(at, sql_type)| format!("${}::{sql_type}[]", at + 1)).collect();
    format!(
        "SELECT {}, {newer}, {} FROM {} AS t JOIN unnest({}) AS s({}) ON {} FOR UPDATE OF t",
        if differs.is_empty() { "false".to_owned() } else { differs.join(" OR ") },
        row_sql(values),
        table.rows_sql(),
        arrays.join(", "),
        asked.join(", "),
        statements::identity_matches(table)
    )
}

/// The row as it is kept.
pub(super) fn row_sql(values: Values) -> &'static str {
    match values {
        Values::Masked => "NULL::text",
        Values::Kept => "to_jsonb(t)::text",
    }
}

/// Both values by the target's own output, so that two versions' ways to write one value make no difference.
fn differs_sql(position: usize, column: &TargetColumn) -> String {
    let name = quote_identifier(&column.name);
    format!(
        "(pg_catalog.num_nulls(t.{name}) <> pg_catalog.num_nulls(s.c{position}) OR pg_catalog.concat(t.{name}) COLLATE \"C\" \
         <> pg_catalog.concat(s.c{position}::{}) COLLATE \"C\")",
        column.declared_sql
    )
}

/// Whether the row's time is later than `time`, or than the commit at `deleted`. NULL loses; a tie is the source's.
pub(super) fn newer_sql(column: &TargetColumn, zoned: bool, time: &str, deleted: &str) -> String {
    let name = quote_identifier(&column.name);
    let instant = |value: String| if zoned { value } else { format!("({value} AT TIME ZONE 'UTC')") };
    let (own, other) = (instant(format!("t.{name}")), instant(format!("{time}::{}", column.type_sql)));
    format!(
        "(t.{name} IS NOT NULL AND coalesce({own} > CASE WHEN {deleted} IS NULL THEN {other} \
         ELSE '2000-01-01 00:00:00+00'::timestamptz + {deleted} * interval '1 us' END, true))"
    )
}

/// What changes of one table expect to find before them.
#[derive(Default)]
pub(super) struct Expected<'a> {
    /// Rows that must be there.
    pub(super) present: Vec<Question<'a>>,
    /// Rows that must not: they came and went within these changes, which leaves nothing to be written.
    pub(super) absent: Vec<Question<'a>>,
}

/// What of one row the changes say, first and last.
struct Course<'a> {
    identity: &'a Tuple,
    begins_new: bool,
    old: Option<&'a Tuple>,
    last: Contender<'a>,
}

/// Adds up what foldable changes expect: of each row, what it was before the first and is after the last.
pub(super) fn expected<'a>(table: &TargetTable, changes: &[&'a Change]) -> Option<Expected<'a>> {
    let mut courses: HashMap<Bytes, Course<'a>> = HashMap::new();
    for change in changes {
        let (identity, old, last) = match &change.kind {
            ChangeKind::Insert(row) => (row, None, Contender::Row(row)),
            ChangeKind::Update { old, new } => (old.as_ref().unwrap_or(new), old.as_ref(), Contender::Row(new)),
            ChangeKind::Delete(old) => (old, Some(old), Contender::Deleted(change.committed_at_micros)),
        };
        let begins_new = matches!(change.kind, ChangeKind::Insert(_));
        courses.entry(key_of(table, identity)?).and_modify(|course| course.last = last).or_insert(Course {
            identity,
            begins_new,
            old,
            last,
        });
    }
    let mut expected = Expected::default();
    for Course { identity, begins_new, old, last } in courses.into_values() {
        let question = Question { identity, old, contender: last };
        match (begins_new, last) {
            (false, _) => expected.present.push(question),
            (true, Contender::Deleted(_)) => expected.absent.push(question),
            // The INSERT itself finds out.
            (true, _) => {}
        }
    }
    Some(expected)
}

/// The new row, with the old one's values where a TOAST value did not change; none when it is not whole.
pub(super) fn whole(old: Option<&Tuple>, new: &Tuple) -> Option<Tuple> {
    let values = new.values.iter().enumerate().map(|(position, value)| match value {
        Value::UnchangedToast => old?.values.get(position).cloned(),
        other => Some(other.clone()),
    });
    let values: Option<Vec<Value>> = values.collect();
    values.filter(|values| !values.contains(&Value::UnchangedToast)).map(|values| Tuple { values })
}
