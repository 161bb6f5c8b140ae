//! Making a certificate, in two steps: both sides' snapshots are opened while nothing writes, and every row is hashed
//! in them later, when the application may be using the target already.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use atalaya_data::RelationName;
use atalaya_postgres::{Session, settings};
use futures_util::future::try_join_all;

use super::cutover::CertifiedCutover;
use super::document::{
    Certificate, CertifiedHash, CertifiedProof, CertifiedSchema, CertifiedSchemaDifference, CertifiedTable, FORMAT,
    NotCertified, Occasion,
};
use super::error::CertificateError;
use super::{facts, totals};
use crate::canonical::Encoding;
use crate::moment::{APPLICATION_NAME, Opened, Pair};
use crate::survey::{Survey, survey};
use crate::unit::Unit;
use crate::{Error, Plan, Report, SchemaReport, Scope, SkipVerdict};

/// Which side has the clients when a certificate is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// The one that is moved from, or none.
    Source,
    /// The one that is moved to. Rows are compared by the way back, whose plan goes the other way; the certificate is turned
    /// round, so that its sides are those of the move.
    Target,
}

/// What a certificate is made of.
#[derive(Debug)]
pub struct CertificatePlan {
    /// Both sides, their tables, and what makes them comparable.
    pub rows: Plan,
    /// Which side has the clients.
    pub serving: Serving,
    /// When in the life of a move.
    pub occasion: Occasion,
    /// How the schemas differ.
    pub schema: SchemaReport,
    /// Source tables whose rows may differ.
    pub accepted: Vec<RelationName>,
    /// The proof that came before.
    pub proof: Option<Report>,
    /// How clients were led, as the journal says it.
    pub cutovers: Vec<CertifiedCutover>,
}

/// A certificate whose rows have still to be hashed, in snapshots that are open.
pub struct CertificateDraft {
    opened: Opened,
    survey: Survey,
    certificate: Certificate,
    serving: Serving,
}

pub(crate) fn product() -> String {
    format!("atalaya {}", env!("CARGO_PKG_VERSION"))
}

const ALGORITHM: &str = "for each row the 64 bits of hashtextextended(ROW(columns)::text COLLATE \"C\", seed), signed, \
    with hash_array_extended(ARRAY[column], seed) for each `binary` column; the sum of all rows";

impl CertificateDraft {
    /// Reads everything but the rows, and opens the snapshots in which these are hashed.
    ///
    /// # Errors
    /// When a side cannot be asked, or no fence holds.
    pub async fn open(plan: &CertificatePlan) -> Result<Self, CertificateError> {
        let rows = &plan.rows;
        let (source, target) = tokio::try_join!(
            Session::connect_for_control(&rows.source, APPLICATION_NAME),
            Session::connect_for_control(&rows.target, APPLICATION_NAME)
        )?;
        let mut survey = survey(rows, &source, &target).await?;
        let opened = Opened::open(rows, None, &[]).await?;
        let (old, new) = match plan.serving {
            Serving::Source => (&source, &target),
            Serving::Target => (&target, &source),
        };
        let name = match &rows.scope {
            Scope::Migration { name } | Scope::Drained { name } => Some(name.clone()),
            Scope::Databases { .. } => None,
        };
        let history = match &name {
            Some(name) => facts::history(new, name).await?,
            None => None,
        };
        let (began_at, position, conflicts) = match history {
            Some((began_at, position, conflicts)) => (Some(began_at), Some(position), conflicts),
            None => (None, None, Vec::new()),
        };
        let mut not_certified = facts::not_certified(&source, &survey).await?;
        not_certified.extend(left_out(&survey, plan.serving));
        if plan.serving == Serving::Target {
            not_certified.extend(leave_out_divided(&mut survey));
        }
        let certificate = Certificate {
            format: FORMAT,
            product: product(),
            migration: name,
            occasion: plan.occasion,
            moment: moment(&rows.scope, plan.serving).to_owned(),
            fence: opened.fence.map(|fence| fence.to_string()),
            began_at,
            made_at: facts::now(new).await?,
            source: facts::server(old).await?,
            target: facts::server(new).await?,
            hash: hash(&survey),
            tables: Vec::new(),
            accepted: plan.accepted.clone(),
            not_read: Vec::new(),
            not_certified,
            sequences: facts::sequences(rows, &survey, old, new).await?,
            schema: schema(&plan.schema),
            conflicts,
            position,
            proof: plan.proof.as_ref().map(proof),
            cutovers: plan.cutovers.clone(),
        };
        Ok(Self { opened, survey, certificate, serving: plan.serving })
    }

    /// Hashes every row on both sides.
    ///
    /// # Errors
    /// When a side goes away, or the snapshots' age limit ends it.
    pub async fn complete(mut self) -> Result<Certificate, CertificateError> {
        let queue: Mutex<VecDeque<&Unit>> = Mutex::new(self.survey.units.iter().collect());
        let worked = try_join_all(self.opened.pairs.iter().map(|pair| work(pair, &queue))).await?;
        let (tables, unread): (Vec<_>, Vec<_>) = worked.into_iter().unzip();
        let mut tables: Vec<CertifiedTable> = tables.into_iter().flatten().collect();
        if self.serving == Serving::Target {
            tables = tables.into_iter().map(turned).collect();
        }
        self.certificate.not_read = unread.into_iter().flatten().collect();
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        self.certificate.tables = tables;
        Ok(self.certificate)
    }
}

async fn work(pair: &Pair, queue: &Mutex<VecDeque<&Unit>>) -> Result<(Vec<CertifiedTable>, Vec<NotCertified>), Error> {
    let (mut tables, mut unread) = (Vec::new(), Vec::new());
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(unit) = next else { return Ok((tables, unread)) };
        pair.set_savepoint().await?;
        pair.limit_statements().await?;
        let totals = tokio::join!(totals::total(&pair.source, &unit.source), totals::total(&pair.target, &unit.target));
        pair.roll_back().await?;
        let (source, target) = match totals {
            (Ok(source), Ok(target)) => (source, target),
            (Err(error), _) | (_, Err(error)) => {
                // As by row security that is forced on the role: the others are none the worse for it.
                let what = format!("table {}", unit.target_name);
                unread.push(NotCertified { what, reason: totals::refusal(error)? });
                continue;
            }
        };
        tables.push(CertifiedTable {
            sources: unit.source_names().cloned().collect(),
            name: unit.target_name.clone(),
            columns: unit.columns.clone(),
            binary: unit.binary.clone(),
            source,
            target,
            source_sql: unit.source.total(),
            target_sql: unit.target.total(),
        });
    }
}

/// As the move sees what the way back has compared.
fn turned(table: CertifiedTable) -> CertifiedTable {
    let CertifiedTable { sources, name, columns, binary, source, target, source_sql, target_sql } = table;
    let of_target = sources.into_iter().next().unwrap_or_else(|| name.clone());
    CertifiedTable {
        sources: vec![name],
        name: of_target,
        columns,
        binary,
        source: target,
        target: source,
        source_sql: target_sql,
        target_sql: source_sql,
    }
}

/// Several tables of the side that clients are on, which make up one of the other side, cannot be turned round.
fn leave_out_divided(survey: &mut Survey) -> Vec<NotCertified> {
    let is_divided = |unit: &Unit| unit.source_names().nth(1).is_some();
    let divided = survey.units.iter().filter(|unit| is_divided(unit));
    let reason = "both sides have divided it otherwise, and clients are on the target";
    let left = divided
        .map(|unit| NotCertified { what: format!("table {}", unit.target_name), reason: reason.to_owned() })
        .collect();
    survey.units.retain(|unit| !is_divided(unit));
    left
}

fn moment(scope: &Scope, serving: Serving) -> &'static str {
    match scope {
        Scope::Migration { .. } if serving == Serving::Target => "way_back",
        Scope::Migration { .. } => "fence",
        scope if scope.is_quiesced() => "quiesced",
        _ => "snapshots",
    }
}

/// What is in scope and stands on one side only, and columns that are not on both.
fn left_out(survey: &Survey, serving: Serving) -> Vec<NotCertified> {
    let skipped = survey.skipped.iter().filter(|skipped| skipped.verdict != SkipVerdict::Irrelevant);
    let mut left: Vec<NotCertified> = skipped
        .map(|skipped| NotCertified { what: format!("table {}", skipped.table), reason: skipped.reason.clone() })
        .collect();
    let (one, other) = match serving {
        Serving::Source => ("source", "target"),
        Serving::Target => ("target", "source"),
    };
    for unit in &survey.units {
        for (columns, side) in [(&unit.missing_columns, one), (&unit.extra_columns, other)] {
            left.extend(columns.iter().map(|column| NotCertified {
                what: format!("column {column} of {}", unit.target_name),
                reason: format!("only the {side} has it"),
            }));
        }
    }
    left
}

fn hash(survey: &Survey) -> CertifiedHash {
    let settings = settings::as_pairs().into_iter().collect::<BTreeMap<_, _>>();
    CertifiedHash {
        algorithm: ALGORITHM.to_owned(),
        seed: survey.hashing.seed.to_string(),
        converted: survey.hashing.encoding == Encoding::Converted,
        settings,
    }
}

/// Without definitions and values: they may hold what is nobody's business.
fn schema(report: &SchemaReport) -> CertifiedSchema {
    CertifiedSchema {
        differences: report
            .differences
            .iter()
            .map(|difference| CertifiedSchemaDifference {
                kind: difference.kind.to_owned(),
                identity: difference.identity.clone(),
                problem: difference.problem,
                attribute: difference.attribute.clone(),
                severity: difference.severity,
            })
            .collect(),
        pending: report.pending.len(),
        compared: report.compared.iter().cloned().collect(),
        // The first says that a comparison of schemas looks at no rows; a certificate does.
        not_compared: report.not_compared.iter().skip(1).cloned().collect(),
    }
}

fn proof(report: &Report) -> CertifiedProof {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a duration; a cast from float saturates"
    )]
    let duration_ms = (report.seconds * 1000.0) as u64;
    CertifiedProof {
        method: report.method.clone(),
        moment: report.moment.to_owned(),
        fences: report.fences.iter().map(ToString::to_string).collect(),
        tables: report.totals.tables,
        equal: report.totals.equal,
        duration_ms,
    }
}
