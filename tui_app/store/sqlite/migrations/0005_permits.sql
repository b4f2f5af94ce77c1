-- How many items a system was sent at a rate, and until when that may have been; in use, that moment is to come.
CREATE TABLE permit (
    run        INTEGER NOT NULL REFERENCES run (number),
    chunk      INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    system     TEXT NOT NULL,
    items      INTEGER NOT NULL,
    until      TEXT NOT NULL,
    PRIMARY KEY (run, chunk, generation)
) WITHOUT ROWID;

CREATE INDEX permit_counts ON permit (system, until);
CREATE INDEX permit_past ON permit (until);
