-- Everything that happened, in the order in which it became durable; numbers are dense. Texts and ids
-- are as they were then: tasks and workers may be forgotten before what happened to them.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    -- Wall time in milliseconds.
    at          INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    worker      BLOB,
    worker_name TEXT,
    task        BLOB,
    attempt     INTEGER,
    handler     TEXT,
    reason      INTEGER,
    session     INTEGER,
    detail      TEXT
) STRICT;

-- Timelines, asked for by blocks of 1,024 events: ids are random, and an index in the order of ids
-- would be written all over by each commit. These grow, and are pruned, at their ends.
CREATE INDEX events_worker ON events (seq >> 10, worker) WHERE worker IS NOT NULL;
CREATE INDEX events_task ON events (seq >> 10, task) WHERE task IS NOT NULL;

-- Since when a worker is lost or has left; null while it is neither.
ALTER TABLE workers ADD COLUMN gone_since INTEGER;
UPDATE workers SET gone_since = unixepoch() * 1000 WHERE departed;
CREATE INDEX workers_gone ON workers (gone_since) WHERE gone_since IS NOT NULL;

-- A worker that is to get nothing new, by an operator's word.
ALTER TABLE workers ADD COLUMN cordoned INTEGER NOT NULL DEFAULT 0;
