-- Transactions as an interactive user runs them.
\set VERBOSITY default
BEGIN;
INSERT INTO log (said) VALUES ('one');
SAVEPOINT a;
SELECT 1 / 0;
ROLLBACK TO a;
COMMIT;
\set AUTOCOMMIT off
\set ON_ERROR_ROLLBACK on
INSERT INTO log (said) VALUES ('two');
SELECT nothing_there;
INSERT INTO log (said) VALUES ('three');
COMMIT;
\set AUTOCOMMIT on
SELECT said FROM log ORDER BY id;
BEGIN \; SELECT 1 \; COMMIT \; SELECT 2;
BEGIN \; SELECT 1 / 0 \; COMMIT;
SELECT 'in a failed transaction';
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 100) n;
FETCH 3 FROM c;
MOVE 10 FROM c;
FETCH 2 FROM c;
COMMIT;
FETCH 1 FROM c;
PREPARE p (int) AS SELECT $1 * 2 AS twice;
EXECUTE p(21);
DEALLOCATE p;
EXECUTE p(1);
PREPARE TRANSACTION 'off here';
CREATE TEMPORARY TABLE scratch AS SELECT 1 AS a;
SELECT * FROM scratch;
SET work_mem = '9MB';
SHOW work_mem;
BEGIN;
SET LOCAL work_mem = '10MB';
SHOW work_mem;
COMMIT;
SHOW work_mem;
DISCARD ALL;
SHOW work_mem;
SELECT * FROM scratch;
