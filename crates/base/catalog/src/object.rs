//! One object of a schema as its server describes it: who it is, what it is like, and the SQL that would say so.
//!
//! Each side writes its own statements, so that whoever compares two sides never has to compose SQL out of names: what
//! the source says of itself is what makes the target the same.

use atalaya_data::RelationName;

/// An object: an index, a function, a privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaObject {
    /// What it is called within its kind, quoted as in SQL; the same on both sides.
    pub identity: String,
    /// The schema it stands in; none for what belongs to the whole database.
    pub schema: Option<String>,
    /// The table it belongs to, where it goes with one.
    pub relation: Option<RelationName>,
    /// Kind and identity of the object without which it cannot be.
    pub parent: Option<String>,
    /// Its OID: the order in which objects were made.
    pub oid: u32,
    /// The statement that makes it.
    pub create: Option<String>,
    /// The statement that removes it.
    pub drop: Option<String>,
    /// Whether another object brings it along, so that its absence is that one's matter.
    pub implied: bool,
    /// Whether the statement that makes its parent makes it, too.
    pub with_parent: bool,
    /// When a move restores it.
    pub stage: ObjectStage,
    /// What it is like.
    pub attributes: Vec<ObjectAttribute>,
}

/// When a move restores an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectStage {
    /// Before rows are copied.
    BeforeData,
    /// Once they are: indexes and most constraints.
    AfterCopy,
    /// After that, or when the move ends.
    ForeignKey,
    /// When the move ends: triggers, rules, policies.
    Finish,
    /// Last, and each time before clients come, until they are there: contents of materialized views.
    Contents,
}

/// One property of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAttribute {
    /// Which property.
    pub name: String,
    /// Its value; none where there is none (no default, no comment).
    pub value: Option<String>,
    /// The statement that gives it this value.
    pub set: Option<String>,
}

impl SchemaObject {
    /// An attribute by name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&ObjectAttribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}
