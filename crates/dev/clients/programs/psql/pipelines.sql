-- The extended protocol by hand, in pipelines.
\startpipeline
SELECT $1::int AS n \bind 1 \sendpipeline
SELECT $1::int AS n \bind 2 \sendpipeline
SELECT $1::text AS n \bind 'three' \sendpipeline
\endpipeline
\startpipeline
SELECT 1 \bind \sendpipeline
SELECT 1 / $1::int \bind 0 \sendpipeline
SELECT 'never run' \bind \sendpipeline
\syncpipeline
SELECT 'after the sync' \bind \sendpipeline
\endpipeline
SELECT 'named ' || $1 \parse named
\bind_named named 'one' \g
\startpipeline
\bind_named named 'two' \sendpipeline
\bind_named named 'three' \sendpipeline
\flushrequest
\getresults 1
\syncpipeline
\getresults
INSERT INTO log (said) VALUES ($1) \bind 'in a pipeline' \sendpipeline
\flushrequest
\getresults
SELECT 1 / 0 \bind \sendpipeline
\endpipeline
SELECT said FROM log;
\close_prepared named
\bind_named named 'gone' \g
\startpipeline
BEGIN \bind \sendpipeline
INSERT INTO log (said) VALUES ($1) \bind 'one' \sendpipeline
SAVEPOINT a \bind \sendpipeline
INSERT INTO log (said) VALUES ($1) \bind 'two' \sendpipeline
ROLLBACK TO SAVEPOINT a \bind \sendpipeline
COMMIT \bind \sendpipeline
SELECT said FROM log ORDER BY id \bind \sendpipeline
\endpipeline
\startpipeline
SELECT 1 AS open \bind \sendpipeline
\syncpipeline
\syncpipeline
\endpipeline
\startpipeline
\endpipeline
SELECT 'usable';
