//! A certificate checked again on one of its two servers.
//!
//! Statements are built from the certificate's names and the server's own catalog: SQL that stands in the file is for
//! people and is never run, since anybody can write a file.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use atalaya_catalog::{Relation, RelationKind};
use atalaya_data::RelationName;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::catalog::{read_relations, read_sequences};
use atalaya_postgres::{Session, settings};
use futures_util::future::try_join_all;
use serde::Serialize;

use super::document::{Certificate, CertifiedTable, StandsAt, Total};
use super::error::CertificateError;
use super::{facts, totals};
use crate::Error;
use crate::canonical::{Compared, Encoding, Hashing, Place, SideSql, is_binary};
use crate::moment::{APPLICATION_NAME, begin_shared, connect_all};

/// Which of the certificate's servers is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSide {
    /// The one that was moved from.
    Source,
    /// The one that was moved to.
    Target,
}

/// What a server says to a certificate.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The version of the report's JSON form.
    pub version: u32,
    /// Which side was asked.
    pub side: CertificateSide,
    /// When the certificate was made.
    pub made_at: String,
    /// Whether it is the very server and database of the certificate, by identifier and name.
    pub same_server: bool,
    /// Every table of the certificate.
    pub tables: Vec<CheckedTable>,
    /// Sequences that stand elsewhere.
    pub sequences: Vec<CheckedSequence>,
}

/// One table.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedTable {
    /// Its name on this side; the first where several make up one of the target.
    pub table: RelationName,
    /// How it compares.
    pub status: CheckedTableStatus,
    /// What the certificate says.
    pub certified: Total,
    /// What the server says; none where it could not be asked.
    pub now: Option<Total>,
    /// Why it could not be compared.
    pub note: Option<String>,
}

/// How a table compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckedTableStatus {
    /// Rows and hash are those of the certificate.
    Equal,
    /// They are others.
    Different,
    /// The table, or a column of it, is not there any more or cannot be read.
    Missing,
}

/// A sequence that stands elsewhere.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedSequence {
    /// Its name.
    pub name: RelationName,
    /// Where it stood; none where it was missing on this side.
    pub certified: Option<StandsAt>,
    /// Where it stands; none where it is missing.
    pub now: Option<StandsAt>,
}

impl CheckReport {
    /// Whether the server says what the certificate says.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.sequences.is_empty() && self.tables.iter().all(|table| table.status == CheckedTableStatus::Equal)
    }
}

/// Computes every table's rows and hash again on one server, with the certificate's seed.
///
/// # Errors
/// When the server cannot be asked, or the certificate was made under other settings than this version's.
pub async fn check_certificate(
    certificate: &Certificate,
    side: CertificateSide,
    url: &ConnectionUrl,
    workers: usize,
) -> Result<CheckReport, CertificateError> {
    let seed =
        certificate.hash.seed.parse().map_err(|_| CertificateError::Unreadable { reason: "its seed is no number" })?;
    let ours = settings::as_pairs();
    if certificate
        .hash
        .settings
        .iter()
        .any(|(name, value)| ours.iter().any(|(own, own_value)| own == name && own_value != value))
    {
        return Err(CertificateError::Unreadable { reason: "it was made under other settings than this version's" });
    }
    let encoding = if certificate.hash.converted { Encoding::Converted } else { Encoding::Same };
    let control = Session::connect_for_control(url, APPLICATION_NAME).await?;
    let server = facts::server(&control).await?;
    let certified = match side {
        CertificateSide::Source => &certificate.source,
        CertificateSide::Target => &certificate.target,
    };
    let relations = read_relations(&control).await?;
    let by_name: HashMap<&RelationName, &Relation> =
        relations.iter().map(|relation| (&relation.name, relation)).collect();
    let sessions = connect_all(url, workers).await?;
    begin_shared(&sessions).await?;
    let checking = Checking { side, hashing: Hashing { encoding, seed }, by_name: &by_name };
    let queue: Mutex<VecDeque<&CertifiedTable>> = Mutex::new(certificate.tables.iter().collect());
    let worked = try_join_all(sessions.iter().map(|session| checking.work(session, &queue))).await?;
    let mut tables: Vec<CheckedTable> = worked.into_iter().flatten().collect();
    tables.sort_by(|one, other| one.table.cmp(&other.table));
    Ok(CheckReport {
        version: 1,
        side,
        made_at: certificate.made_at.clone(),
        same_server: server.system_identifier == certified.system_identifier
            && server.side.database == certified.side.database,
        tables,
        sequences: sequences(certificate, side, &control).await?,
    })
}

async fn sequences(
    certificate: &Certificate,
    side: CertificateSide,
    session: &Session,
) -> Result<Vec<CheckedSequence>, Error> {
    let states = read_sequences(session).await?;
    let compared = certificate.sequences.iter().map(|sequence| CheckedSequence {
        name: sequence.name.clone(),
        certified: match side {
            CertificateSide::Source => Some(sequence.source.clone()),
            CertificateSide::Target => sequence.target.clone(),
        },
        now: states.iter().find(|state| state.name == sequence.name).map(facts::stands_at),
    });
    Ok(compared.filter(|sequence| sequence.certified != sequence.now).collect())
}

struct Checking<'all> {
    side: CertificateSide,
    hashing: Hashing,
    by_name: &'all HashMap<&'all RelationName, &'all Relation>,
}

impl Checking<'_> {
    async fn work(
        &self,
        session: &Session,
        queue: &Mutex<VecDeque<&CertifiedTable>>,
    ) -> Result<Vec<CheckedTable>, Error> {
        let mut tables = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(table) = next else { return Ok(tables) };
            tables.push(self.check(session, table).await?);
        }
    }

    async fn check(&self, session: &Session, table: &CertifiedTable) -> Result<CheckedTable, Error> {
        let (names, certified) = match self.side {
            CertificateSide::Source => (table.sources.clone(), &table.source),
            CertificateSide::Target => (vec![table.name.clone()], &table.target),
        };
        let mut checked = CheckedTable {
            table: names.first().unwrap_or(&table.name).clone(),
            status: CheckedTableStatus::Missing,
            certified: certified.clone(),
            now: None,
            note: None,
        };
        match self.side_sql(&names, table) {
            Ok(side) => {
                session.batch("SAVEPOINT atalaya_table").await?;
                let now = totals::total(session, &side).await;
                session.batch("ROLLBACK TO SAVEPOINT atalaya_table; RELEASE SAVEPOINT atalaya_table").await?;
                match now {
                    Ok(now) => {
                        let same = now == *certified;
                        checked.status = if same { CheckedTableStatus::Equal } else { CheckedTableStatus::Different };
                        checked.now = Some(now);
                    }
                    Err(error) => checked.note = Some(totals::refusal(error)?),
                }
            }
            Err(note) => checked.note = Some(note),
        }
        Ok(checked)
    }

    /// The statement, from the server's own catalog; or what is missing for it.
    fn side_sql(&self, names: &[RelationName], table: &CertifiedTable) -> Result<SideSql, String> {
        let mut places = Vec::new();
        let mut found: Vec<Compared<'_>> = Vec::new();
        for name in names {
            let relation = self.by_name.get(name).ok_or_else(|| format!("the table {name} is not there"))?;
            places.push(Place { name: name.clone(), partitioned: relation.kind == RelationKind::Partitioned });
            let find = |column: &String| {
                let known = relation.columns.iter().find(|known| known.name == *column);
                let known = known.ok_or_else(|| format!("the table {name} has no column {column}"))?;
                let by_bytes = table.binary.contains(column);
                if by_bytes && !is_binary(known) {
                    return Err(format!("the column {column} of the table {name} is of another type now"));
                }
                Ok(Compared { column: known, by_bytes })
            };
            found = table.columns.iter().map(find).collect::<Result<_, _>>()?;
        }
        Ok(SideSql::new(&places, &found, Vec::new(), self.hashing))
    }
}
