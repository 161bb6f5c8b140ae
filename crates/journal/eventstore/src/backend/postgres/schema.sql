CREATE SCHEMA atalaya_journal;

CREATE TABLE atalaya_journal.format (version int NOT NULL);

CREATE TABLE atalaya_journal.identity (id uuid NOT NULL);

-- Locked by whoever appends, and never changed: a lock leaves no old version of a row behind.
CREATE TABLE atalaya_journal.writer (only_one boolean PRIMARY KEY CHECK (only_one));

-- One row. A new one is put beside the old one, which is then removed, and the one of the highest position is read:
-- so the head is found at once, however many old rows an open transaction keeps from being cleaned up.
CREATE TABLE atalaya_journal.head (
    position bigint PRIMARY KEY,
    chain    bytea NOT NULL,
    frontier bytea NOT NULL
);

-- Roots of complete subtrees of 256, 65536, ... leaves: proofs read few of them instead of many leaves.
CREATE TABLE atalaya_journal.tiles (
    level  smallint NOT NULL,
    number bigint NOT NULL,
    root   bytea NOT NULL,
    PRIMARY KEY (level, number)
);

-- Names are compared byte by byte: an index by a collation breaks when the system's library changes it.
CREATE TABLE atalaya_journal.events (
    position       bigint PRIMARY KEY,
    stream         text COLLATE "C" NOT NULL,
    version        bigint NOT NULL,
    category       text COLLATE "C" NOT NULL,
    type           text COLLATE "C" NOT NULL,
    schema         bigint NOT NULL,
    id             uuid NOT NULL,
    append         uuid NOT NULL,
    correlation    uuid,
    causation      uuid,
    recorded_at_us bigint NOT NULL,
    metadata       bytea NOT NULL,
    data_digest    bytea NOT NULL,
    leaf           bytea NOT NULL,
    chain          bytea NOT NULL,
    data           bytea
);

CREATE UNIQUE INDEX events_of_stream ON atalaya_journal.events (stream, version);
CREATE UNIQUE INDEX events_by_id ON atalaya_journal.events (id);
CREATE INDEX events_of_category ON atalaya_journal.events (category, position);
CREATE INDEX events_of_type ON atalaya_journal.events (type, position);

CREATE TABLE atalaya_journal.appends (
    id             uuid PRIMARY KEY,
    body           bytea NOT NULL,
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL
);

CREATE TABLE atalaya_journal.checkpoints (
    name           text COLLATE "C" NOT NULL,
    worker         bigint NOT NULL,
    workers        bigint NOT NULL,
    position       bigint NOT NULL,
    chain          bytea NOT NULL,
    stored_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, workers, worker)
);

CREATE TABLE atalaya_journal.snapshots (
    stream         text COLLATE "C" PRIMARY KEY,
    version        bigint NOT NULL,
    mark           text NOT NULL,
    leaf           bytea NOT NULL,
    stored_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    data           bytea NOT NULL
);

INSERT INTO atalaya_journal.format VALUES (1);
INSERT INTO atalaya_journal.identity VALUES (gen_random_uuid());
INSERT INTO atalaya_journal.writer VALUES (true);
INSERT INTO atalaya_journal.head VALUES (0, decode(repeat('00', 32), 'hex'), decode(repeat('00', 8), 'hex'));
