//! One cell that is changed on the target behind the program's back, and what the proof makes of it.
//!
//! The shop's clients never write to suppliers, so nothing but a repair can put the cell right.

use atalaya_postgres::Session;

use crate::report::{Found, Proof};
use crate::{Error, Event, Narrator, Stage};

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
