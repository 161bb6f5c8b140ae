-- A schema as others have it in production: what a drill must fill, or say why not.
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE ROLE nasty_owner NOLOGIN;
CREATE SCHEMA "Od d; ""schema""";
CREATE TYPE mood AS ENUM ('glad', 'it''s "bad"', '😀');
CREATE TYPE place AS (street text, number int, at point);
CREATE DOMAIN percentage AS numeric(5,2) CHECK (VALUE >= 0 AND VALUE <= 100);
CREATE DOMAIN code AS text CHECK (length(VALUE) = 3) CHECK (VALUE = upper(VALUE));
CREATE DOMAIN short_list AS int[] CHECK (cardinality(VALUE) <= 5);

CREATE TABLE tenant (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name citext NOT NULL UNIQUE, code code NOT NULL);
CREATE TABLE product (
    tenant_id bigint NOT NULL REFERENCES tenant, number int NOT NULL, title varchar(40) NOT NULL, price numeric(10,2) NOT NULL CHECK (price > 0),
    off percentage NOT NULL DEFAULT 0, mood mood NOT NULL, attributes hstore, tags text[] NOT NULL, shape place, few short_list,
    gross numeric GENERATED ALWAYS AS (price * 1.19) STORED, PRIMARY KEY (tenant_id, number));
-- Both keys share the tenant, as they do where many live in one database.
CREATE TABLE sale (
    id uuid PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenant, product int NOT NULL, other int, kind text NOT NULL CHECK (kind IN ('cash', 'card')),
    quantity int NOT NULL CHECK (quantity BETWEEN 1 AND 9), during tstzrange NOT NULL, flags bit(7), note xml,
    FOREIGN KEY (tenant_id, product) REFERENCES product, FOREIGN KEY (tenant_id, other) REFERENCES product ON DELETE CASCADE);
-- A cycle, and a table that refers to itself.
CREATE TABLE team (id serial PRIMARY KEY, head int, parent int REFERENCES team, name "char" NOT NULL);
CREATE TABLE person (id int PRIMARY KEY, team int NOT NULL REFERENCES team, born date, seen timestamptz(3), address inet, photo bytea,
    EXCLUDE USING btree (id WITH =));
ALTER TABLE team ADD FOREIGN KEY (head) REFERENCES person DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE event (id bigint NOT NULL, at timestamptz NOT NULL, region text NOT NULL, payload jsonb, PRIMARY KEY (id, at, region)) PARTITION BY RANGE (at);
CREATE TABLE event_old PARTITION OF event FOR VALUES FROM (MINVALUE) TO ('2024-01-01') PARTITION BY LIST (region);
CREATE TABLE event_old_eu PARTITION OF event_old FOR VALUES IN ('de', 'fr');
CREATE TABLE event_old_us PARTITION OF event_old FOR VALUES IN ('us');
CREATE TABLE event_new PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE hashed (id bigint PRIMARY KEY, v text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);

-- No key, and rows that are equal.
CREATE TABLE trace (what text, n float8, many numeric);
ALTER TABLE trace REPLICA IDENTITY FULL;
CREATE TABLE keyless (v text, n int2);
CREATE TABLE booking (id int PRIMARY KEY, during daterange, EXCLUDE USING gist (during WITH &&));
CREATE TABLE turn (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "Od d; ""schema"""."ta.ble 'ñ' %s" ("select" int PRIMARY KEY, "Wh ere" text, "wh ere" text);
ALTER TABLE "Od d; ""schema"""."ta.ble 'ñ' %s" OWNER TO nasty_owner;
-- Nothing that is made up passes this.
CREATE TABLE never (id int PRIMARY KEY, v text NOT NULL CHECK (v ~ '^[A-Z]{7}[0-9]{9}x+$'));
CREATE TABLE below (id int PRIMARY KEY, never int NOT NULL REFERENCES never);
-- Everything built in, once.
CREATE TABLE every_type (
    id int8 PRIMARY KEY, a bool, b int2, c int4, d oid, e float4, f float8, g numeric, h money, i text, j varchar(7), k char(5), l name, m "char",
    n bytea, o date, p time, q timetz, r timestamp, s timestamptz, t interval, u uuid, v json, w jsonb, x jsonpath, y inet, z cidr, aa macaddr,
    ab macaddr8, ac bit(12), ad varbit(20), ae point, af line, ag lseg, ah box, ai path, aj polygon, ak circle, al tsvector, am tsquery, an pg_lsn,
    ao int4range, ap numrange, aq tsrange, ar daterange, at int[], au mood[], av place[], aw percentage, ax interval day to second(0), ay numeric(3,-2));

-- Writes of its own, and reads for others.
CREATE TABLE audit (id bigserial PRIMARY KEY, what text, at timestamptz DEFAULT now());
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit (what) VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON turn FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE VIEW sales AS SELECT tenant_id, count(*) FROM sale GROUP BY 1;
CREATE MATERIALIZED VIEW moods AS SELECT mood, count(*) FROM product GROUP BY 1;
ALTER TABLE booking ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON booking TO nasty_owner USING (id > 0);
GRANT SELECT ON booking TO nasty_owner;
-- What must never leave this server.
INSERT INTO tenant (name, code) VALUES ('a secret of the owner''s', 'ABC');
