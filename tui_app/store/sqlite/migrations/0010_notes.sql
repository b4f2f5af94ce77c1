-- Answers that came and whose outcomes are not recorded yet. A row belongs to an item that is being sent, and goes when
-- its outcome is recorded, when it is accepted, or when its intent is withdrawn; nothing is reported from it.
CREATE TABLE note (
    run      INTEGER NOT NULL REFERENCES run (number),
    position INTEGER NOT NULL,
    answer   TEXT NOT NULL,
    at       TEXT NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
