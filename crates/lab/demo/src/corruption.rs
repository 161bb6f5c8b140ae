//! One cell that is changed on the target behind the program's back, and what the proof makes of it.
//!
//! The shop's clients never write to suppliers, so nothing but a repair can put the cell right.

use atalaya_postgres::Session;
use atalaya_verbs::{Event, Found, Narrator, Proof};

use crate::{Error, Stage};

const TABLE: &str = "shop.supplier";
const KEY: &str = "id";
const COLUMN: &str = "contact";

/// The corrupted cell.
pub(crate) struct Cell {
    id: i32,
    before: String,
}

impl Cell {
    /// Changes a number inside one supplier's jsonb, by one: what no constraint and no count of rows notices.
    pub(crate) async fn corrupt(stage: &Stage, narrator: &dyn Narrator) -> Result<Self, Error> {
        let session = Session::connect(&stage.target_url, "somebody else").await?;
        let row = session.query_one(&format!("SELECT ((count(*) + 1) / 2)::int4 FROM {TABLE}"), &[]).await?;
        let id: i32 = row.get(0);
        let before = read(&session, id).await?;
        let statement = format!(
            "UPDATE {TABLE} SET {COLUMN} = jsonb_set({COLUMN}, '{{days}}', to_jsonb(({COLUMN} ->> 'days')::int + 1)) \
             WHERE {KEY} = {id}"
        );
        narrator.tell(&Event::Sql { side: "target", statement: statement.clone() });
        let changed = session.execute(&statement, &[]).await?;
        let cell = Self { id, before };
        if changed != 1 || read(&session, id).await? == cell.before {
            return Err(Error::NoCell { cell: cell.to_string() });
        }
        Ok(cell)
    }

    /// What a proof must find: this, and nothing else.
    pub(crate) fn expected(&self) -> Found {
        Found {
            kind: "different".to_owned(),
            table: TABLE.to_owned(),
            key: self.key(),
            columns: vec![COLUMN.to_owned()],
        }
    }

    /// An error unless the proof found exactly this cell.
    pub(crate) fn expect_found(&self, proof: &Proof) -> Result<(), Error> {
        let exact = proof.differences == 1 && proof.tables_unproven == 0 && proof.found == [self.expected()];
        if exact { Ok(()) } else { Err(Error::NotFound { cell: self.to_string(), found: proof.summary() }) }
    }

    /// An error unless the target's cell holds what it held before; asked of the server, not of the program.
    pub(crate) async fn expect_restored(&self, stage: &Stage) -> Result<(), Error> {
        let session = Session::connect(&stage.target_url, "somebody else").await?;
        let restored = read(&session, self.id).await? == self.before;
        if restored { Ok(()) } else { Err(Error::NotRepaired { cell: self.to_string() }) }
    }

    pub(crate) fn table(&self) -> String {
        TABLE.to_owned()
    }

    pub(crate) fn key(&self) -> String {
        format!("{KEY} = {}", self.id)
    }

    pub(crate) fn column(&self) -> String {
        COLUMN.to_owned()
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{COLUMN}` of {TABLE} where {KEY} = {}", self.id)
    }
}

async fn read(session: &Session, id: i32) -> Result<String, Error> {
    let sql = format!("SELECT {COLUMN}::text FROM {TABLE} WHERE {KEY} = $1");
    Ok(session.query_one(&sql, &[&id]).await?.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        Cell { id: 7, before: String::new() }
    }

    fn proof(found: Vec<Found>) -> Proof {
        Proof {
            name: "test",
            fences: Vec::new(),
            tables: 3,
            tables_equal: 2,
            tables_unproven: 0,
            rows: 10,
            differences: u64::try_from(found.len()).unwrap(),
            found,
            seconds: 1.0,
        }
    }

    #[test]
    fn only_the_cell_itself_is_the_cell() {
        let expected = cell().expected();
        cell().expect_found(&proof(vec![expected.clone()])).unwrap();
        let others = [
            vec![],
            vec![expected.clone(), expected.clone()],
            vec![Found { key: "id = 8".into(), ..expected.clone() }],
            vec![Found { columns: vec!["contact".into(), "name".into()], ..expected.clone() }],
            vec![Found { kind: "missing".into(), ..expected.clone() }],
            vec![Found { table: "shop.product".into(), ..expected.clone() }],
        ];
        for other in others {
            cell().expect_found(&proof(other)).unwrap_err();
        }
        let unlisted = Proof { differences: 2, ..proof(vec![expected.clone()]) };
        cell().expect_found(&unlisted).unwrap_err();
        let unproven = Proof { tables_unproven: 1, ..proof(vec![expected]) };
        cell().expect_found(&unproven).unwrap_err();
    }

    #[test]
    fn a_proof_without_a_table_or_with_one_unproven_proves_nothing() {
        let equal = Proof { tables_equal: 3, ..proof(Vec::new()) };
        assert!(equal.is_equal());
        assert!(!Proof { tables: 0, tables_equal: 0, ..equal.clone() }.is_equal());
        assert!(!Proof { tables_unproven: 1, ..equal.clone() }.is_equal());
        assert!(!Proof { tables_equal: 2, ..equal }.is_equal());
    }
}
