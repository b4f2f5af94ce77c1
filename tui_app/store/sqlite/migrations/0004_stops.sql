-- Who asked for the stop of a run.
ALTER TABLE run ADD COLUMN stopped_by TEXT;

-- How often a chunk was given back without having come to its end: one that cannot must not keep others from theirs.
ALTER TABLE chunk ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;

CREATE INDEX chunk_place ON chunk (run, first_position);

DROP INDEX chunk_open;
CREATE INDEX chunk_open ON chunk (run, failures, number) WHERE state <> 'done';
