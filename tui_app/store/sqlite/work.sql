-- name: next_chunk
-- What was put aside is only asked for, whatever its system limits: left alone it would be due and never taken.
SELECT run, number, system, first_position, last_position, generation
FROM chunk
WHERE run = (SELECT number FROM run WHERE id = :run)
  AND state <> 'done'
  AND (state = 'aside' OR system NOT IN (SELECT value FROM json_each(:without)))
  AND (state = 'waiting' OR state = 'aside' AND due_at <= :now OR state = 'claimed' AND worker <> :worker)
ORDER BY number
LIMIT 1;

-- name: next_due
SELECT min(due_at) FROM chunk
WHERE run = (SELECT number FROM run WHERE id = ?) AND state <> 'done' AND state = 'aside';

-- name: intend
INSERT OR IGNORE INTO run_item (run, position, chunk, system, item, state, key, sent_at)
VALUES (?, ?, ?, ?, ?, 'sending', ?, ?);

-- name: settle
INSERT INTO run_item (run, position, chunk, system, item, state, code, outcome, undo_until)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, position) DO UPDATE
SET state = excluded.state, code = excluded.code, outcome = excluded.outcome, undo_until = excluded.undo_until;

-- name: outcome
INSERT INTO outcome (seq, position, hash, record) VALUES (?, ?, ?, ?);
