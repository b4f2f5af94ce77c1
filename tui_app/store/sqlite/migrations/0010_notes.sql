-- Answers that came and whose outcomes are not recorded yet. A row belongs to an item that is being sent, and goes when
-- its outcome is recorded, when it is accepted, or when its intent is withdrawn; nothing is reported from it. It stands
-- under a keyed hash, since it has no entry in the ledger.
CREATE TABLE note (
    run      INTEGER NOT NULL REFERENCES run (number),
    position INTEGER NOT NULL,
    answer   TEXT NOT NULL,
    at       TEXT NOT NULL,
    hash     BLOB NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
