//! Row triggers of partitioned tables stand once more in each partition, and each of these clones has a state of its own.
//!
//! pg_dump writes a clone's state where it is another one than that of the trigger right above. It knows no order between
//! such a statement and the root's CREATE TRIGGER where a clone in between is as the root is, so that the dump cannot be
//! restored; it means each statement for all partitions below, too; and a partition may have been detached since. So these
//! entries are left out, and each clone gets the state that the source's has once all triggers stand.

use atalaya_data::{RelationName, quote_literal};
use atalaya_postgres::Session;

use super::archive::Archive;
use super::entry::Entry;
use super::scripts::Scripts;
use crate::Error;
use crate::progress::Store;
use crate::silence::Fires;

/// Clones in the tables of the move and in the trees above them, by the name that their root has. A foreign key's are its own.
const CLONES: &str = "
    WITH RECURSIVE ours AS (
        SELECT c.oid FROM unnest($1::text[], $2::text[]) AS t(schema, name)
          JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
        UNION
        SELECT i.inhparent FROM ours o JOIN pg_catalog.pg_class c ON c.oid = o.oid AND c.relispartition
          JOIN pg_catalog.pg_inherits i ON i.inhrelid = o.oid),
    rooted AS (
        SELECT g.oid, g.tgname AS root FROM pg_catalog.pg_trigger g WHERE g.tgparentid = 0
        UNION ALL
        SELECT g.oid, r.root FROM rooted r JOIN pg_catalog.pg_trigger g ON g.tgparentid = r.oid)
    SELECT n.nspname::text, c.relname::text, r.root::text, g.tgenabled::text
      FROM ours o JOIN pg_catalog.pg_trigger g ON g.tgrelid = o.oid AND g.tgparentid <> 0
      JOIN rooted r ON r.oid = g.oid JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint
     WHERE k.oid IS NULL OR k.contype = 't' ORDER BY 1, 2, 3";

/// The SQL of what comes last, with every clone as the source has it.
pub(super) async fn sql_of_last(
    archive: &Archive,
    entries: &[&Entry],
    source: &Session,
    store: &Store<'_>,
) -> Result<String, Error> {
    let triggers: Vec<&Entry> = entries.iter().copied().filter(|entry| entry.kind == TRIGGER).collect();
    let scripts = Scripts::of(archive, &triggers).await?;
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.kind != TRIGGER || makes_a_trigger(&scripts.of_entry(entry).await?) {
            kept.push(*entry);
        }
    }
    let tables: Vec<RelationName> = store.read_tables().await?.into_iter().map(|table| table.source).collect();
    Ok(format!("{}\n{}", archive.sql(&kept).await?, states_sql(source, &tables).await?))
}

const TRIGGER: &str = "TRIGGER";

/// Whether a trigger's script makes one; that of a clone only says when it fires.
fn makes_a_trigger(script: &str) -> bool {
    ["\nCREATE TRIGGER ", "\nCREATE CONSTRAINT TRIGGER "].iter().any(|create| script.contains(create))
}

/// One statement that gives each clone its state; those that the target has not, or has so already, are left alone.
async fn states_sql(source: &Session, tables: &[RelationName]) -> Result<String, Error> {
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        tables.iter().map(|table| (table.schema.as_str(), table.name.as_str())).unzip();
    let mut values = Vec::new();
    for row in source.query(CLONES, &[&schemas, &names]).await? {
        let text = |column: usize| quote_literal(row.get(column));
        let verb = quote_literal(Fires::parse(row.get(3))?.verb());
        values.push(format!("({}, {}, {}, {}, {verb})", text(0), text(1), text(2), text(3)));
    }
    if values.is_empty() {
        return Ok(String::new());
    }
    let sql = format!(
        "DECLARE statement text; BEGIN
             FOR statement IN
                 SELECT pg_catalog.format('ALTER TABLE ONLY %I.%I %s TRIGGER %I', v.schema, v.name, v.verb, v.root)
                   FROM (VALUES {}) AS v(schema, name, root, fires, verb)
                   JOIN pg_catalog.pg_namespace n ON n.nspname = v.schema
                   JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = v.name
                   JOIN pg_catalog.pg_trigger g ON g.tgrelid = c.oid AND g.tgname = v.root AND g.tgparentid <> 0
                  WHERE g.tgenabled::text <> v.fires
             LOOP EXECUTE statement; END LOOP; END",
        values.join(", ")
    );
    Ok(format!("DO {};", quote_literal(&sql)))
}

#[cfg(test)]
mod tests {
    use super::makes_a_trigger;

    #[test]
    fn a_clones_state_makes_no_trigger() {
        assert!(makes_a_trigger("--\n\nCREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();\n"));
        assert!(makes_a_trigger(
            "--\n\nCREATE CONSTRAINT TRIGGER a AFTER UPDATE ON t DEFERRABLE;\n\nALTER TABLE t DISABLE TRIGGER a;\n"
        ));
        assert!(!makes_a_trigger("--\n\nALTER TABLE public.t_1 ENABLE ALWAYS TRIGGER a;\n"));
    }
}
