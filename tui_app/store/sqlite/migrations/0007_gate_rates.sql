-- The rate of ours that a gate is closed for; null where the system asked for it.
ALTER TABLE gate ADD COLUMN rate TEXT;
