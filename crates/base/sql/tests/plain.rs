//! What applications send all day: each of these must cost the pooler nothing.

use crate::effects;

/// One a line.
pub(crate) const PLAIN: &str = "
SELECT 1
SELECT abalance FROM pgbench_accounts WHERE aid = 12345
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 12345
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP)
INSERT INTO public.t (a, b) VALUES ($1, $2) RETURNING id
INSERT INTO \"Order\" (\"Id\", \"UserName\") VALUES ($1, $2), ($3, $4)
INSERT INTO public.\"Order\" (\"Id\") VALUES ($1)
INSERT INTO t AS x (a, b) VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = excluded.b
INSERT INTO t (a) VALUES (1) ON CONFLICT (a) WHERE b > 1 DO NOTHING
INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING
INSERT INTO t (a) VALUES (1) ON CONFLICT ON CONSTRAINT t_key DO UPDATE SET (a, b) = (excluded.a, excluded.b)
INSERT INTO t SELECT * FROM generate_series(1, 10)
INSERT INTO t (a) (SELECT 1)
INSERT INTO t DEFAULT VALUES
UPDATE t SET (a, b) = (1, 2) WHERE c IN (1, 2, 3)
UPDATE public.t SET (a, b) = (SELECT c, d FROM u WHERE u.id = t.id)
DELETE FROM t USING u WHERE t.id = u.id AND u.x = ANY ($1)
DELETE FROM ONLY t WHERE NOT (a OR b)
SELECT count(*) FROM t
SELECT count(*) FILTER (WHERE a > 1) OVER (PARTITION BY b ORDER BY (c)) FROM t
SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b
SELECT coalesce(a, 1), nullif(b, 2), greatest(1, 2), least(3, 4) FROM t
SELECT CASE WHEN (a > 1) THEN (1) ELSE (2) END FROM t
SELECT cast(a AS numeric(10, 2)), a::varchar(10), a::pg_catalog.varchar(10), b::character varying (3) FROM t
SELECT extract(epoch FROM now()), position('a' IN b), substring(a FROM 1 FOR 2), overlay(a PLACING b FROM 1), trim(BOTH ' ' FROM a)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t
SELECT * FROM t WHERE a BETWEEN (1) AND (2) AND b LIKE ('x%') AND c ILIKE ('y%')
SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id)
SELECT * FROM a JOIN (SELECT 1 AS id) b ON (a.id = b.id) LEFT JOIN (SELECT 2 AS id) c USING (id)
SELECT * FROM a CROSS JOIN LATERAL (SELECT a.x) s WHERE (a.x, a.y) IN (VALUES (1, 2))
SELECT * FROM unnest($1::int[], $2::text[]) AS t (a, b)
SELECT * FROM unnest($1::int[], $2::text[]) t(a, b)
SELECT * FROM (VALUES (1, 2)) v(a, b)
SELECT * FROM jsonb_to_recordset($1) AS x(a int, b varchar(10))
SELECT ARRAY[1, 2, 3], ARRAY(SELECT 1), ROW(1, 2), (1, 2)
SELECT a[1], (a).b, (a)[1:2] FROM t
WITH x (a) AS (SELECT 1), y AS (SELECT 1, 2) SELECT * FROM x, y
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t
WITH d AS (DELETE FROM t WHERE a = 1 RETURNING *) INSERT INTO u (a, b) SELECT a, b FROM d
WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x
(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT (3) OFFSET (4)
VALUES (1, 'a'), (2, 'b')
TABLE t
SELECT a AT TIME ZONE 'UTC', a AT TIME ZONE ('UTC') FROM t
SELECT now() - interval '1 day', interval(3) '1 s', timestamp(3) '2020-01-01'
SELECT nextval('s'), setval('s', 1)
SELECT pg_catalog.now(), \"now\"(), pg_catalog.\"now\" ()
SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(2)
SELECT current_setting('app.tenant'), current_user, session_user
SELECT name, setting FROM pg_settings
SELECT string_agg(a, ',' ORDER BY a), array_agg(DISTINCT b), json_build_object('a', 1), to_jsonb(t) FROM t
SELECT lower(a), upper(b), length(c), md5(d), left(e, 1), right(f, 2), date_trunc('day', g), gen_random_uuid() FROM t
SELECT pg_notify('a', 'b')
SELECT temp, local, key, value, data FROM weather
SELECT t.temp, t.\"set\", t.execute FROM t
SELECT a, count(*) FROM t GROUP BY ROLLUP (a)
SELECT a, count(*) FROM t GROUP BY GROUPING SETS ((a), ())
SELECT 'it''s; SET x = 1', E'it\\'s; SET x = 1', $$; SET x = 1$$, $a$; SET $$ x = 1$a$, U&'; SET x = 1', B'01', X'1F', N'; SET'
SELECT 'SET x = 1' -- SET x = 1
SELECT 1 /* ; SET x = 1 /* ; LISTEN a */ ; SET y = 1 */ + 2
SELECT 1e5, 0x1F, 1_000, .5, 1., $1, 1.5e-10
SELECT a::text || ':' || b::int % 3 # 4 & 5 | ~6 FROM t WHERE a -> 'b' ->> 'c' @> '{}' AND d ? 'e' AND f ?| ARRAY['g']
SELECT \"SET\", \"DISCARD\" FROM \"LISTEN\"
SELECT * FROM t WHERE a = 1 FOR UPDATE SKIP LOCKED
SELECT a.\"b\"\"c\" FROM a
SELECT relname FROM pg_catalog.pg_class WHERE relname OPERATOR(pg_catalog.~) '^(t)$' COLLATE pg_catalog.default
MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT (a, b) VALUES (1, 2)
BEGIN
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE
START TRANSACTION READ WRITE
COMMIT
COMMIT AND CHAIN
END
ROLLBACK
ABORT
SAVEPOINT a
RELEASE SAVEPOINT a
ROLLBACK TO SAVEPOINT a
PREPARE TRANSACTION 'a'
COMMIT PREPARED 'a'
SET LOCAL work_mem = '1MB'
SET LOCAL app.tenant = 'x'
SET LOCAL ROLE x
SET LOCAL SESSION AUTHORIZATION x
SET LOCAL TIME ZONE 'UTC'
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
SET TRANSACTION SNAPSHOT 'x'
SET CONSTRAINTS ALL DEFERRED
SET CONSTRAINTS a.b, c IMMEDIATE
SHOW work_mem
SHOW ALL
NOTIFY a, 'b'
LOCK TABLE t IN EXCLUSIVE MODE
FETCH 10 FROM c
MOVE FORWARD 10 IN c
DECLARE c CURSOR FOR SELECT * FROM t
DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR SELECT * FROM t
EXPLAIN SELECT 1
EXPLAIN ANALYZE VERBOSE SELECT now()
EXPLAIN (ANALYZE, BUFFERS, FORMAT json) INSERT INTO t (a) VALUES (1)
EXPLAIN (SELECT 1)
EXPLAIN (ANALYZE) (SELECT 1)
COPY t (a, b) FROM STDIN WITH (FORMAT csv)
COPY public.t (a, b) TO STDOUT
COPY (SELECT * FROM t) TO STDOUT (FORMAT binary)
ANALYZE t (a, b)
VACUUM (ANALYZE, VERBOSE) t
CHECKPOINT
COMMENT ON TABLE t IS 'x'
GRANT SELECT (a, b) ON t TO x
REVOKE ALL ON t FROM x
SECURITY LABEL ON TABLE t IS 'x'
";

#[test]
fn everyday_statements_are_plain() {
    let mut wrong = Vec::new();
    for sql in PLAIN.lines().filter(|line| !line.is_empty()) {
        for sql in [sql.to_owned(), format!("{sql};"), format!(" {} ; ", sql.replace(' ', "\n\t"))] {
            // A comment of a line ends elsewhere then.
            if sql.contains("--") {
                continue;
            }
            let found = effects(&sql);
            if !found.is_plain() || found.ddl || found.statements != 1 {
                wrong.push(format!("{sql}: {} ({} statements)", crate::told(&found), found.statements));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn plain_statements_stay_plain_side_by_side() {
    let lines: Vec<&str> = PLAIN.lines().filter(|line| !line.is_empty() && !line.contains("--")).collect();
    for pair in lines.windows(2) {
        let found = effects(&pair.join(";"));
        assert!(found.is_plain() && found.statements == 2, "{pair:?}: {}", crate::told(&found));
    }
    let found = effects(&lines.join(" ; "));
    assert!(found.is_plain() && found.statements == lines.len());
}

#[test]
fn an_effect_is_told_wherever_it_stands_among_plain_statements() {
    let lines: Vec<&str> = PLAIN.lines().filter(|line| !line.is_empty() && !line.contains("--")).collect();
    for line in &lines {
        assert!(effects(&format!("{line};SET x = 1")).settings, "{line}");
        assert!(effects(&format!("SET x = 1;{line}")).settings, "{line}");
        assert!(effects(&format!("{line};{line};LISTEN a;{line}")).session_objects, "{line}");
        assert!(effects(&format!("/* {line} */ SELECT set_config('a.b', $q${line}$q$, false)")).settings, "{line}");
    }
}

#[test]
fn an_empty_text_has_no_statement() {
    for sql in ["", ";", " ; ;; ", "-- SET x = 1", "/* LISTEN a */;"] {
        assert_eq!(effects(sql), atalaya_sql::SessionEffects::default(), "{sql}");
    }
}
