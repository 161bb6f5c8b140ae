//! One model of relations, columns and keys, read by `stores/*` and used by every capability.

mod object;
mod relation;
mod setting;

pub use object::{ObjectAttribute, ObjectStage, SchemaObject};
pub use relation::{Column, Generated, Identity, Key, Relation, RelationKind, ReplicaIdentity, TypeKind};
pub use setting::{setting_scope, setting_sql};
