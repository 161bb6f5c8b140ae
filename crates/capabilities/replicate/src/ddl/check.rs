//! A relation message against the target's table.

use atalaya_catalog::{Generated, Relation as CatalogRelation};
use atalaya_data::RelationName;
use atalaya_pgwire::pgoutput;

use super::{Definition, SourceTable};
use crate::Error;

/// OIDs below this are the same on every server of every version.
const FIRST_OWN_OID: u32 = 16_384;

/// A published relation that the migration has no row for.
pub(crate) fn unknown_relation(relation: RelationName) -> Error {
    Error::SchemaChange { relation, change: "it is published but not part of this migration".to_owned() }
}

/// A relation whose counterpart is gone.
pub(crate) fn missing_on_target(relation: RelationName, target: &RelationName) -> Error {
    Error::SchemaChange { relation, change: format!("the target has no table {target}") }
}

/// Refuses a definition that the target's table cannot take exactly.
pub(crate) fn check_columns(
    source: &RelationName,
    message: &pgoutput::Relation,
    target: &CatalogRelation,
    was: Option<&Definition>,
    now: Option<&SourceTable>,
) -> Result<(), Error> {
    let changed = |change: String| Error::SchemaChange { relation: source.clone(), change };
    for column in &message.columns {
        let Some(found) = target.columns.iter().find(|found| found.name == column.name) else {
            return Err(changed(format!("column `{}` is not on the target", column.name)));
        };
        if found.generated != Generated::No {
            return Err(changed(format!("column `{}` is generated on the target only", column.name)));
        }
        let own = column.type_oid >= FIRST_OWN_OID || found.type_oid >= FIRST_OWN_OID;
        if !own && column.type_oid != found.type_oid {
            return Err(changed(format!("column `{}` has another type than on the target", column.name)));
        }
        // One that somebody has made by hand since: fewer digits than the source's would lose some without a word.
        let new = was.is_some_and(|was| !was.had(&column.name));
        let declared = now.and_then(|now| now.declared(&column.name));
        if new && declared.is_some_and(|declared| declared != found.declared_type) {
            return Err(changed(format!("column `{}` is declared otherwise than on the target", column.name)));
        }
    }
    for column in target.data_columns() {
        // One that the source got only later stands here before its time: rows of now take NULL or its default, as
        // they did on the source.
        let early = was.is_some_and(|was| !was.had(&column.name));
        if !early && !message.columns.iter().any(|sent| sent.name == column.name) {
            return Err(changed(format!("column `{}` is on the target only", column.name)));
        }
    }
    Ok(())
}
