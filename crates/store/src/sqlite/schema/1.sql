-- Every task, from its submission until it is pruned.
CREATE TABLE tasks (
    -- The order of submission; never used twice.
    place            INTEGER PRIMARY KEY AUTOINCREMENT,
    id               BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    handler          TEXT    NOT NULL,
    priority         INTEGER NOT NULL,
    max_retries      INTEGER NOT NULL,
    timeout_nanos    INTEGER,
    state            TEXT    NOT NULL DEFAULT 'queued'
                     CHECK (state IN ('queued', 'leased', 'succeeded', 'failed', 'cancelled', 'dead')),
    -- The last attempt given out; 0 is none.
    attempt          INTEGER NOT NULL DEFAULT 0,
    -- The attempt that ended it.
    ended_by         INTEGER,
    retries          INTEGER NOT NULL DEFAULT 0,
    lost             INTEGER NOT NULL DEFAULT 0,
    -- Who had the last attempt; kept when the task returns to the queue.
    worker           BLOB,
    incarnation      INTEGER,
    -- The epoch that holds it in its window; 0 is none, and any but the current one is void.
    claimed_by       INTEGER NOT NULL DEFAULT 0,
    -- Wall time in milliseconds until which a queued task waits; 0 is ready.
    not_before       INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    submitted_at     INTEGER NOT NULL,
    finished_at      INTEGER,
    error            TEXT,
    payload_digest   BLOB    NOT NULL CHECK (length(payload_digest) = 32),
    -- The large ones last. A payload is dropped when its task ends; its digest stays.
    payload          BLOB    NOT NULL,
    result           BLOB,
    CHECK ((finished_at IS NULL) = (state IN ('queued', 'leased'))),
    CHECK ((finished_at IS NULL) = (ended_by IS NULL)),
    CHECK ((result IS NOT NULL) = (state = 'succeeded')),
    CHECK (state <> 'leased' OR (worker IS NOT NULL AND incarnation IS NOT NULL))
) STRICT;

-- Claims, in the order of their turn, and what waits.
CREATE INDEX tasks_ready ON tasks (handler, priority DESC, place)
    WHERE state = 'queued' AND not_before = 0;
CREATE INDEX tasks_waiting ON tasks (handler, not_before)
    WHERE state = 'queued' AND not_before > 0;
-- Lists, leases and counts.
CREATE INDEX tasks_state ON tasks (state);
CREATE INDEX tasks_lost ON tasks (lost) WHERE lost > 0;
-- Pruning.
CREATE INDEX tasks_finished ON tasks (finished_at) WHERE finished_at IS NOT NULL;

-- The ledger: one row each time a success is applied. Nothing here is unique on purpose, so that a
-- broken promise would show.
CREATE TABLE applications (
    n          INTEGER PRIMARY KEY,
    place      INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;
CREATE INDEX applications_place ON applications (place);

CREATE TABLE workers (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT    NOT NULL,
    incarnation INTEGER NOT NULL,
    departed    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every life of a coordinator on this store.
CREATE TABLE epochs (
    epoch    INTEGER PRIMARY KEY,
    begun_at INTEGER NOT NULL
) STRICT;
