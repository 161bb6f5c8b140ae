//! Which format a table's rows travel in.
//!
//! Binary is the faster one, and the bytes are the server's own; it is used only where both servers are
//! known to read and write them alike. Everything else goes as text, which every version reads.

use atalaya_catalog::{Column, Relation, TypeKind};

/// The two formats of COPY used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Proven alike on both sides.
    Binary,
    /// Always possible.
    Text,
}

impl Format {
    /// The format as an option of COPY.
    pub(super) const fn as_sql(self) -> &'static str {
        match self {
            Self::Binary => "FORMAT binary",
            Self::Text => "FORMAT text",
        }
    }
}

/// Built-in types whose send and receive functions have not changed from 13 to 18: bool, bytea, "char", name,
/// int8, int2, int4, text, json, xml, point, lseg, path, box, polygon, line, float4, float8, circle, macaddr8,
/// macaddr, inet, cidr, bpchar, varchar, date, time, timestamp, timestamptz, interval, timetz, bit, varbit,
/// numeric, uuid, jsonb.
const PROVEN: &[u32] = &[
    16, 17, 18, 19, 20, 21, 23, 25, 114, 142, 600, 601, 602, 603, 604, 628, 700, 701, 718, 774, 829, 869, 650, 1042,
    1043, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2950, 3802,
];

/// The format for a table: binary only when every column is proven.
pub(super) fn format_of(source: &Relation, target: &Relation) -> Format {
    let proven = source.data_columns().all(|column| {
        target.columns.iter().find(|other| other.name == column.name).is_some_and(|other| is_proven(column, other))
    });
    if proven { Format::Binary } else { Format::Text }
}

fn is_proven(source: &Column, target: &Column) -> bool {
    match (source.type_kind, target.type_kind) {
        (TypeKind::Base, TypeKind::Base) => source.type_oid == target.type_oid && PROVEN.contains(&source.type_oid),
        // An array's header names its element type by OID, which is the same everywhere for built-in ones.
        (TypeKind::Array, TypeKind::Array) => {
            source.element_oid == target.element_oid && PROVEN.contains(&source.element_oid)
        }
        // An enum travels as its label; one of another name on the target is not judged.
        (TypeKind::Enum, TypeKind::Enum) => source.type_sql == target.type_sql,
        _ => false,
    }
}
