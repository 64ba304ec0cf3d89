-- Runs, what was appended to them, and the big things that events refer to by hash.

CREATE TABLE run (
    number     INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    key        INTEGER NOT NULL,  -- A hash of the id: the second way to find it. See rows.py.
    epoch      INTEGER NOT NULL,  -- Rises by one whenever the run is acquired.
    owner      TEXT    NOT NULL,  -- The process that holds it; see owner.py. Empty: nobody.
    status     TEXT    NOT NULL,  -- What its events say.
    is_waiting INTEGER NOT NULL,  -- Whether it was put down until somebody answers.
    agent      TEXT    NOT NULL,
    parent     TEXT    NOT NULL,
    metadata   TEXT    NOT NULL,  -- Whose it is, as JSON; empty: nobody said. As its first event has it.
    created_at INTEGER NOT NULL,  -- Microseconds since 1970, as all times here.
    head       INTEGER NOT NULL,  -- How many events its log has.
    at         INTEGER NOT NULL,  -- Of the newest append.
    tail       INTEGER NOT NULL,  -- The checksum of the newest append.
    revision   INTEGER NOT NULL,  -- Rises by one with every change of this row.
    seal       INTEGER NOT NULL,  -- A checksum over all of the above.
    shown      TEXT AS (CASE WHEN is_waiting AND status NOT IN ('completed', 'failed', 'cancelled')
                             THEN 'waiting' ELSE status END)
);
CREATE INDEX run_key ON run (key);
CREATE INDEX run_shown ON run (shown);
CREATE INDEX run_parent ON run (parent) WHERE parent <> '';

-- One row per append. Place and key are one number, so that there is no index to write beside the
-- table: 26 µs for a commit instead of 36 µs, half the bytes, and a run is read in one sweep.
-- (A text key WITHOUT ROWID took 54 µs, and 4.7 kB of log per append with 2,000 runs, not 0.8 kB.)
CREATE TABLE log (
    place   INTEGER PRIMARY KEY,  -- The run's number * 2^32 + the position of the first event.
    count   INTEGER NOT NULL,
    epoch   INTEGER NOT NULL,     -- Of the writer.
    at      INTEGER NOT NULL,
    version INTEGER NOT NULL,     -- Of the event schema.
    crc     INTEGER NOT NULL,     -- Over the run's id, all of the above and the body.
    body    BLOB    NOT NULL,     -- A JSON array of `count` events. Never rewritten.
    status  TEXT    NOT NULL      -- What the body says of the run's status; empty: nothing. The run's
                                  -- row has it too; here a run's past can be read with any SQLite.
);

CREATE TABLE blob (
    hash TEXT    NOT NULL UNIQUE,
    body BLOB    NOT NULL,
    at   INTEGER NOT NULL         -- When somebody last had it stored, by two clocks; see blobs.py.
);

-- How models have answered lately and how much they were asked: circuits and pace, shared by all
-- processes that use the file. Nothing is lost with it but caution.
CREATE TABLE health (
    key  TEXT NOT NULL PRIMARY KEY,  -- The endpoint's base URL and the model's name.
    body BLOB NOT NULL               -- JSON; see core/health.py.
) WITHOUT ROWID;
