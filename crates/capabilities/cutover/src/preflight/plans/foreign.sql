-- Names of what is not known to be harmless to plan with. Objects below 16384 came with the server.
WITH RECURSIVE
functions AS (
  SELECT p.oid FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
   WHERE NOT (p.oid < 16384 OR (l.lanname IN ('c', 'internal') AND r.rolsuper AND EXISTS (
           SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
              AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
              -- Their code runs no SQL and nobody else's functions.
              AND e.extname IN ('btree_gin', 'btree_gist', 'citext', 'cube', 'fuzzystrmatch', 'hstore', 'intarray', 'isn',
                                'ltree', 'pg_stat_statements', 'pg_trgm', 'pgcrypto', 'seg', 'unaccent', 'uuid-ossp', 'vector'))))
      -- They run SQL, expressions that are stored, or the checks of a type that they are told by a number or a text.
      OR p.proname IN (
           'table_to_xml', 'table_to_xmlschema', 'table_to_xml_and_xmlschema', 'schema_to_xml', 'schema_to_xmlschema',
           'schema_to_xml_and_xmlschema', 'database_to_xml', 'database_to_xmlschema', 'database_to_xml_and_xmlschema',
           'query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema', 'cursor_to_xml', 'cursor_to_xmlschema',
           'ts_stat', 'ts_rewrite', 'fmgr_sql_validator', 'fmgr_c_validator', 'fmgr_internal_validator', 'plpgsql_validator',
           'domain_in', 'array_in', 'record_in', 'range_in', 'multirange_in', 'anyrange_in', 'anymultirange_in',
           'anycompatiblerange_in', 'anycompatiblemultirange_in', 'pg_input_is_valid', 'pg_input_error_info',
           'satisfies_hash_partition', 'pg_get_partition_constraintdef', 'pg_get_object_address', 'populate_record',
           'hstore_populate_record')),
-- What refers to the server's own functions is not in pg_depend.
pattern AS (
  SELECT ':(funcid|aggfnoid|winfnoid|opfuncid) (' || pg_catalog.string_agg(f.oid::text, '|') || ')\M' AS calls
    FROM functions f WHERE f.oid < 16384),
found(class, oid) AS (
  (SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, f.oid FROM functions f
   UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'f'
   UNION ALL SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid FROM pg_catalog.pg_rewrite w, pattern p
              WHERE w.oid >= 16384 AND (w.ev_action::text ~ p.calls OR w.ev_qual::text ~ p.calls)
   UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid FROM pg_catalog.pg_attrdef a, pattern p
              WHERE a.adbin::text ~ p.calls
   UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid FROM pg_catalog.pg_constraint k, pattern p
              WHERE k.conbin::text ~ p.calls
   UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, o.oid FROM pg_catalog.pg_policy o, pattern p
              WHERE o.polqual::text ~ p.calls OR o.polwithcheck::text ~ p.calls
   UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid FROM pg_catalog.pg_index i, pattern p
              WHERE i.indexprs::text ~ p.calls OR i.indpred::text ~ p.calls
   UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, t.partrelid FROM pg_catalog.pg_partitioned_table t, pattern p
              WHERE t.partexprs::text ~ p.calls
   -- Expressions of statistics came with 14.
   UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid FROM pg_catalog.pg_statistic_ext s, pattern p
              WHERE pg_catalog.to_jsonb(s) ->> 'stxexprs' ~ p.calls
   UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid FROM pg_catalog.pg_type t, pattern p
              WHERE t.typdefaultbin::text ~ p.calls)
  UNION
  SELECT x.class, x.oid FROM found f CROSS JOIN LATERAL (
    SELECT d.classid AS class, d.objid AS oid FROM pg_catalog.pg_depend d
     WHERE d.refclassid = f.class AND d.refobjid = f.oid AND d.deptype <> 'p'
    -- What is part of something else is planned with it.
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, w.ev_class FROM pg_catalog.pg_rewrite w
     WHERE f.class = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = f.oid
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, a.adrelid FROM pg_catalog.pg_attrdef a
     WHERE f.class = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = f.oid
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, k.conrelid FROM pg_catalog.pg_constraint k
     WHERE f.class = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = f.oid AND k.contype = 'c' AND k.conrelid <> 0
    UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, k.contypid FROM pg_catalog.pg_constraint k
     WHERE f.class = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = f.oid AND k.contypid <> 0
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, o.polrelid FROM pg_catalog.pg_policy o
     WHERE f.class = 'pg_catalog.pg_policy'::pg_catalog.regclass AND o.oid = f.oid
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, s.stxrelid FROM pg_catalog.pg_statistic_ext s
     WHERE f.class = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND s.oid = f.oid
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indrelid FROM pg_catalog.pg_index i
     WHERE f.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND i.indexrelid = f.oid
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, h.inhparent FROM pg_catalog.pg_inherits h
     WHERE f.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND h.inhrelid = f.oid
    UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
      FROM pg_catalog.pg_cast c, pg_catalog.unnest(ARRAY[c.castsource, c.casttarget]) t(oid)
     WHERE f.class = 'pg_catalog.pg_cast'::pg_catalog.regclass AND c.oid = f.oid
       AND (t.oid >= 16384 OR (c.castsource < 16384 AND c.casttarget < 16384))
    -- How values of a type are compared and hashed.
    UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, a.amproclefttype
      FROM pg_catalog.pg_amproc a JOIN pg_catalog.pg_opfamily o ON o.oid = a.amprocfamily AND o.opfmethod IN (403, 405)
     WHERE f.class = 'pg_catalog.pg_amproc'::pg_catalog.regclass AND a.oid = f.oid
    UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, a.amoplefttype
      FROM pg_catalog.pg_amop a JOIN pg_catalog.pg_opfamily o ON o.oid = a.amopfamily AND o.opfmethod IN (403, 405)
     WHERE f.class = 'pg_catalog.pg_amop'::pg_catalog.regclass AND a.oid = f.oid) x)
SELECT p.proname::text, 'name' FROM pg_catalog.pg_proc p JOIN found f ON f.oid = p.oid
 WHERE f.class = 'pg_catalog.pg_proc'::pg_catalog.regclass
UNION SELECT c.relname::text, 'name' FROM pg_catalog.pg_class c JOIN found f ON f.oid = c.oid
 WHERE f.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
-- Whoever converts between types of the server, or compares by IN, BETWEEN, LIKE or USING, names nothing.
UNION SELECT t.typname::text, CASE WHEN t.oid < 16384 THEN 'everywhere' ELSE 'name' END
  FROM pg_catalog.pg_type t JOIN found f ON f.oid = t.oid WHERE f.class = 'pg_catalog.pg_type'::pg_catalog.regclass
UNION SELECT o.oprname::text,
       CASE WHEN o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '~', '!~', '~~', '!~~', '~~*', '!~~*', '||', '+', '-')
            THEN 'everywhere' ELSE 'operator' END
  FROM pg_catalog.pg_operator o JOIN found f ON f.oid = o.oid WHERE f.class = 'pg_catalog.pg_operator'::pg_catalog.regclass
