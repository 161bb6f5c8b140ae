-- Types, made once in a program's schema: their OIDs are on the wire, and are the same in every run.

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE place AS (x int, name text, shades mood[]);
CREATE DOMAIN percent AS int CONSTRAINT percent_range CHECK (VALUE BETWEEN 0 AND 100);
