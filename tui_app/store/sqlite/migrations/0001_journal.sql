CREATE TABLE plan (
    number      INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    state       TEXT NOT NULL,
    head        TEXT NOT NULL,
    selections  TEXT NOT NULL,
    reason      TEXT,
    hash        TEXT,
    totals      TEXT NOT NULL DEFAULT '{}',
    read        INTEGER NOT NULL DEFAULT 0,
    expected    INTEGER,
    error       TEXT,
    drift       TEXT,
    place       TEXT,
    holder      TEXT,
    lease_until TEXT
);

CREATE TABLE plan_item (
    plan     INTEGER NOT NULL REFERENCES plan (number),
    position INTEGER NOT NULL,
    system   TEXT NOT NULL,
    item     TEXT NOT NULL,
    status   TEXT NOT NULL,
    version  TEXT NOT NULL,
    code     TEXT,
    reason   TEXT,
    PRIMARY KEY (plan, position)
) WITHOUT ROWID;

CREATE TABLE run (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    key        TEXT NOT NULL UNIQUE,
    plan       INTEGER NOT NULL UNIQUE REFERENCES plan (number),
    confirmed  TEXT NOT NULL,
    secret     BLOB NOT NULL,
    principal  TEXT NOT NULL,
    targets    TEXT NOT NULL,
    state      TEXT NOT NULL,
    items      INTEGER NOT NULL,
    wanted     TEXT,
    pause      TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at   TEXT,
    head       TEXT
);

CREATE INDEX run_open ON run (number) WHERE state IN ('queued', 'running');

CREATE TABLE chunk (
    run            INTEGER NOT NULL REFERENCES run (number),
    number         INTEGER NOT NULL,
    system         TEXT NOT NULL,
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL,
    state          TEXT NOT NULL DEFAULT 'waiting',
    generation     INTEGER NOT NULL DEFAULT 0,
    worker         TEXT,
    due_at         TEXT,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE INDEX chunk_open ON chunk (run, number) WHERE state <> 'done';

-- A row exists from the intent on, or from the decision not to send; before that an item is planned.
CREATE TABLE run_item (
    run          INTEGER NOT NULL REFERENCES run (number),
    position     INTEGER NOT NULL,
    chunk        INTEGER NOT NULL,
    system       TEXT NOT NULL,
    item         TEXT NOT NULL,
    state        TEXT NOT NULL,
    code         TEXT,
    key          TEXT,
    sent_at      TEXT,
    outcome      INTEGER REFERENCES ledger (seq),
    verification INTEGER REFERENCES ledger (seq),
    PRIMARY KEY (run, position)
) WITHOUT ROWID;

-- The claim on an item: no two runs work on it at a time.
CREATE UNIQUE INDEX run_item_claim ON run_item (system, item) WHERE state IN ('sending', 'accepted');

CREATE TABLE tally (
    run    INTEGER NOT NULL REFERENCES run (number),
    kind   TEXT NOT NULL,
    state  TEXT NOT NULL,
    code   TEXT NOT NULL DEFAULT '',
    number INTEGER NOT NULL,
    PRIMARY KEY (run, kind, state, code)
) WITHOUT ROWID;

CREATE TABLE ledger (
    seq      INTEGER PRIMARY KEY,
    chain    TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash     BLOB NOT NULL,
    body     TEXT NOT NULL,
    event    TEXT GENERATED ALWAYS AS (json_extract(body, '$.event')) VIRTUAL,
    operator TEXT GENERATED ALWAYS AS (json_extract(body, '$.operator')) VIRTUAL,
    run      TEXT GENERATED ALWAYS AS (json_extract(body, '$.run')) VIRTUAL
);

CREATE INDEX ledger_chain ON ledger (chain, seq);

-- Outcomes and verifications stand under the entry they were recorded with; a later one of the same item does not
-- replace an earlier one, run_item names the last.
CREATE TABLE outcome (
    seq      INTEGER NOT NULL REFERENCES ledger (seq),
    position INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    record   TEXT NOT NULL,
    PRIMARY KEY (seq, position)
) WITHOUT ROWID;

CREATE TABLE verification (
    seq      INTEGER NOT NULL REFERENCES ledger (seq),
    position INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    record   TEXT NOT NULL,
    PRIMARY KEY (seq, position)
) WITHOUT ROWID;

CREATE TRIGGER ledger_fixed BEFORE UPDATE ON ledger BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_kept BEFORE DELETE ON ledger BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER outcome_fixed BEFORE UPDATE ON outcome BEGIN SELECT raise(ABORT, 'outcomes are immutable'); END;
CREATE TRIGGER outcome_kept BEFORE DELETE ON outcome BEGIN SELECT raise(ABORT, 'outcomes are immutable'); END;
CREATE TRIGGER verification_fixed BEFORE UPDATE ON verification BEGIN SELECT raise(ABORT, 'verifications are immutable'); END;
CREATE TRIGGER verification_kept BEFORE DELETE ON verification BEGIN SELECT raise(ABORT, 'verifications are immutable'); END;
