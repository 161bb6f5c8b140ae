-- What clients keep that stay while their database is led from one server to another. Both servers number these types in
-- another order: the new one makes them in that of their names.

CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE place AS (x int, name text, shades mood[]);
CREATE DOMAIN percent AS int CONSTRAINT percent_range CHECK (VALUE BETWEEN 0 AND 100);

-- So many that a number of one server is another one's on the other; alike, so that no server notices.
CREATE SCHEMA many;
DO $$
BEGIN
    FOR number IN REVERSE 23..0 LOOP
        EXECUTE format('CREATE TYPE many.%I AS ENUM (''low'', ''high'')', 'm' || lpad(number::text, 2, '0'));
    END LOOP;
END $$;

CREATE TABLE kept (
    id text PRIMARY KEY,
    feeling mood, feelings mood[], share percent, spot place, tags hstore, name citext,
    -- All of it as a client means it to be read.
    wanted text NOT NULL
);
CREATE TABLE said (id text PRIMARY KEY, kind text NOT NULL, label text NOT NULL, wanted text NOT NULL);

CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO accounts SELECT n, 1000 FROM generate_series(1, 100) n;
CREATE TABLE moves (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source int, target int, amount int);
