ALTER TABLE plan_item ADD COLUMN due TEXT;

ALTER TABLE run_item ADD COLUMN undo_until TEXT;

CREATE INDEX run_item_undo ON run_item (run, undo_until) WHERE undo_until IS NOT NULL;

CREATE INDEX run_item_reinstated ON run_item (system, item) WHERE state = 'reinstated';
