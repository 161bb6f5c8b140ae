//! The table of migrations: how each one stands, made of the journal's events.

use std::time::Duration;

use atalaya_cqrs::projection::{Names, Poison, Projection, ProjectionError, Projector, Table, Turn};
use atalaya_data::MigrationId;
use atalaya_eventstore::{Dialect, Event, EventType, Row, Selection, Statement, Store, Tables, Value};
use atalaya_saga::{End, SagaEvent, Way};
use serde::Serialize;

use crate::definition::KIND;
use crate::event::{MigrationEvent, SHOWN_TYPES};
use crate::{Error, Extent, Subject, Verdict};

const TABLE: &str = "atalaya_migrations";
const COLUMNS: &str = "id text PRIMARY KEY, name text NOT NULL, source text NOT NULL, target text NOT NULL,
    started_position bigint NOT NULL, started_at_us bigint NOT NULL, step text, way text NOT NULL, ended text,
    ended_at_us bigint, reason text, phase text, tables_copied bigint NOT NULL, runs bigint NOT NULL,
    run_id text, run_began_at_us bigint, run_by text, run_host text, run_process bigint, run_version text, run_ended_at_us bigint,
    run_outcome text, run_reason text, proven_at_us bigint, proof_extent text, proof_verdict text, proof_tables bigint";
/// What [`read`] takes, in its order.
const READ: &str =
    "id, source, target, started_at_us, step, way, ended, ended_at_us, reason, phase, tables_copied, runs,
    run_began_at_us, run_by, run_host, run_process, run_version, run_ended_at_us, run_outcome, run_reason, proven_at_us,
    proof_extent, proof_verdict, proof_tables, run_id";
/// How often a turn is tried that others take, too.
const TURNS_LOST: u32 = 50;
const LOST_PAUSE: Duration = Duration::from_millis(20);

/// How a migration stands by the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Which one.
    #[serde(serialize_with = "as_text")]
    pub id: MigrationId,
    /// From where, as `host:port/database`.
    pub source: String,
    /// To where.
    pub target: String,
    /// When it began, in microseconds since 1970 UTC.
    pub started_at_us: i64,
    /// The step that it is at.
    pub step: Option<String>,
    /// Whether it goes on or back.
    pub way: Way,
    /// How it ended.
    pub ended: Option<End>,
    /// When it ended.
    pub ended_at_us: Option<i64>,
    /// Why it goes back, is stuck or was given up.
    pub reason: Option<String>,
    /// What the last run was last at.
    pub phase: Option<String>,
    /// Tables whose rows were copied.
    pub tables_copied: i64,
    /// How many runs there were.
    pub runs: i64,
    /// The last run.
    pub last_run: Option<LastRun>,
    /// The last proof.
    pub proof: Option<LastProof>,
}

/// What was proven last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastProof {
    /// When, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// What was looked at.
    pub extent: Extent,
    /// What it came to.
    pub verdict: Verdict,
    /// How many tables were compared.
    pub tables: i64,
}

/// The run that began last, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// Which one.
    pub id: String,
    /// When it began.
    pub began_at_us: i64,
    /// Who started it.
    pub by: String,
    /// On which machine.
    pub host: String,
    /// As which process.
    pub process: i64,
    /// Which version of the program.
    pub version: String,
    /// When it ended; none while it runs, or where it was killed.
    pub ended_at_us: Option<i64>,
    /// `caught up`, `stopped`, `failed`, `refused` or `interrupted`.
    pub outcome: Option<String>,
    /// Why, where it was not asked for.
    pub reason: Option<String>,
}

fn as_text<S: serde::Serializer>(id: &MigrationId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// The table, as far as the journal went when it was opened.
pub struct Standings {
    tables: Tables,
}

impl Standings {
    pub(crate) async fn up_to_date(store: Store, tables: Tables) -> Result<Self, Error> {
        let projector = Projector::open(store, tables.clone(), Migrations).await?;
        let mut lost = 0;
        loop {
            match projector.turn().await {
                Ok(Turn::To(_)) => {}
                Ok(Turn::UpToDate(_) | Turn::Retired) => return Ok(Self { tables }),
                // Another process has taken the same events.
                Err(ProjectionError::Contended { .. }) if lost < TURNS_LOST => {
                    lost += 1;
                    tokio::time::sleep(LOST_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The one of a name between two servers that began last.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn newest(&self, subject: &Subject) -> Result<Option<Standing>, Error> {
        let sql = format!(
            "SELECT {READ} FROM {TABLE} WHERE name = $1 AND source = $2 AND target = $3
              ORDER BY started_position DESC LIMIT 1"
        );
        let values = [subject.name.as_str(), &subject.source, &subject.target].map(Value::from).to_vec();
        let rows = self.tables.query(Statement::new(sql, values)).await?;
        rows.first().map(read).transpose()
    }
}

fn read(row: &Row) -> Result<Standing, Error> {
    let text = |at: usize| row.get(at).and_then(Value::as_text).map(str::to_owned);
    let number = |at: usize| row.get(at).and_then(Value::as_integer);
    let required = |text: Option<String>| text.ok_or(Error::Unreadable);
    let last_run = match number(12) {
        None => None,
        Some(began_at_us) => Some(LastRun {
            id: required(text(24))?,
            began_at_us,
            by: required(text(13))?,
            host: required(text(14))?,
            process: number(15).ok_or(Error::Unreadable)?,
            version: required(text(16))?,
            ended_at_us: number(17),
            outcome: text(18),
            reason: text(19),
        }),
    };
    Ok(Standing {
        id: required(text(0))?.parse().map_err(|_| Error::Unreadable)?,
        source: required(text(1))?,
        target: required(text(2))?,
        started_at_us: number(3).ok_or(Error::Unreadable)?,
        step: text(4),
        way: if text(5).as_deref() == Some(BACK) { Way::Back } else { Way::Forward },
        ended: text(6).map(|word| from_word(&word)).transpose()?,
        ended_at_us: number(7),
        reason: text(8),
        phase: text(9),
        tables_copied: number(10).unwrap_or_default(),
        runs: number(11).unwrap_or_default(),
        last_run,
        proof: match number(20) {
            None => None,
            Some(at_us) => Some(LastProof {
                at_us,
                extent: from_word(&required(text(21))?)?,
                verdict: from_word(&required(text(22))?)?,
                tables: number(23).unwrap_or_default(),
            }),
        },
    })
}

const BACK: &str = "back";

/// A word as the events and the table have it.
fn word(of: &impl Serialize) -> Value {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => Value::from(word),
        Ok(_) | Err(_) => Value::Null,
    }
}

fn from_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, Error> {
    serde_json::from_value(word.into()).map_err(|_| Error::Unreadable)
}

/// Makes the table.
struct Migrations;

impl Projection for Migrations {
    fn name(&self) -> &str {
        "migrations"
    }

    fn version(&self) -> u32 {
        1
    }

    fn selection(&self) -> Selection {
        let own = SHOWN_TYPES.iter().filter_map(|name| EventType::new(*name).ok());
        Selection::Types(SagaEvent::types().into_iter().chain(own).collect())
    }

    fn tables(&self, _: Dialect) -> Vec<Table> {
        vec![Table { name: TABLE, columns: COLUMNS.to_owned() }]
    }

    fn project(&self, event: &Event, names: &Names) -> Result<Vec<Statement>, Poison> {
        let table = names.of(TABLE);
        let at_us = Value::Integer(event.recorded_at_us);
        if let Some((id, said)) = SagaEvent::read(event) {
            return Ok(of_saga(&table, id.as_str(), said, event));
        }
        let Some((id, said)) = MigrationEvent::read(event) else {
            return Err(Poison("an event that this version cannot read".to_owned()));
        };
        Ok(of_run(&table, id, said, at_us))
    }
}

/// A row of another kind of saga is not there, and is not changed.
fn update(table: &str, id: &str, set: &str, mut values: Vec<Value>) -> Vec<Statement> {
    values.insert(0, Value::from(id));
    vec![Statement::new(format!("UPDATE {table} SET {set} WHERE id = $1"), values)]
}

fn of_saga(table: &str, id: &str, said: SagaEvent, event: &Event) -> Vec<Statement> {
    let at_us = Value::Integer(event.recorded_at_us);
    let to = |set: &str, values: Vec<Value>| update(table, id, set, values);
    let ended = |how: End, reason: Option<String>| {
        let values = vec![word(&how), at_us.clone(), reason.map_or(Value::Null, Value::from)];
        to("ended = $2, ended_at_us = $3, reason = coalesce($4, reason)", values)
    };
    match said {
        SagaEvent::Started { definition, input, .. } if definition == KIND => {
            let of = |name: &str| Value::from(input.get(name).and_then(|text| text.as_str()).unwrap_or_default());
            let position = i64::try_from(event.position.number()).unwrap_or(i64::MAX);
            let values = vec![Value::from(id), of("name"), of("source"), of("target"), Value::Integer(position), at_us];
            let sql = format!(
                "INSERT INTO {table} (id, name, source, target, started_position, started_at_us, way, tables_copied, runs)
                 VALUES ($1, $2, $3, $4, $5, $6, 'forward', 0, 0)"
            );
            vec![Statement::new(sql, values)]
        }
        SagaEvent::Began { way: Way::Forward, step, .. } => to("step = $2", vec![Value::from(step)]),
        SagaEvent::Failed { step, reason, .. } | SagaEvent::TurnedBackBy { step, reason, .. } => {
            to("step = $2, way = 'back', reason = $3", vec![Value::from(step), Value::from(reason)])
        }
        SagaEvent::Stuck { step, reason, .. } | SagaEvent::Retrying { step, reason, .. } => {
            to("step = $2, reason = $3", vec![Value::from(step), Value::from(reason)])
        }
        SagaEvent::Done { .. } => to("reason = NULL", Vec::new()),
        SagaEvent::AbandonedBy { reason, .. } => ended(End::Abandoned, Some(reason)),
        SagaEvent::Completed => ended(End::Completed, None),
        SagaEvent::Compensated => ended(End::Compensated, None),
        SagaEvent::Started { .. }
        | SagaEvent::Began { .. }
        | SagaEvent::Claimed { .. }
        | SagaEvent::Renewed { .. }
        | SagaEvent::Released { .. }
        | SagaEvent::Awaiting { .. }
        | SagaEvent::Signalled { .. }
        | SagaEvent::Undone { .. }
        | SagaEvent::RetriedBy { .. }
        | SagaEvent::SkippedBy { .. } => Vec::new(),
    }
}

fn of_run(table: &str, id: String, said: MigrationEvent, at_us: Value) -> Vec<Statement> {
    let to = |set: &str, values: Vec<Value>| update(table, &id, set, values);
    match said {
        MigrationEvent::RunBegan { run, version, host, process, by } => {
            let process = Value::Integer(i64::from(process));
            let [by, host, version, run] = [by, host, version, run].map(Value::from);
            to(
                "runs = runs + 1, run_began_at_us = $2, run_by = $3, run_host = $4, run_process = $5, run_version = $6,
                 run_id = $7, run_ended_at_us = NULL, run_outcome = NULL, run_reason = NULL",
                vec![at_us, by, host, process, version, run],
            )
        }
        MigrationEvent::PhaseBegan { phase } => to("phase = $2", vec![Value::from(phase)]),
        MigrationEvent::TableCopied { .. } => to("tables_copied = tables_copied + 1", Vec::new()),
        // Of two that were there at once, it is the end of the one that said so.
        MigrationEvent::RunEnded { run, outcome, reason } => to(
            "run_ended_at_us = CASE WHEN run_id = $2 THEN $3 ELSE run_ended_at_us END,
             run_outcome = CASE WHEN run_id = $2 THEN $4 ELSE run_outcome END,
             run_reason = CASE WHEN run_id = $2 THEN $5 ELSE run_reason END",
            vec![Value::from(run), at_us, Value::from(outcome), reason.map_or(Value::Null, Value::from)],
        ),
        MigrationEvent::Proven { extent, verdict, tables, .. } => {
            let tables = Value::Integer(i64::try_from(tables).unwrap_or(i64::MAX));
            let (extent, verdict) = (word(&extent), word(&verdict));
            to(
                "proven_at_us = $2, proof_extent = $3, proof_verdict = $4, proof_tables = $5",
                vec![at_us, extent, verdict, tables],
            )
        }
        MigrationEvent::CaughtUp
        | MigrationEvent::SchemaFollowed { .. }
        | MigrationEvent::Warned { .. }
        | MigrationEvent::Reconnected { .. }
        | MigrationEvent::RunEndUnknown { .. }
        | MigrationEvent::StopAsked { .. }
        | MigrationEvent::TablesAdded { .. }
        | MigrationEvent::WayBackMade { .. }
        | MigrationEvent::WayBackRemoved { .. }
        | MigrationEvent::Repaired { .. }
        | MigrationEvent::Removed { .. }
        | MigrationEvent::Unrecorded { .. } => Vec::new(),
    }
}
