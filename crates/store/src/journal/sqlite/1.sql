-- Results of handlers that are not answered yet.
CREATE TABLE results (
    -- The bits of its number: never used twice in one journal.
    run     INTEGER PRIMARY KEY,
    task    BLOB    NOT NULL CHECK (length(task) = 16),
    attempt INTEGER NOT NULL CHECK (attempt BETWEEN 0 AND 4294967295),
    outcome TEXT    NOT NULL
            CHECK (outcome IN ('succeeded', 'failed_retryable', 'failed', 'timed_out', 'cancelled')),
    -- The large one last.
    body    BLOB    NOT NULL
) STRICT;
