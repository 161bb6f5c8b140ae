//! One model of relations, columns and keys, read by `stores/*` and used by every capability.

mod relation;

pub use relation::{Column, Generated, Identity, Key, Relation, RelationKind, ReplicaIdentity, TypeKind};
