//! What is only looked for: operators, casts, collations, text search and other objects that databases seldom have.

use crate::schema::kind::{Kind, Servers, counts};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "other object",
    query,
    severity: Severity::Behaviour,
    rules: &[],
    holds_data: true,
    unmade: "`pg_dump --schema-only` of the source has its definition",
};

/// Catalogs, the column of each that names a schema, and where to look.
const CATALOGS: &[(&str, Option<&str>)] = &[
    ("pg_operator", Some("oprnamespace")),
    ("pg_opclass", Some("opcnamespace")),
    ("pg_opfamily", Some("opfnamespace")),
    ("pg_collation", Some("collnamespace")),
    ("pg_conversion", Some("connamespace")),
    ("pg_ts_config", Some("cfgnamespace")),
    ("pg_ts_dict", Some("dictnamespace")),
    ("pg_ts_parser", Some("prsnamespace")),
    ("pg_ts_template", Some("tmplnamespace")),
    ("pg_cast", None),
    ("pg_transform", None),
    ("pg_am", None),
    ("pg_language", None),
    ("pg_foreign_data_wrapper", None),
    ("pg_foreign_server", None),
];

fn query(_: Servers) -> String {
    let parts: Vec<String> = CATALOGS
        .iter()
        .map(|(catalog, schema)| {
            let (name, from, condition) = match schema {
                Some(column) => ("n.nspname", format!("JOIN pg_namespace n ON n.oid = o.{column}"), counts("n")),
                // The first OID that is nobody's but a user's.
                None => ("NULL::name", String::new(), "o.oid >= 16384".to_owned()),
            };
            format!(
                "SELECT {name} AS schema, o.oid, i.type || ' ' || i.identity AS identity
                   FROM pg_catalog.{catalog} o {from}
                  CROSS JOIN LATERAL pg_identify_object('pg_catalog.{catalog}'::regclass, o.oid, 0) AS i
                  WHERE {condition} AND NOT EXISTS (SELECT FROM pg_depend x
                        WHERE x.classid = 'pg_catalog.{catalog}'::regclass AND x.objid = o.oid AND x.deptype IN ('e', 'i'))"
            )
        })
        .collect();
    parts.join(" UNION ALL ")
}
