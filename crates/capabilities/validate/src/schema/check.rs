//! A comparison of two schemas from beginning to end.

use std::collections::{HashMap, HashSet};

use atalaya_catalog::Relation;
use atalaya_data::RelationName;
use atalaya_postgres::{Session, catalog};

use super::compare::{Found, Gone, compare};
use super::kind::{Compare, Kind, Servers};
use super::kinds::KINDS;
use super::outlook::Outlook;
use super::plan::SchemaPlan;
use super::probe::{Verdict, probe};
use super::read::{Choice, Objects, read};
use super::report::{Problem, SCHEMA_REPORT_VERSION, SchemaReport, SchemaSide};
use crate::{Error, TableFilter};

const APPLICATION_NAME: &str = "atalaya validate schema";
/// One moment a side: an object that is made meanwhile is seen by all queries or by none.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

const NEVER_COMPARED: &str = "publications, subscriptions, event triggers, user mappings, foreign tables, large objects, \
                              tablespaces, security labels, settings of the database and of roles: a move leaves them behind";
const VALUES: &str = "rows and where sequences stand: `atalaya validate` compares them";

/// Compares the schemas of both sides.
///
/// # Errors
/// When a side cannot be read.
pub async fn check_schema(plan: &SchemaPlan) -> Result<SchemaReport, Error> {
    let (source, target, asked) = tokio::try_join!(
        Session::connect_for_control(&plan.source, APPLICATION_NAME),
        Session::connect_for_control(&plan.target, APPLICATION_NAME),
        Session::connect_for_control(&plan.target, APPLICATION_NAME)
    )?;
    let outlook = Outlook::read(&target, plan.migration.as_deref()).await?;
    tokio::try_join!(source.batch(BEGIN), target.batch(BEGIN))?;
    let (source_relations, target_relations) =
        tokio::try_join!(catalog::read_relations(&source), catalog::read_relations(&target))?;
    let choice = Chosen::new(&plan.tables, [&source_relations, &target_relations], &outlook);
    let servers = |own: &Session| Servers {
        own: own.major(),
        older: source.major().min(target.major()),
        same: source.major() == target.major(),
    };
    let (of_source, of_target) = (servers(&source), servers(&target));
    let mut report = SchemaReport {
        version: SCHEMA_REPORT_VERSION,
        source: describe(&source).await?,
        target: describe(&target).await?,
        phase: outlook.phase.clone(),
        differences: Vec::new(),
        pending: Vec::new(),
        compared: Vec::new(),
        not_compared: vec![VALUES.to_owned(), NEVER_COMPARED.to_owned()],
    };
    let no_owner = plan.no_owner || outlook.no_owner;
    if no_owner {
        report.not_compared.push("owners and privileges: the move leaves them behind".to_owned());
    }
    let mut gone = Gone::new();
    let mut all = Vec::new();
    for (rank, kind) in KINDS.iter().enumerate().filter(|(_, kind)| !(no_owner && kind.is_of_owners())) {
        let (source_objects, target_objects) =
            tokio::try_join!(read(&source, kind, of_source, &choice), read(&target, kind, of_target, &choice))?;
        report.compared.push((kind.name.to_owned(), source_objects.len()));
        let found = compare(kind, &source_objects, &target_objects, &mut gone);
        let found = settle_spellings(&asked, of_source, found, &source_objects, &mut report.not_compared).await?;
        all.extend(found.into_iter().filter(|found| !(no_owner && is_owner(found))).map(|found| (rank, found)));
    }
    sort(&mut all);
    for (_, found) in all {
        let pending = outlook.is_pending(found.stage);
        let list = if pending { &mut report.pending } else { &mut report.differences };
        list.push(found.difference);
    }
    Ok(report)
}

impl Kind {
    fn is_of_owners(&self) -> bool {
        matches!(self.name, "privilege" | "default privilege")
    }
}

fn is_owner(found: &Found) -> bool {
    found.difference.attribute.as_deref() == Some("owner")
}

/// What has to go first, the last made first; then what has to come, in the order in which things are made.
fn sort(all: &mut [(usize, Found)]) {
    all.sort_by(|(one_rank, one), (other_rank, other)| {
        let goes = |found: &Found| found.difference.problem == Problem::Extra;
        goes(other).cmp(&goes(one)).then_with(|| {
            let order = (one_rank, one.oid).cmp(&(other_rank, other.oid));
            let order = if goes(one) { order.reverse() } else { order };
            order.then_with(|| one.difference.identity.cmp(&other.difference.identity))
        })
    });
}

/// Takes out what only looks different: between versions the target is asked.
async fn settle_spellings(
    asked: &Session,
    servers: Servers,
    found: Vec<Found>,
    source: &Objects,
    not_compared: &mut Vec<String>,
) -> Result<Vec<Found>, Error> {
    let mut kept = Vec::with_capacity(found.len());
    for mut each in found {
        let between_versions = each.compare == Compare::Spelling && !servers.same;
        let both = each.difference.source.clone().zip(each.difference.target.clone());
        match (between_versions, both) {
            (true, Some((source_query, target_query))) => {
                let verdict = match each.difference.attribute.as_deref() {
                    Some("query") => probe(asked, &source_query, &target_query).await?,
                    _ if squeezed(&source_query) == squeezed(&target_query) => Verdict::Same,
                    _ => Verdict::Unknown,
                };
                let identity = format!("{} {}", each.difference.kind, each.difference.identity);
                match verdict {
                    Verdict::Same => {}
                    Verdict::Different => kept.push(each),
                    // A text that the target cannot read is no proof of anything, so it is told.
                    Verdict::Unknown if each.difference.attribute.as_deref() == Some("query") => {
                        each.difference.note =
                            Some("spelled otherwise, and the target cannot parse the source's spelling".to_owned());
                        kept.push(each);
                    }
                    Verdict::Unknown => {
                        debug_assert!(source.contains_key(&each.difference.identity), "found on the source");
                        not_compared.push(format!(
                            "{identity}: its text differs, but so do these versions' spellings; compare it by eye"
                        ));
                    }
                }
            }
            _ => kept.push(each),
        }
    }
    Ok(kept)
}

/// Without blanks and line ends, which versions set differently.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

async fn describe(session: &Session) -> Result<SchemaSide, Error> {
    let row = session
        .query_one("SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_database()::text", &[])
        .await?;
    Ok(SchemaSide { server_version: row.get(0), database: row.get(1) })
}

/// Tables by name, a partition with its root; other objects with the schemas of these tables, or by their own name.
struct Chosen<'all> {
    tables: &'all TableFilter,
    roots: HashMap<&'all RelationName, &'all RelationName>,
    schemas: HashSet<&'all str>,
    elsewhere: &'all HashSet<RelationName>,
}

impl<'all> Chosen<'all> {
    fn new(tables: &'all TableFilter, sides: [&'all [Relation]; 2], outlook: &'all Outlook) -> Self {
        let relations = || sides.into_iter().flatten();
        let roots =
            relations().filter_map(|relation| Some((&relation.name, relation.partition_root.as_ref()?))).collect();
        let schemas = relations()
            .filter(|relation| relation.chosen_by(|name| tables.chooses(name)))
            .map(|relation| relation.name.schema.as_str())
            .collect();
        Self { tables, roots, schemas, elsewhere: &outlook.elsewhere }
    }
}

impl Choice for Chosen<'_> {
    fn takes(&self, schema: Option<&str>, name: Option<&str>, relation: Option<&RelationName>) -> bool {
        match (relation, schema) {
            (Some(relation), _) => {
                let root = self.roots.get(relation).copied().unwrap_or(relation);
                self.tables.chooses(root) && !self.elsewhere.contains(relation)
            }
            (None, Some(schema)) => {
                self.schemas.contains(schema)
                    || name.is_some_and(|name| self.tables.chooses(&RelationName::new(schema, name)))
            }
            (None, None) => true,
        }
    }
}
