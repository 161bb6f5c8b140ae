//! One model of relations, columns and keys, read by `stores/*` and used by every capability.

mod relation;
mod setting;

pub use relation::{Column, Generated, Identity, Key, Relation, RelationKind, ReplicaIdentity, TypeKind};
pub use setting::{setting_scope, setting_sql};
