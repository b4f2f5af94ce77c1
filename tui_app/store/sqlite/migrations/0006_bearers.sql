-- Whom the tokens named with which the systems of a run are reached, by system, as JSON.
ALTER TABLE run ADD COLUMN bearers TEXT NOT NULL DEFAULT '{}';
