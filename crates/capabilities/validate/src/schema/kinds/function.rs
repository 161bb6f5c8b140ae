//! Functions, procedures, aggregates and window functions. Bodies are compared by their hash and shown in no report.

use crate::schema::kind::{COMMENT, Compare, Kind, Mend, OWNER, Rule, Servers, counts};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "function",
    query,
    severity: Severity::Behaviour,
    rules: &[
        Rule::new("definition", Severity::Behaviour),
        // Parsed bodies are spelled with fewer names from 16 on, and nothing can parse one alone.
        Rule::new("parsed body", Severity::Behaviour).compared(Compare::Spelling),
        Rule::new("aggregate", Severity::Behaviour)
            .mended(Mend::ByHand("`pg_dump --schema-only` of the source has the aggregate's definition")),
        OWNER,
        COMMENT,
    ],
    holds_data: false,
    unmade: "`pg_dump --schema-only` of the source has the aggregate's definition",
};

fn query(servers: Servers) -> String {
    let body = if servers.own >= 14 { "'md5 ' || md5(pg_get_function_sqlbody(p.oid))" } else { "NULL::text" };
    format!(
        "SELECT n.nspname AS schema, p.proname AS name, f.id AS identity, p.oid, f.text AS create_sql,
                format('DROP ROUTINE %s', f.id) AS drop_sql,
                ARRAY['definition', 'md5 ' || md5(concat_ws(E'\\n', p.prokind, l.lanname, p.prosrc, p.probin,
                           -- 14 writes IN before a procedure's arguments.
                           regexp_replace(pg_get_function_arguments(p.oid), '(^|, )IN ', '\\1', 'g'), pg_get_function_result(p.oid),
                           p.provolatile, p.proparallel, p.proisstrict, p.prosecdef, p.proleakproof, p.procost, p.prorows,
                           p.proconfig::text, nullif(p.prosupport::oid, 0)::regproc::text)), f.text,
                      'parsed body', {body}, f.text,
                      'aggregate', (SELECT 'md5 ' || md5(concat_ws(E'\\n', g.aggkind, g.aggnumdirectargs, g.aggtransfn, g.aggfinalfn, g.aggcombinefn,
                           g.aggserialfn, g.aggdeserialfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn, g.aggfinalextra, g.aggmfinalextra,
                           g.aggfinalmodify, g.aggmfinalmodify, nullif(g.aggsortop, 0)::regoperator::text, g.aggtranstype::regtype,
                           g.aggtransspace, g.agginitval, g.aggminitval)) FROM pg_aggregate g WHERE g.aggfnoid = p.oid), NULL,
                      'owner', pg_get_userbyid(p.proowner), format('ALTER ROUTINE %s OWNER TO %I', f.id, pg_get_userbyid(p.proowner)),
                      'comment', obj_description(p.oid, 'pg_proc'),
                      format('COMMENT ON ROUTINE %s IS %L', f.id, obj_description(p.oid, 'pg_proc'))]::text[] AS attributes
           FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
          CROSS JOIN LATERAL (SELECT p.oid::regprocedure::text AS id,
                     CASE WHEN p.prokind <> 'a' THEN rtrim(pg_get_functiondef(p.oid), E'\\n') END AS text) AS f
          WHERE {} AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid
                                      AND x.deptype IN ('e', 'i'))",
        counts("n")
    )
}
