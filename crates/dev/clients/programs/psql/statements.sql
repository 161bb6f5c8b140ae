-- Simple statements, formats of output, variables, several statements at once.
SELECT 1 AS one, 'two' AS two, NULL AS nothing;
SELECT 1 \; SELECT 2 \; INSERT INTO log (said) VALUES ('x') \; SELECT 'end';
SELECT id, name FROM items WHERE id < 3 ORDER BY id \gx
SELECT id, feeling, price FROM items WHERE id < 7 ORDER BY id \crosstabview id feeling price
SELECT count(*) AS counted FROM items \gset
\echo :counted
SELECT format('SELECT %s AS made', n) FROM generate_series(1, 3) n \gexec
SELECT * FROM kinds ORDER BY id \gdesc
;
SELECT FROM items WHERE id = 1;
SELECT $1::int + $2::int AS bound \bind 3 4 \g
SELECT $1::text AS bound \bind 'words' \g
SELECT say('notice');
SELECT 1 / 0;
\errverbose
SELECT nothing_there;
SELECT :ERROR, :'SQLSTATE', :'LAST_ERROR_MESSAGE';
\set VERBOSITY verbose
\set SHOW_CONTEXT always
SELECT fail('ZX123', 'of our own');
\set VERBOSITY sqlstate
SELECT 1 / 0;
\set FETCH_COUNT 7
SELECT n FROM generate_series(1, 30) n;
SELECT 10 / (n - 20) FROM generate_series(1, 30) n;
