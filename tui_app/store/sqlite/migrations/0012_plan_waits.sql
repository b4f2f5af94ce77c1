-- What keeps a plan waiting that is made or read again, as whoever does it noted last; no row where nothing does.
CREATE TABLE plan_wait (
    plan   INTEGER PRIMARY KEY REFERENCES plan (number),
    system TEXT NOT NULL,
    since  TEXT NOT NULL,
    until  TEXT,
    noted  TEXT NOT NULL
);
