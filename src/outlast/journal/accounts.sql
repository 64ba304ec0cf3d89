-- What was spent under each limit, and what calls that go on hold of it.

CREATE TABLE account (
    key  TEXT NOT NULL PRIMARY KEY,  -- Whose limit, and which window of time.
    body BLOB NOT NULL
) WITHOUT ROWID;
