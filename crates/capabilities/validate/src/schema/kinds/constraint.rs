//! Constraints of tables and domains. Those that a partition has from its parent go with the parent's; NOT NULL is a
//! matter of the column, since it is a constraint from 18 on only.

use crate::schema::kind::{COMMENT, Compare, Kind, Mend, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "constraint",
    query,
    severity: Severity::Data,
    rules: &[
        Rule::new("definition", Severity::Data).mended(Mend::Replace),
        Rule::new("validated", Severity::Data).compared(Compare::NotWorse).after_create(),
        // As by DISABLE TRIGGER ALL: the key is there, and nobody looks.
        Rule::new("enforced", Severity::Data).compared(Compare::NotWorse).mended(Mend::Replace),
        COMMENT.at_finish(),
    ],
    holds_data: false,
    unmade: "it comes with the constraint of its parent",
};

fn query(_: Servers) -> String {
    // Those that can be added first and looked at later hold no lock while they look.
    let later = "k.contype IN ('c', 'f') AND c.relkind IS DISTINCT FROM 'p'";
    format!(
        "SELECT CASE WHEN k.contypid <> 0 THEN n.nspname END AS schema, t.typname AS name,
                CASE WHEN k.contypid = 0 THEN n.nspname END AS relation_schema, c.relname AS relation_name,
                format('%I on %s', k.conname, f.on) AS identity, f.parent, k.oid,
                CASE WHEN k.contypid <> 0 THEN NULL WHEN k.contype = 'f' THEN 'foreign key' ELSE 'copied' END AS stage,
                i.implied, CASE WHEN NOT i.implied THEN format('ALTER %s %s ADD CONSTRAINT %I %s%s', f.word, f.on, k.conname, f.definition,
                       CASE WHEN {later} OR NOT k.convalidated THEN ' NOT VALID' ELSE '' END) END AS create_sql,
                CASE WHEN NOT i.implied THEN format('ALTER %s %s DROP CONSTRAINT %I', f.word, f.on, k.conname) END AS drop_sql,
                ARRAY['definition', f.definition, NULL,
                      'validated', k.convalidated::text, CASE WHEN k.convalidated AND {later}
                           THEN format('ALTER %s %s VALIDATE CONSTRAINT %I', f.word, f.on, k.conname) END,
                      'enforced', CASE WHEN k.contype = 'f' THEN (NOT EXISTS (SELECT FROM pg_trigger g
                           WHERE g.tgconstraint = k.oid AND g.tgenabled IN ('D', 'R')))::text END, NULL,
                      'comment', obj_description(k.oid, 'pg_constraint'),
                      format('COMMENT ON CONSTRAINT %I ON %s%s IS %L', k.conname, CASE WHEN k.contypid <> 0 THEN 'DOMAIN ' ELSE '' END,
                             f.on, obj_description(k.oid, 'pg_constraint'))]::text[] AS attributes
           FROM pg_constraint k
           LEFT JOIN pg_class c ON c.oid = k.conrelid
           LEFT JOIN pg_type t ON t.oid = k.contypid
           JOIN pg_namespace n ON n.oid = coalesce(c.relnamespace, t.typnamespace)
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, coalesce(c.relname, t.typname)) AS on,
                     CASE WHEN k.contypid <> 0 THEN 'DOMAIN' ELSE 'TABLE' END AS word,
                     CASE WHEN k.contypid <> 0 THEN format('type %I.%I', n.nspname, t.typname)
                          ELSE format('table %I.%I', n.nspname, c.relname) END AS parent,
                     regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') AS definition) AS f
          CROSS JOIN LATERAL (SELECT k.conparentid <> 0 OR (k.contypid = 0 AND NOT k.conislocal) AS implied) AS i
          WHERE k.contype IN ('c', 'f', 'p', 'u', 'x')
            AND (c.relkind IS NULL OR c.relkind IN ('r', 'p') AND c.relpersistence <> 't') AND {} AND {} AND {}",
        counts("n"),
        own("pg_class", "k.conrelid"),
        own("pg_type", "k.contypid")
    )
}
