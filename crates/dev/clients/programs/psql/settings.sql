-- Settings, roles, reports.
-- Notifications go by a channel of this copy's own: whoever else is in the database has another one.
SELECT current_schema AS channel \gset
SHOW application_name;
SET application_name = 'renamed';
SHOW application_name;
SET datestyle = 'SQL, DMY';
SELECT '2024-02-29'::date;
SET intervalstyle = iso_8601;
SELECT '1 day 2 hours'::interval;
SET ROLE clients_guest;
SELECT current_user;
SELECT count(*) FROM items;
RESET ROLE;
SELECT current_user = session_user AS same;
SET standard_conforming_strings = off;
SELECT 'a\\b';
RESET standard_conforming_strings;
SET work_mem = nonsense;
SET no_such_setting = 1;
SHOW no_such_setting;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SHOW transaction_isolation;
RESET ALL;
SHOW transaction_isolation;
LISTEN :channel;
NOTIFY :channel;
UNLISTEN *;
SELECT pg_advisory_lock(42);
SELECT pg_advisory_unlock(42);
SELECT pg_advisory_unlock(42);
DO $$ BEGIN RAISE WARNING 'warned'; RAISE INFO 'informed'; RAISE LOG 'logged'; END $$;
SET client_min_messages = debug1;
DO $$ BEGIN RAISE DEBUG 'debugged'; END $$;
