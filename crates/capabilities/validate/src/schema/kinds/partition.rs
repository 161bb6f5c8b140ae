//! Which table is a partition of which, and for what values.

use crate::schema::kind::{Kind, Mend, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "partition",
    query,
    severity: Severity::Data,
    rules: &[Rule::new("bound", Severity::Data).mended(Mend::Replace)],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS relation_schema, c.relname AS relation_name, format('%s of %s', f.child, f.parent) AS identity,
                'table ' || f.child AS parent, i.inhrelid AS oid,
                format('ALTER TABLE ONLY %s ATTACH PARTITION %s %s', f.parent, f.child, f.bound) AS create_sql,
                format('ALTER TABLE %s DETACH PARTITION %s', f.parent, f.child) AS drop_sql,
                ARRAY['bound', f.bound, NULL]::text[] AS attributes
           FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace q ON q.oid = p.relnamespace
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS child, format('%I.%I', q.nspname, p.relname) AS parent,
                                     pg_get_expr(c.relpartbound, c.oid) AS bound) AS f
          WHERE c.relispartition AND c.relkind IN ('r', 'p') AND {} AND {}",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
