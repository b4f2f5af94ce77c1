-- Beside its moment a permit bears the seconds of a clock that nobody sets, and the start of the host that they count from.
ALTER TABLE permit ADD COLUMN steady REAL;
ALTER TABLE permit ADD COLUMN boot TEXT;
CREATE INDEX permit_steady ON permit (system, boot, steady);

-- What the clocks told the runner of a run last, and the last jump that was seen, in words: whoever drives it next sees
-- whether the clock was set meanwhile, and tells the ledger where this one no longer could.
CREATE TABLE clock_look (
    run    INTEGER PRIMARY KEY REFERENCES run (number),
    now    TEXT NOT NULL,
    steady REAL NOT NULL,
    boot   TEXT NOT NULL,
    jump   TEXT
);
