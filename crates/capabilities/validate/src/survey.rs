//! What there is to compare: both catalogs, paired table by table.

use std::collections::{HashMap, HashSet};

use atalaya_catalog::{Relation, RelationKind};
use atalaya_data::RelationName;
use atalaya_postgres::catalog::SequenceState;
use atalaya_postgres::{Session, catalog};

use crate::canonical::{Encoding, Hashing};
use crate::unit::{Unit, sizes};
use crate::{Error, Plan, Scope, SkipVerdict, Skipped};

/// Tables to compare, and how a row's relation is named on each side.
#[derive(Debug)]
pub(crate) struct Survey {
    /// What is compared.
    pub(crate) units: Vec<Unit>,
    /// What is not.
    pub(crate) skipped: Vec<Skipped>,
    /// Names of the source's relations by `pg_class.oid`.
    pub(crate) source_names: HashMap<u32, RelationName>,
    /// Names of the target's relations by `pg_class.oid`.
    pub(crate) target_names: HashMap<u32, RelationName>,
    /// How rows are hashed on both sides.
    pub(crate) hashing: Hashing,
    /// A migration's source tables with the roots of partitions; none without a migration.
    moved: Option<HashSet<RelationName>>,
    /// Whether nothing that has moved was left out by the plan's choice.
    pub(crate) complete: bool,
}

impl Survey {
    /// Whether a sequence of the source is compared: one that a table owns goes with the table.
    pub(crate) fn takes_sequence(&self, plan: &Plan, sequence: &SequenceState) -> bool {
        sequence.chosen_by(|name| plan.tables.chooses(name))
            && match (&self.moved, &sequence.owner) {
                (Some(moved), Some(owner)) => moved.contains(owner),
                (None, Some(_)) => true,
                (Some(moved), None) if sequence.users.iter().any(|user| moved.contains(user)) => true,
                (_, None) => plan.sequences.chooses(&sequence.name),
            }
    }
}

/// Pairs the tables of both sides.
pub(crate) async fn survey(plan: &Plan, source: &Session, target: &Session) -> Result<Survey, Error> {
    let (source_relations, target_relations) =
        tokio::try_join!(catalog::read_relations(source), catalog::read_relations(target))?;
    let hashing = Hashing { encoding: encoding(source, target).await?, seed: rand::random() };
    let mut survey = Survey {
        units: Vec::new(),
        skipped: Vec::new(),
        source_names: names(&source_relations),
        target_names: names(&target_relations),
        hashing,
        moved: None,
        complete: true,
    };
    let chosen = Chosen::new(plan, &source_relations);
    let pairs = match &plan.scope {
        Scope::Migration { name } | Scope::Drained { name } => {
            migration_pairs(&chosen, target, name, &mut survey.skipped).await?
        }
        Scope::Databases { .. } => database_pairs(plan, &source_relations, &mut survey.skipped),
    };
    if !matches!(plan.scope, Scope::Databases { .. }) {
        let roots = pairs.iter().filter_map(|pair| chosen.roots.get(&pair.source).copied());
        survey.moved = Some(pairs.iter().map(|pair| &pair.source).chain(roots).cloned().collect());
    }
    let source_by_name: HashMap<&RelationName, &Relation> =
        source_relations.iter().map(|relation| (&relation.name, relation)).collect();
    let target_by_name: HashMap<&RelationName, &Relation> =
        target_relations.iter().map(|relation| (&relation.name, relation)).collect();
    let source_sizes = sizes(&source_relations);
    let groups = group(pairs);
    let all = groups.len();
    // A target table is compared with all that it is made up of, or not at all.
    let groups: Vec<_> =
        groups.into_iter().filter(|(_, pairs)| pairs.iter().any(|pair| chosen.chooses(&pair.source))).collect();
    survey.complete = groups.len() == all;
    for (target_name, pairs) in groups {
        let sources: Vec<&Relation> =
            pairs.iter().filter_map(|pair| source_by_name.get(&pair.source).copied()).collect();
        let target = target_by_name.get(&target_name);
        for name in pairs.iter().map(|pair| &pair.source).filter(|name| !source_by_name.contains_key(*name)) {
            survey.skipped.push(match target {
                Some(_) => difference(name, "is not on the source"),
                None => {
                    let reason = "was dropped on both sides".to_owned();
                    Skipped { table: name.clone(), reason, verdict: SkipVerdict::Irrelevant }
                }
            });
        }
        let Some(target) = target else {
            for relation in &sources {
                survey.skipped.push(difference(&relation.name, "is missing on the target"));
            }
            continue;
        };
        let since: Vec<&str> = pairs.iter().map(|pair| pair.since.as_str()).collect();
        survey.units.extend(Unit::new(&sources, target, &since.join(" "), &source_sizes, hashing));
    }
    if matches!(plan.scope, Scope::Databases { .. }) {
        let extra = target_relations
            .iter()
            .filter(|relation| is_compared(relation))
            .filter(|relation| plan.only.is_none() && relation.chosen_by(|name| plan.tables.chooses(name)))
            .filter(|relation| !source_by_name.contains_key(&relation.name));
        for relation in extra {
            survey.skipped.push(difference(&relation.name, "is on the target only"));
        }
    }
    if survey.units.is_empty() && survey.skipped.iter().all(|skipped| skipped.verdict == SkipVerdict::Irrelevant) {
        return Err(Error::NothingMatches);
    }
    Ok(survey)
}

/// A source table and the target table it belongs to.
#[derive(Clone, Debug)]
struct NamePair {
    source: RelationName,
    target: RelationName,
    /// Where the table's history begins; empty without a migration.
    since: String,
}

fn database_pairs(plan: &Plan, relations: &[Relation], skipped: &mut Vec<Skipped>) -> Vec<NamePair> {
    let mut pairs = Vec::new();
    // A partition is compared with its root, so that both sides may be partitioned in different ways.
    for relation in relations.iter().filter(|relation| relation.partition_root.is_none()) {
        if !plan.tables.chooses(&relation.name) {
            continue;
        }
        if is_compared(relation) {
            let name = relation.name.clone();
            pairs.push(NamePair { source: name.clone(), target: name, since: String::new() });
        } else {
            let reason = match &relation.extension {
                Some(extension) => format!("belongs to the extension `{extension}`"),
                None => "is a foreign table".to_owned(),
            };
            skipped.push(Skipped { table: relation.name.clone(), reason, verdict: SkipVerdict::Irrelevant });
        }
    }
    pairs
}

fn is_compared(relation: &Relation) -> bool {
    relation.kind != RelationKind::Foreign && relation.extension.is_none() && relation.partition_root.is_none()
}

/// Which source tables are chosen, by name.
struct Chosen<'all> {
    plan: &'all Plan,
    roots: HashMap<&'all RelationName, &'all RelationName>,
}

impl<'all> Chosen<'all> {
    fn new(plan: &'all Plan, relations: &'all [Relation]) -> Self {
        let roots =
            relations.iter().filter_map(|relation| Some((&relation.name, relation.partition_root.as_ref()?))).collect();
        Self { plan, roots }
    }

    fn chooses(&self, name: &RelationName) -> bool {
        let root = self.roots.get(name).copied().unwrap_or(name);
        self.plan.tables.chooses(root) && self.plan.only.as_ref().is_none_or(|only| only.contains(name))
    }
}

async fn migration_pairs(
    chosen: &Chosen<'_>,
    target: &Session,
    name: &str,
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<NamePair>, Error> {
    let known = atalaya_postgres::control::is_installed(target).await?
        && target.query_opt("SELECT 1 FROM atalaya.migration WHERE name = $1", &[&name]).await?.is_some();
    if !known {
        return Err(Error::NoMigration { name: name.to_owned() });
    }
    let rows = target
        .query(
            "SELECT schema, name, target_schema, target_name, state, coalesce(start_lsn::text, '') FROM atalaya.tables WHERE migration = $1
              ORDER BY schema COLLATE \"C\", name COLLATE \"C\"",
            &[&name],
        )
        .await?;
    let text = |row: &atalaya_postgres::Row, column: usize| row.get::<_, String>(column);
    let mut pairs = Vec::with_capacity(rows.len());
    for row in &rows {
        let source = RelationName::new(text(row, 0), text(row, 1));
        if text(row, 4) == "done" {
            let target = RelationName::new(text(row, 2), text(row, 3));
            pairs.push(NamePair { source, target, since: text(row, 5) });
        } else if chosen.chooses(&source) {
            skipped.push(Skipped {
                table: source,
                reason: "is not copied yet".to_owned(),
                verdict: SkipVerdict::NotProven,
            });
        }
    }
    Ok(pairs)
}

/// Source tables by the target table they make up; in the order of the first of each.
fn group(pairs: Vec<NamePair>) -> Vec<(RelationName, Vec<NamePair>)> {
    let mut groups: Vec<(RelationName, Vec<NamePair>)> = Vec::new();
    let mut positions: HashMap<RelationName, usize> = HashMap::new();
    for pair in pairs {
        let position = *positions.entry(pair.target.clone()).or_insert_with(|| {
            groups.push((pair.target.clone(), Vec::new()));
            groups.len() - 1
        });
        if let Some((_, sources)) = groups.get_mut(position) {
            sources.push(pair);
        }
    }
    groups
}

async fn encoding(source: &Session, target: &Session) -> Result<Encoding, Error> {
    let sql = "SELECT pg_catalog.current_setting('server_encoding')";
    let (source, target) = tokio::try_join!(source.query_one(sql, &[]), target.query_one(sql, &[]))?;
    let same = source.get::<_, String>(0) == target.get::<_, String>(0);
    Ok(if same { Encoding::Same } else { Encoding::Converted })
}

fn names(relations: &[Relation]) -> HashMap<u32, RelationName> {
    relations.iter().map(|relation| (relation.oid, relation.name.clone())).collect()
}

fn difference(table: &RelationName, reason: &str) -> Skipped {
    Skipped { table: table.clone(), reason: reason.to_owned(), verdict: SkipVerdict::Difference }
}
