DECLARE
    -- Tables that the statement touched, and those that went with it; at most :{tables} of each.
    touched oid[];
    dropped json;
    reason int;
    more boolean := false;
    said text;
    described json;
BEGIN
    IF tg_event = 'ddl_command_end' THEN
        WITH RECURSIVE tree(id) AS (
            SELECT d.objid FROM pg_catalog.pg_event_trigger_ddl_commands() d
             WHERE d.classid = 'pg_catalog.pg_class'::regclass
             UNION
            SELECT c.oid FROM pg_catalog.pg_event_trigger_ddl_commands() d
              JOIN pg_catalog.pg_class c ON c.relnamespace = d.objid
             WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND d.command_tag = 'ALTER SCHEMA'
             UNION
            SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.id)
        SELECT pg_catalog.array_agg(found.oid) INTO touched
          FROM (SELECT c.oid FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.id
                 WHERE c.relkind = 'r' AND c.relpersistence = 'p' LIMIT :{tables} + 1) AS found;
    ELSIF tg_event = 'sql_drop' THEN
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                   'oid', gone.objid::int8, 'schema', gone.schema_name, 'name', gone.object_name)),
               count(*) > :{tables}
          INTO dropped, more
          FROM (SELECT d.objid, d.schema_name, d.object_name FROM pg_catalog.pg_event_trigger_dropped_objects() d
                 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.object_type = 'table' AND NOT d.is_temporary
                 LIMIT :{tables} + 1) AS gone;
        -- A column goes with its type, too; one that ALTER TABLE drops is told of at its end.
        IF tg_tag <> 'ALTER TABLE' THEN
            SELECT pg_catalog.array_agg(found.objid) INTO touched
              FROM (SELECT DISTINCT d.objid FROM pg_catalog.pg_event_trigger_dropped_objects() d
                     WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid > 0 AND NOT d.is_temporary
                     LIMIT :{tables} + 1) AS found;
        END IF;
    ELSE
        touched := ARRAY[pg_catalog.pg_event_trigger_table_rewrite_oid()];
        reason := pg_catalog.pg_event_trigger_table_rewrite_reason();
    END IF;
    more := more OR coalesce(pg_catalog.cardinality(touched), 0) > :{tables};
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
               'oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'attributes', c.relnatts,
               'shape', :{shape}))
      INTO described
      FROM pg_catalog.unnest(touched[1::{tables}]) AS t(id)
      JOIN pg_catalog.pg_class c ON c.oid = t.id AND c.relkind = 'r' AND c.relpersistence = 'p'
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace;
    IF described IS NULL AND dropped IS NULL THEN
        RETURN;
    END IF;
    -- What may hold a value or a password never gets into the log: from the first comment, dollar quote or backslash on
    -- nobody can tell by a pattern where a literal begins, so the text ends there; other literals and numbers become `?`.
    said := pg_catalog.regexp_replace(pg_catalog."left"(pg_catalog.current_query(), :{text}), '(--|/\*|\$|\\).*$', '...');
    said := pg_catalog.regexp_replace(
        said, '("(?:[^"]|"")*(?:"|$))|''(?:[^'']|'''')*(?:''|$)', '\1' || pg_catalog.chr(1), 'g');
    said := pg_catalog.replace(pg_catalog.replace(said, '"' || pg_catalog.chr(1), '"'), pg_catalog.chr(1), '?');
    said := pg_catalog.regexp_replace(said, '\m[0-9][0-9A-Za-z_.]*', '?', 'g');
    PERFORM pg_catalog.pg_logical_emit_message(true, :{prefix}, pg_catalog.convert_to(pg_catalog.json_build_object(
        'event', tg_event, 'tag', tg_tag, 'by', session_user, 'text', said, 'reason', reason, 'more', more,
        'at', pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'tables', coalesce(described, '[]'), 'dropped', coalesce(dropped, '[]'))::text, 'UTF8'));
EXCEPTION WHEN OTHERS THEN
    -- The statement is the application's: whatever happens here, it must not fail.
    BEGIN
        PERFORM pg_catalog.pg_logical_emit_message(true, :{prefix}, pg_catalog.convert_to(
            pg_catalog.json_build_object('event', tg_event, 'tag', tg_tag, 'failed', sqlstate)::text, 'UTF8'));
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
END
