-- Since when a system has not answered the runner of a run; no row where it answers.
CREATE TABLE silence (
    run    INTEGER NOT NULL REFERENCES run (number),
    system TEXT NOT NULL,
    since  TEXT NOT NULL,
    PRIMARY KEY (run, system)
) WITHOUT ROWID;
