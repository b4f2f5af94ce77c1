-- The keyed hash of what was to be sent and when: an item on its way has no entry in the ledger yet.
ALTER TABLE run_item ADD COLUMN intent BLOB;
