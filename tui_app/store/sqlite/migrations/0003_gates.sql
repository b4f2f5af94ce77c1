-- Until when a system takes nothing from us: one gate for all runs of this journal, and it outlives whoever closed it.
CREATE TABLE gate (
    system     TEXT PRIMARY KEY,
    not_before TEXT NOT NULL
) WITHOUT ROWID;
