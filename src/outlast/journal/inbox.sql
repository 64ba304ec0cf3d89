
-- Commands: what somebody wants of a run, posted by any process. The run's log says which were taken,
-- and what came of each. They go with the run.
CREATE TABLE inbox (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,  -- The order in which they are taken.
    run     INTEGER NOT NULL,  -- The run's number.
    id      TEXT    NOT NULL,  -- The command's. Whoever posts it again changes nothing.
    at      INTEGER NOT NULL,
    version INTEGER NOT NULL,  -- Of the schema of commands.
    crc     INTEGER NOT NULL,  -- Over the run's id, all of the above and the body.
    body    BLOB    NOT NULL,  -- JSON; see core/commands.py.
    UNIQUE (run, id)
);
