CREATE TABLE head (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    position INTEGER NOT NULL,
    chain    BLOB    NOT NULL,
    frontier BLOB    NOT NULL
) STRICT;

CREATE TABLE identity (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    id   BLOB    NOT NULL
) STRICT;

-- Roots of complete subtrees of 256, 65536, ... leaves: proofs read few of them instead of many leaves.
CREATE TABLE tiles (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    root   BLOB    NOT NULL,
    PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    stream         TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    category       TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    schema         INTEGER NOT NULL,
    id             BLOB    NOT NULL,
    append         BLOB    NOT NULL,
    correlation    BLOB,
    causation      BLOB,
    recorded_at_us INTEGER NOT NULL,
    metadata       BLOB    NOT NULL,
    data_digest    BLOB    NOT NULL,
    leaf           BLOB    NOT NULL,
    chain          BLOB    NOT NULL,
    data           BLOB
) STRICT;

CREATE UNIQUE INDEX events_of_stream ON events (stream, version);
CREATE UNIQUE INDEX events_by_id ON events (id);
CREATE INDEX events_of_category ON events (category, position);
CREATE INDEX events_of_type ON events (type, position);

CREATE TABLE appends (
    id             BLOB    PRIMARY KEY,
    body           BLOB    NOT NULL,
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    name           TEXT    NOT NULL,
    worker         INTEGER NOT NULL,
    workers        INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    chain          BLOB    NOT NULL,
    stored_at_us   INTEGER NOT NULL,
    PRIMARY KEY (name, workers, worker)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    stream         TEXT    PRIMARY KEY,
    version        INTEGER NOT NULL,
    mark           TEXT    NOT NULL,
    leaf           BLOB    NOT NULL,
    stored_at_us   INTEGER NOT NULL,
    data           BLOB    NOT NULL
) STRICT;

INSERT INTO identity (only, id) VALUES (1, randomblob(16));
