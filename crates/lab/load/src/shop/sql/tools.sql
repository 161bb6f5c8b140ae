-- Helpers of the session that fills the shop; gone when it ends. Nothing random: a hash of the row's number
-- and the seed is the same on every version, where random() is not.
-- The planner takes each set of numbers for a thousand, and would compile what runs for milliseconds.
SET jit = off;
SET synchronous_commit = off;
SET maintenance_work_mem = '256MB';
CREATE FUNCTION pg_temp.pick(number bigint, salt bigint, below bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
    AS 'SELECT mod(pg_catalog.hashint8extended($1, $2 + {seed}) & 9223372036854775807, $3)';
CREATE FUNCTION pg_temp.token(number bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE
    AS 'SELECT pg_catalog.md5(($1 * 1000003 + $2 + {seed})::text)';
CREATE TEMPORARY TABLE noise AS
    SELECT string_agg(sha512(int8send({seed} + n)), ''::bytea ORDER BY n) AS block FROM generate_series(1, 16384) n;
