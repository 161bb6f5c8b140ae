//! Labels of enums, one by one: a missing one can be added where it stands on the source.

use crate::schema::kind::{Kind, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind =
    Kind { name: "enum label", query, severity: Severity::Data, rules: &[], holds_data: true, unmade: "" };

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS schema, t.typname AS name, format('type %I.%I', n.nspname, t.typname) AS parent, true AS with_parent,
                format('%L of %I.%I', e.enumlabel, n.nspname, t.typname) AS identity,
                (row_number() OVER (PARTITION BY t.oid ORDER BY e.enumsortorder))::int8::oid AS oid,
                format('ALTER TYPE %I.%I ADD VALUE IF NOT EXISTS %L', n.nspname, t.typname, e.enumlabel)
                  || coalesce(' AFTER ' || quote_literal(lag(e.enumlabel) OVER (PARTITION BY t.oid ORDER BY e.enumsortorder)),
                              ' BEFORE ' || quote_literal(lead(e.enumlabel) OVER (PARTITION BY t.oid ORDER BY e.enumsortorder)),
                              '') AS create_sql
           FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
          WHERE {} AND {}",
        counts("n"),
        own("pg_type", "t.oid")
    )
}
