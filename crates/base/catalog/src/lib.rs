//! One model of relations, columns, keys and dependencies.
