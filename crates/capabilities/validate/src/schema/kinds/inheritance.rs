//! Tables that inherit from others (partitions apart).

use crate::schema::kind::{Kind, Mend, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "inheritance",
    query,
    severity: Severity::Data,
    rules: &[Rule::new("order of parents", Severity::Cosmetic)
        .mended(Mend::ByHand("parents are ordered as they were added: NO INHERIT and INHERIT again, in order"))],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS relation_schema, c.relname AS relation_name, format('%s of %s', f.child, f.parent) AS identity,
                'table ' || f.child AS parent, i.inhrelid AS oid,
                format('ALTER TABLE %s INHERIT %s', f.child, f.parent) AS create_sql,
                format('ALTER TABLE %s NO INHERIT %s', f.child, f.parent) AS drop_sql,
                ARRAY['order of parents', (row_number() OVER (PARTITION BY i.inhrelid ORDER BY i.inhseqno))::text, NULL]::text[]
                  AS attributes
           FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace q ON q.oid = p.relnamespace
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS child,
                                     format('%I.%I', q.nspname, p.relname) AS parent) AS f
          WHERE c.relkind = 'r' AND NOT c.relispartition AND {} AND {}",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
