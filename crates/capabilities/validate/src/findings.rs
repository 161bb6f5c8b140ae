//! From places of differing rows to what a person can use: the key, and which columns differ.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;
use crate::entries::Location;
use crate::merge::{Difference, Group, Tally};
use crate::moment::Pair;
use crate::record::single_value;
use crate::repair::RowIdentity;
use crate::report::{ColumnDifference, ColumnValues, Finding, FindingKind, KeyColumn};
use crate::survey::Survey;
use crate::unit::Unit;

/// Rows fetched at once from each side.
const CHUNK_ROWS: usize = 100;
/// Characters kept of a value that is shown.
const VALUE_LENGTH_MAX: u32 = 500;

/// What the rows were found to be, and corrections of what their hashes had said.
#[derive(Debug, Default)]
pub(crate) struct Described {
    /// One entry a differing row.
    pub(crate) findings: Vec<Finding>,
    /// Rows of the listed groups as their texts say.
    pub(crate) tally: Tally,
    /// How many of the differences were read.
    pub(crate) read: u64,
}

/// A row as its server says it is.
struct RowText {
    keys: Vec<Option<String>>,
    hashes: Vec<i64>,
    texts: Vec<Option<String>>,
}

type Rows = HashMap<Location, RowText>;

/// Reads the differing rows of `groups`, at most `listed_max`, in the pair's snapshots.
pub(crate) async fn describe(
    pair: &Pair,
    unit: &Unit,
    survey: &Survey,
    groups: &[Group],
    listed_max: usize,
    show_values: bool,
) -> Result<Described, Error> {
    let differences: Vec<Difference> = groups.iter().flat_map(Group::differences).take(listed_max).collect();
    let length_max = if show_values { VALUE_LENGTH_MAX } else { 0 };
    let mut described = Described::default();
    for chunk in differences.chunks(CHUNK_ROWS) {
        let source_places = chunk.iter().filter_map(|difference| difference.source.as_ref());
        let target_places = chunk.iter().filter_map(|difference| difference.target.as_ref());
        let (source, target) = tokio::try_join!(
            read_rows(&pair.source, source_places, &survey.source_names, |relation, places| {
                unit.source.rows(relation, places, length_max)
            }),
            read_rows(&pair.target, target_places, &survey.target_names, |relation, places| {
                unit.target.rows(relation, places, length_max)
            })
        )?;
        for difference in chunk {
            describe_one(unit, difference, &source, &target, show_values, &mut described)?;
            described.read += 1;
        }
    }
    described.findings.sort_by(|one, other| sort_key(one).cmp(&sort_key(other)));
    Ok(described)
}

/// Bytes of identities kept of one table; what is beyond is left for the next repair.
const IDENTITY_BYTES_MAX: usize = 64 << 20;

/// How each differing row is known on the side it stands on, for a repair.
pub(crate) async fn identify(
    pair: &Pair,
    unit: &Unit,
    survey: &Survey,
    groups: &[Group],
) -> Result<Vec<RowIdentity>, Error> {
    let mut identities = Vec::new();
    let mut bytes = 0;
    for chunk in groups.chunks(CHUNK_ROWS) {
        let differences: Vec<Difference> = chunk.iter().flat_map(Group::differences).collect();
        let source: Vec<Location> = differences.iter().filter_map(|one| one.source.clone()).collect();
        let target: Vec<Location> = differences.iter().filter_map(|one| one.target.clone()).collect();
        pair.limit_statements().await?;
        let sides = [
            (&pair.source, &unit.source, &survey.source_names, source, true),
            (&pair.target, &unit.target, &survey.target_names, target, false),
        ];
        for (session, side, names, places, on_source) in sides {
            for (relation, places) in by_relation(places.iter()) {
                let name = names.get(&relation).ok_or(Error::Shape { action: "reading the rows that differ" })?;
                let table = if on_source { name } else { &unit.source_name };
                for row in session.query(&side.identities(name, &places), &[]).await? {
                    let key: Vec<Option<String>> =
                        row.get::<_, Vec<String>>(0).iter().map(|record| single_value(record)).collect();
                    bytes += key.iter().flatten().map(String::len).sum::<usize>();
                    identities.push(RowIdentity { table: table.clone(), key });
                }
            }
        }
        if bytes > IDENTITY_BYTES_MAX {
            break;
        }
    }
    Ok(identities)
}

fn by_relation<'all>(places: impl Iterator<Item = &'all Location>) -> HashMap<u32, Vec<String>> {
    let mut by_relation: HashMap<u32, Vec<String>> = HashMap::new();
    for location in places {
        by_relation.entry(location.relation).or_default().push(location.place.clone());
    }
    by_relation
}

fn sort_key(finding: &Finding) -> (Vec<Option<&str>>, Option<&str>, Option<&str>) {
    (
        finding.key.iter().map(|column| column.value.as_deref()).collect(),
        finding.source_place.as_deref(),
        finding.target_place.as_deref(),
    )
}

fn describe_one(
    unit: &Unit,
    difference: &Difference,
    source_rows: &Rows,
    target_rows: &Rows,
    show_values: bool,
    described: &mut Described,
) -> Result<(), Error> {
    let source = find(difference.source.as_ref(), source_rows)?;
    let target = find(difference.target.as_ref(), target_rows)?;
    match (source, target) {
        // Two keys of one hash: each row is on its own.
        (Some(source_row), Some(target_row)) if source_row.keys != target_row.keys => {
            for (source, target) in [(Some(source_row), None), (None, Some(target_row))] {
                push(unit, difference, source, target, show_values, described);
            }
        }
        // A record's text may be quoted in two ways for one value, where single-byte locales differ.
        (Some(source), Some(target)) if source.hashes == target.hashes => {}
        (source, target) => push(unit, difference, source, target, show_values, described),
    }
    Ok(())
}

/// The row at a place; none only where the difference has no row on that side. A row that was hashed and is not
/// found again within the same snapshot is an error: left out, it would make a difference look like none.
fn find<'rows>(location: Option<&Location>, rows: &'rows Rows) -> Result<Option<&'rows RowText>, Error> {
    let Some(location) = location else { return Ok(None) };
    rows.get(location).map(Some).ok_or(Error::Shape { action: "reading the rows that differ" })
}

fn push(
    unit: &Unit,
    difference: &Difference,
    source: Option<&RowText>,
    target: Option<&RowText>,
    show_values: bool,
    described: &mut Described,
) {
    let (kind, row) = match (source, target) {
        (Some(row), None) => (FindingKind::Missing, row),
        (None, Some(row)) => (FindingKind::Extra, row),
        (Some(row), Some(_)) => (FindingKind::Different, row),
        (None, None) => return,
    };
    match kind {
        FindingKind::Missing => described.tally.missing += 1,
        FindingKind::Extra => described.tally.extra += 1,
        FindingKind::Different => described.tally.different += 1,
    }
    let key = unit
        .key
        .iter()
        .zip(&row.keys)
        .filter_map(|(position, value)| {
            Some(KeyColumn { column: unit.columns.get(*position)?.clone(), value: value.clone() })
        })
        .collect();
    let place = |location: &Option<Location>| location.as_ref().map(|it| it.place.clone());
    described.findings.push(Finding {
        kind,
        key,
        columns: columns(unit, source, target, show_values),
        source_place: source.and_then(|_| place(&difference.source)),
        target_place: target.and_then(|_| place(&difference.target)),
    });
}

fn columns(
    unit: &Unit,
    source: Option<&RowText>,
    target: Option<&RowText>,
    show_values: bool,
) -> Vec<ColumnDifference> {
    let both = source.is_some() && target.is_some();
    if !both && !show_values {
        return Vec::new();
    }
    let hash = |row: Option<&RowText>, position: usize| row?.hashes.get(position).copied();
    let text = |row: Option<&RowText>, position: usize| row?.texts.get(position).cloned().flatten();
    unit.columns
        .iter()
        .enumerate()
        .filter(|(position, _)| !both || hash(source, *position) != hash(target, *position))
        .map(|(position, name)| ColumnDifference {
            column: name.clone(),
            values: show_values
                .then(|| ColumnValues { source: text(source, position), target: text(target, position) }),
        })
        .collect()
}

async fn read_rows<'all>(
    session: &Session,
    places: impl Iterator<Item = &'all Location>,
    names: &HashMap<u32, RelationName>,
    sql: impl Fn(&RelationName, &[String]) -> String,
) -> Result<Rows, Error> {
    let mut rows = Rows::new();
    for (relation, places) in by_relation(places) {
        let name = names.get(&relation).ok_or(Error::Shape { action: "reading the rows that differ" })?;
        for row in session.query(&sql(name, &places), &[]).await? {
            let values = |records: Vec<String>| -> Vec<Option<String>> {
                records.iter().map(|record| single_value(record)).collect()
            };
            let location = Location { relation, place: row.get(0) };
            let text = RowText { keys: values(row.get(1)), hashes: row.get(2), texts: values(row.get(3)) };
            rows.insert(location, text);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_hashed_and_is_not_found_again_is_an_error() {
        let place = |place: &str| Location { relation: 1, place: place.to_owned() };
        let text = RowText { keys: Vec::new(), hashes: Vec::new(), texts: Vec::new() };
        let rows = Rows::from([(place("(0,1)"), text)]);
        assert!(find(Some(&place("(0,1)")), &rows).unwrap().is_some());
        assert!(find(None, &rows).unwrap().is_none());
        let error = find(Some(&place("(0,2)")), &rows).err().unwrap();
        assert!(matches!(error, Error::Shape { .. }), "{error:?}");
    }
}
