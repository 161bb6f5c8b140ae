//! Reads one side's objects of a kind.

use std::collections::BTreeMap;

use atalaya_catalog::{ObjectAttribute, ObjectStage, SchemaObject};
use atalaya_data::RelationName;
use atalaya_postgres::{Row, Session};

use super::kind::{Kind, Servers};
use crate::Error;

/// A side's objects of one kind by identity.
pub(crate) type Objects = BTreeMap<String, SchemaObject>;

/// Which objects count.
pub(crate) trait Choice: Sync {
    /// Whether an object counts, by its schema and name, or its table.
    fn takes(&self, schema: Option<&str>, name: Option<&str>, relation: Option<&RelationName>) -> bool;
}

/// Reads the objects of a kind that count.
pub(crate) async fn read(
    session: &Session,
    kind: &Kind,
    servers: Servers,
    choice: &dyn Choice,
) -> Result<Objects, Error> {
    let mut objects = Objects::new();
    for row in session.query(&in_text(&(kind.query)(servers)), &[]).await? {
        let fields = Fields::of(&row)?;
        if let Some(object) = fields.object()?
            && choice.takes(object.schema.as_deref(), fields.text("name"), object.relation.as_ref())
        {
            objects.insert(object.identity.clone(), object);
        }
    }
    Ok(objects)
}

/// Each query names the columns that it has; all come as text in one document a row.
fn in_text(query: &str) -> String {
    format!("SELECT pg_catalog.row_to_json(q)::text FROM ({query}) AS q")
}

/// One row by its columns' names.
struct Fields(serde_json::Map<String, serde_json::Value>);

impl Fields {
    fn of(row: &Row) -> Result<Self, Error> {
        let text: String = row.get(0);
        serde_json::from_str(&text).map(Self).map_err(|_| SHAPE)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(serde_json::Value::as_str)
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(serde_json::Value::as_bool).unwrap_or_default()
    }

    fn object(&self) -> Result<Option<SchemaObject>, Error> {
        // What was dropped since the query began has no name any more.
        let Some(identity) = self.owned("identity") else { return Ok(None) };
        let relation = self.text("relation_schema").zip(self.text("relation_name"));
        Ok(Some(SchemaObject {
            identity,
            schema: self.owned("schema"),
            relation: relation.map(|(schema, name)| RelationName::new(schema, name)),
            parent: self.owned("parent"),
            oid: self.oid(),
            create: self.owned("create_sql"),
            drop: self.owned("drop_sql"),
            implied: self.is("implied"),
            with_parent: self.is("with_parent"),
            stage: match self.text("stage") {
                Some("copied") => ObjectStage::AfterCopy,
                Some("foreign key") => ObjectStage::ForeignKey,
                Some("finish") => ObjectStage::Finish,
                _ => ObjectStage::BeforeData,
            },
            attributes: self.attributes()?,
        }))
    }

    /// OIDs come as text or number, by the server's version.
    fn oid(&self) -> u32 {
        let value = self.0.get("oid");
        let number = value.and_then(serde_json::Value::as_u64).and_then(|number| u32::try_from(number).ok());
        number.or_else(|| self.text("oid").and_then(|text| text.parse().ok())).unwrap_or_default()
    }

    fn attributes(&self) -> Result<Vec<ObjectAttribute>, Error> {
        let Some(listed) = self.0.get("attributes") else { return Ok(Vec::new()) };
        let listed: Vec<Option<String>> = serde_json::from_value(listed.clone()).map_err(|_| SHAPE)?;
        listed
            .chunks(3)
            .map(|chunk| match chunk {
                [Some(name), value, set] => {
                    Ok(ObjectAttribute { name: name.clone(), value: value.clone(), set: set.clone() })
                }
                _ => Err(SHAPE),
            })
            .collect()
    }
}

const SHAPE: Error = Error::Shape { action: "reading the objects of a schema" };
