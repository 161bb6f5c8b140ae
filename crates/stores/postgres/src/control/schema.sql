CREATE SCHEMA IF NOT EXISTS atalaya;

-- One row a migration: what it is bound to. A position counts only for this source, slot and timeline.
CREATE TABLE IF NOT EXISTS atalaya.migration (
    name              text PRIMARY KEY,
    system_identifier bigint NOT NULL,
    timeline          integer NOT NULL,
    source_database   text NOT NULL,
    slot              text NOT NULL,
    publication       text NOT NULL,
    phase             text NOT NULL,
    snapshot          jsonb,
    options           jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT now()
);

-- The position. `marker` is touched first in every transaction of ours, `applied` is written last. Writer 0
-- applies changes and alone holds a position; the others load, each with a row of its own, so that no
-- worker waits for another's row lock.
CREATE TABLE IF NOT EXISTS atalaya.progress (
    migration    text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    writer       integer NOT NULL DEFAULT 0,
    marker       bigint NOT NULL DEFAULT 0,
    applied      pg_lsn NOT NULL DEFAULT '0/0',
    received     pg_lsn,
    spool        text,
    transactions bigint NOT NULL DEFAULT 0,
    changes      bigint NOT NULL DEFAULT 0,
    committed_at timestamptz,
    PRIMARY KEY (migration, writer)
);

-- What the running process says of itself, for `status`; never a position to resume from.
CREATE TABLE IF NOT EXISTS atalaya.activity (
    migration  text PRIMARY KEY REFERENCES atalaya.migration ON DELETE CASCADE,
    report     jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One row a table: the snapshot its copy came from (changes before `start_lsn` are in it already).
CREATE TABLE IF NOT EXISTS atalaya.tables (
    migration       text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    schema          text NOT NULL,
    name            text NOT NULL,
    target_schema   text NOT NULL,
    target_name     text NOT NULL,
    start_lsn       pg_lsn,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'copying', 'done')),
    ranges          integer,
    copied_rows     bigint NOT NULL DEFAULT 0,
    copied_bytes    bigint NOT NULL DEFAULT 0,
    estimated_rows  double precision NOT NULL DEFAULT 0,
    estimated_bytes bigint NOT NULL DEFAULT 0,
    append_only     boolean NOT NULL DEFAULT false,
    -- For one that was added later: which addition it came with.
    added           text,
    -- What the source's table was before the snapshot: OID, file, columns.
    definition      jsonb,
    -- Its row of pg_publication_rel on the source: another one means that it was not published for a while.
    publication_entry oid,
    -- What is done with rows that somebody else wrote to the target.
    conflicts       text NOT NULL DEFAULT 'stop',
    PRIMARY KEY (migration, schema, name)
);

-- The ranges of a large table, written down before the first is copied, since a resumed run must find the
-- very same ones; `done` is set in the transaction that loaded the range.
CREATE TABLE IF NOT EXISTS atalaya.copy_ranges (
    migration text NOT NULL,
    schema    text NOT NULL,
    name      text NOT NULL,
    range     integer NOT NULL,
    condition text NOT NULL,
    done      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (migration, schema, name, range),
    FOREIGN KEY (migration, schema, name) REFERENCES atalaya.tables ON DELETE CASCADE
);

-- One row a finished step of the move (pre-data, indexes, ...), so that a resumed run goes on after it.
CREATE TABLE IF NOT EXISTS atalaya.steps (
    migration text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    step      text NOT NULL,
    done_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (migration, step)
);

-- Triggers and rules of tables that the target had already, switched off until the move ends; `fires` is what they were
-- before (O, A or R), written down in the transaction that switched them off, or `-` for a partition's copy of a trigger
-- that was there and is left as it is.
CREATE TABLE IF NOT EXISTS atalaya.silenced (
    migration text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    kind      text NOT NULL CHECK (kind IN ('trigger', 'rule')),
    oid       oid NOT NULL,
    schema    text NOT NULL,
    relation  text NOT NULL,
    name      text NOT NULL,
    fires     text NOT NULL CHECK (fires IN ('O', 'A', 'R', '-')),
    PRIMARY KEY (migration, kind, oid)
);

-- What others ask of the running replicator: kinds `fence`, `repair`, `stop`, `add`, `marker`, `notes`. A fence is asked for
-- without its position; the replicator holds, and the requester then says where it lies. A marker's `lsn` is to be applied,
-- and what others have committed from `fenced_at` on is counted. For `notes` it reads again which tables are noted.
CREATE TABLE IF NOT EXISTS atalaya.control (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration  text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    kind       text NOT NULL,
    lsn        pg_lsn,
    fenced_at  pg_lsn,
    state      text NOT NULL DEFAULT 'requested',
    lease      interval NOT NULL DEFAULT '30 s',
    outcome    text,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- Of a schema that an earlier version made.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute
                    WHERE attrelid = 'atalaya.control'::regclass AND attname = 'fenced_at' AND NOT attisdropped) THEN
        ALTER TABLE atalaya.control ADD COLUMN fenced_at pg_lsn;
    END IF;
END $$;

-- Rows that a repair shall read again from the source: the key's columns as text, in key order (all data
-- columns, in column order, for a table without a key).
CREATE TABLE IF NOT EXISTS atalaya.repair_rows (
    control_id bigint NOT NULL REFERENCES atalaya.control ON DELETE CASCADE,
    schema     text NOT NULL,
    name       text NOT NULL,
    key        text[] NOT NULL
);

-- Changes that did not find on the target what they found on the source. Values (`key`, `source_row`,
-- `target_row`) are kept only where they were asked for; `key_hash` tells rows apart without showing them.
CREATE TABLE IF NOT EXISTS atalaya.conflicts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration       text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    schema          text NOT NULL,
    name            text NOT NULL,
    kind            text NOT NULL,
    commit_lsn      pg_lsn NOT NULL,
    committed_at    timestamptz,
    policy          text NOT NULL,
    resolution      text NOT NULL,
    constraint_name text,
    key_columns     text[] NOT NULL,
    key_hash        text,
    key             text[],
    source_row      jsonb,
    target_row      jsonb,
    seen_at         timestamptz NOT NULL DEFAULT now()
);

-- All of them counted; `unlisted` ones have no row above, since a group writes a bounded number.
CREATE TABLE IF NOT EXISTS atalaya.conflict_counts (
    migration  text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    schema     text NOT NULL,
    name       text NOT NULL,
    kind       text NOT NULL,
    resolution text NOT NULL,
    conflicts  bigint NOT NULL,
    unlisted   bigint NOT NULL,
    PRIMARY KEY (migration, schema, name, kind, resolution)
);

-- What was proven of each table of the target, and the promise that its changed keys are noted: from the fence on at
-- which its row is written. `shape` is what was compared, and by which version; `full_lsn` is the fence of the last
-- comparison of every row, while that comparison still counts.
CREATE TABLE IF NOT EXISTS atalaya.proof_tables (
    migration text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    schema    text NOT NULL,
    name      text NOT NULL,
    shape     text NOT NULL,
    keys_max  bigint NOT NULL,
    full_lsn  pg_lsn,
    full_at   timestamptz,
    PRIMARY KEY (migration, schema, name)
);

-- Keys of such tables that were written since, noted in the transaction that wrote them (blocks of
-- `atalaya_control::touched`); without keys: the table as a whole. A pass that finds them equal removes them.
CREATE TABLE IF NOT EXISTS atalaya.touched (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration  text NOT NULL REFERENCES atalaya.migration ON DELETE CASCADE,
    schema     text NOT NULL,
    name       text NOT NULL,
    keys_count bigint NOT NULL DEFAULT 0,
    keys       bytea
);
-- To be compressed they would cost more than they take.
DO $$ BEGIN
    IF (SELECT attstorage FROM pg_catalog.pg_attribute
         WHERE attrelid = 'atalaya.touched'::regclass AND attname = 'keys') <> 'e' THEN
        ALTER TABLE atalaya.touched ALTER COLUMN keys SET STORAGE EXTERNAL;
    END IF;
END $$;

-- The last pass over every table of a migration, and the last one that left nothing unproven.
CREATE TABLE IF NOT EXISTS atalaya.proof (
    migration text PRIMARY KEY REFERENCES atalaya.migration ON DELETE CASCADE,
    passed_lsn pg_lsn NOT NULL,
    passed_at  timestamptz NOT NULL,
    unproven   integer NOT NULL,
    clean_lsn  pg_lsn,
    clean_at   timestamptz
);
