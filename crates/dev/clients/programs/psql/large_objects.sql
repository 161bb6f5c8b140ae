-- Large objects by SQL. psql's own commands for them are function calls of the protocol, which the gateway refuses by name;
-- a test apart from the comparison says so.
SELECT lo_from_bytea(0, '\x00112233') AS made \gset
SELECT lo_get(:made);
BEGIN;
SELECT lo_open(:made, 131072) AS descriptor;
COMMIT;
SELECT lo_unlink(:made);
SELECT lo_unlink(424242);
SELECT 'usable';
