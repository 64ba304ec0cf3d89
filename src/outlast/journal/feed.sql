-- By what runs are found, which of them have changed, and whether those who hold them live. Kept by the
-- database itself, so that whoever changes a run, also a process of an older version, keeps it too.

-- Appended to only, but for its beginning: so no place is missing, and none is used again.
CREATE TABLE feed (
    place INTEGER PRIMARY KEY,
    run   INTEGER NOT NULL     -- A run that has begun, was taken up, put down or deleted, or has another status.
);

CREATE TABLE label (
    kind  TEXT    NOT NULL,  -- agent, user, tenant, session_id or tag
    value TEXT    NOT NULL,
    run   INTEGER NOT NULL,
    PRIMARY KEY (kind, value, run)
) WITHOUT ROWID;

-- How many runs have each label, each status, and began on each day (in UTC). An index that finds fewer
-- has lost some.
CREATE TABLE tally (
    kind  TEXT    NOT NULL,  -- That of a label; status or day
    value TEXT    NOT NULL,
    runs  INTEGER NOT NULL,
    low   INTEGER,           -- Between which numbers a day's runs are; others may be there too.
    high  INTEGER,
    PRIMARY KEY (kind, value)
) WITHOUT ROWID;

CREATE TABLE owner (
    name     TEXT    NOT NULL PRIMARY KEY,  -- As run.owner has it.
    beat     INTEGER NOT NULL,              -- Rises while it lives and holds a run.
    every_ms INTEGER NOT NULL,              -- How often.
    at       INTEGER NOT NULL               -- By its own clock, which may be wrong.
) WITHOUT ROWID;

CREATE VIEW labels AS
    SELECT 'agent' AS kind, agent AS value, number AS run FROM run
    UNION ALL SELECT 'user', json_extract(metadata, '$.user'), number FROM run WHERE metadata <> ''
    UNION ALL SELECT 'tenant', json_extract(metadata, '$.tenant'), number FROM run WHERE metadata <> ''
    UNION ALL SELECT 'session_id', json_extract(metadata, '$.session_id'), number FROM run WHERE metadata <> ''
    UNION ALL SELECT DISTINCT 'tag', tags.value, number FROM run, json_each(metadata, '$.tags') AS tags WHERE metadata <> '';

CREATE TRIGGER run_begun AFTER INSERT ON run BEGIN
    INSERT INTO feed (run) VALUES (new.number);
    INSERT INTO tally VALUES ('status', new.shown, 1, NULL, NULL) ON CONFLICT DO UPDATE SET runs = runs + 1;
    INSERT INTO tally VALUES ('day', date(new.created_at / 1000000, 'unixepoch'), 1, new.number, new.number)
        ON CONFLICT DO UPDATE SET runs = runs + 1, low = min(low, new.number), high = max(high, new.number);
END;
CREATE TRIGGER run_of_agent AFTER INSERT ON run WHEN new.metadata = '' BEGIN
    INSERT INTO label VALUES ('agent', new.agent, new.number);
END;
CREATE TRIGGER run_of_somebody AFTER INSERT ON run WHEN new.metadata <> '' BEGIN
    INSERT INTO label SELECT * FROM labels WHERE run = new.number AND value IS NOT NULL;
END;
CREATE TRIGGER run_changed AFTER UPDATE OF epoch, owner, status, is_waiting ON run BEGIN
    INSERT INTO feed (run) VALUES (new.number);
END;
CREATE TRIGGER run_status AFTER UPDATE OF status, is_waiting ON run WHEN new.shown <> old.shown BEGIN
    UPDATE tally SET runs = runs - 1 WHERE kind = 'status' AND value = old.shown;
    INSERT INTO tally VALUES ('status', new.shown, 1, NULL, NULL) ON CONFLICT DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER run_deleted BEFORE DELETE ON run BEGIN
    UPDATE tally SET runs = runs - 1 WHERE kind = 'status' AND value = old.shown;
    DELETE FROM label WHERE (kind, value, run) IN (SELECT * FROM labels WHERE run = old.number);
    UPDATE tally SET runs = runs - 1
        WHERE kind = 'day' AND value = date(old.created_at / 1000000, 'unixepoch');
    INSERT INTO feed (run) VALUES (old.number);
END;
CREATE TRIGGER label_added AFTER INSERT ON label BEGIN
    INSERT INTO tally VALUES (new.kind, new.value, 1, NULL, NULL) ON CONFLICT DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER label_removed AFTER DELETE ON label BEGIN
    UPDATE tally SET runs = runs - 1 WHERE kind = old.kind AND value = old.value;
    DELETE FROM tally WHERE kind = old.kind AND value = old.value AND runs = 0;
END;

INSERT INTO feed (run) SELECT number FROM run ORDER BY number;
INSERT INTO label SELECT * FROM labels WHERE value IS NOT NULL;
INSERT INTO tally SELECT 'status', shown, count(*), NULL, NULL FROM run GROUP BY shown;
INSERT INTO tally SELECT 'day', date(created_at / 1000000, 'unixepoch') AS day, count(*), min(number), max(number)
    FROM run GROUP BY day;
