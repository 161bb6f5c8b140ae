-- What every program finds in its schema beside the types; made anew before each run, as the role that the programs log
-- in as. Whatever an earlier run left goes first.

DO $$
DECLARE
    left_over record;
BEGIN
    FOR left_over IN
        SELECT c.oid::regclass AS name, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind FROM pg_class c
        WHERE relnamespace = current_schema()::regnamespace AND (relkind = 'r' OR relkind = 'S' AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i')))
    LOOP
        EXECUTE format('DROP %s %s CASCADE', left_over.kind, left_over.name);
    END LOOP;
END $$;
DROP TYPE IF EXISTS weather;

CREATE TABLE items (
    id int PRIMARY KEY,
    name text NOT NULL CONSTRAINT items_name_unique UNIQUE,
    price numeric(12, 2) CONSTRAINT items_price_positive CHECK (price >= 0),
    feeling mood
);
INSERT INTO items
SELECT n, 'item ' || n, n * 1.25, (ARRAY['sad', 'ok', 'happy']::mood[])[n % 3 + 1] FROM generate_series(1, 200) n;

CREATE TABLE parts (
    id int PRIMARY KEY,
    item_id int NOT NULL CONSTRAINT parts_item REFERENCES items DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE kinds (
    id int PRIMARY KEY,
    is_on boolean, small smallint, whole int, large bigint, exact numeric, single real, double double precision,
    words text, short varchar(10), padded char(5), bytes bytea, day date, moment time, zoned timestamptz,
    unzoned timestamp, span interval, key uuid, plain json, binary_json jsonb, whole_list int[], word_list text[],
    grid int[], feeling mood, spot place, numbers int4range, moments tstzrange, address inet, bits bit varying
);
INSERT INTO kinds VALUES
(1, true, -32768, 2147483647, -9223372036854775808, 12345678901234567890.123456789, 1.5, 2.25,
 'naïve ☃ 𝄞', 'short', 'pad', '\x00ff10', '2024-02-29', '13:14:15.123456', '2024-02-29 23:59:59.999999+00',
 '0001-01-01 00:00:00', '1 day 02:03:04.5', '00112233-4455-6677-8899-aabbccddeeff', '{"a": [1, null]}', '{"b": "x"}',
 '{1,NULL,3}', '{"a b",NULL,"c\"d"}', '{{1,2},{3,4}}', 'happy', ROW(7, 'here', '{sad,ok}'), '[1,10)',
 '["2024-01-01 00:00:00+00",)', '192.168.1.0/24', B'10101'),
(2, false, 0, 0, 0, 0, 0, 0, '', '', '', '', '1999-12-31', '00:00', '1970-01-01 00:00:00+00', '1970-01-01', '0',
 '00000000-0000-0000-0000-000000000000', '[]', '{}', '{}', '{}', '{}', 'sad', ROW(NULL, '', '{}'), 'empty', '(,)',
 '::1', B'');
INSERT INTO kinds VALUES (3);

CREATE TABLE filled (id int, words text, bytes bytea, amount numeric);

CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text);

CREATE OR REPLACE FUNCTION say(words text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'said: %', words USING DETAIL = 'in detail', HINT = 'as a hint';
    RETURN upper(words);
END $$;

CREATE OR REPLACE FUNCTION fail(code text, words text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', words USING ERRCODE = code, DETAIL = 'the detail', HINT = 'the hint',
        COLUMN = 'a column', CONSTRAINT = 'a constraint', DATATYPE = 'a type', TABLE = 'a table', SCHEMA = 'a schema';
END $$;

CREATE OR REPLACE PROCEDURE commit_often(times int) LANGUAGE plpgsql AS $$
BEGIN
    FOR turn IN 1..times LOOP
        INSERT INTO log (said) VALUES ('turn ' || turn);
        COMMIT;
    END LOOP;
END $$;
