-- name: held
SELECT r.number, r.secret, r.wanted = 'stopped' AS stopping
FROM run AS r JOIN chunk AS c ON c.run = r.number
WHERE r.id = ? AND c.number = ? AND c.generation = ?;

-- name: clamp_due
UPDATE chunk SET due_at = :latest
WHERE run = (SELECT number FROM run WHERE id = :run) AND state = 'aside' AND due_at > :latest;

-- name: shut_gates
SELECT system, not_before, rate FROM gate WHERE not_before > :now;

-- name: set_gate
UPDATE gate SET not_before = :until WHERE system = :system;

-- name: next_chunk
-- What was put aside is only asked for, whatever its system limits: left alone it would be due and never taken.
-- A chunk that came back without having come to its end stands behind those that did so less often.
SELECT c.run, c.number, c.system, c.first_position, c.last_position, c.generation, g.system IS NOT NULL AS closed
FROM chunk AS c LEFT JOIN gate AS g ON g.system = c.system AND g.not_before > :now
WHERE c.run = (SELECT number FROM run WHERE id = :run)
  AND c.state <> 'done'
  AND (c.state = 'aside' AND c.due_at <= :now
       OR g.system IS NULL AND (c.state = 'waiting' OR c.state = 'claimed' AND c.worker <> :worker))
ORDER BY c.failures, c.number
LIMIT 1;

-- name: next_due
-- A gate may open between a claim that found nothing and this question: what waits for none is due now.
SELECT min(CASE c.state WHEN 'aside' THEN c.due_at ELSE coalesce(g.not_before, :now) END)
FROM chunk AS c INDEXED BY chunk_open LEFT JOIN gate AS g ON g.system = c.system AND g.not_before > :now
WHERE c.run = (SELECT number FROM run WHERE id = :run) AND c.state <> 'done';

-- name: close_gate
INSERT INTO gate (system, not_before, rate) VALUES (?, ?, ?)
ON CONFLICT (system) DO UPDATE SET not_before = excluded.not_before, rate = excluded.rate
WHERE excluded.not_before > not_before;

-- name: last_look
SELECT now, steady, boot, jump FROM clock_look WHERE run = (SELECT number FROM run WHERE id = ?);

-- name: keep_look
INSERT OR REPLACE INTO clock_look (run, now, steady, boot, jump)
SELECT number, :now, :steady, :boot, :jump FROM run WHERE id = :run;

-- name: intend
INSERT OR IGNORE INTO run_item (run, position, chunk, system, item, state, key, sent_at, intent)
VALUES (?, ?, ?, ?, ?, 'sending', ?, ?, ?);

-- name: intents
-- Only chunks of the system are searched: items have no index of their own, which every intent would pay for.
SELECT r.id AS run, i.key, i.sent_at, json_extract(p.head, '$.verb') AS verb,
       CASE WHEN i.state IN ('sending', 'accepted', 'unknown') THEN NULL ELSE json_extract(l.body, '$.at') END AS settled,
       i.state IN ('cancelled', 'reinstated') AS done
FROM run AS r
JOIN plan AS p ON p.number = r.plan
JOIN chunk AS c ON c.run = r.number AND c.system = :system
JOIN run_item AS i ON i.run = c.run AND i.position BETWEEN c.first_position AND c.last_position
LEFT JOIN ledger AS l ON l.seq = i.outcome
WHERE i.system = :system AND i.item = :item AND i.key IS NOT NULL AND i.sent_at IS NOT NULL
  AND i.state NOT IN ('refused', 'skipped')
ORDER BY i.sent_at;

-- name: settle
INSERT INTO run_item (run, position, chunk, system, item, state, code, outcome, undo_until)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, position) DO UPDATE
SET state = excluded.state, code = excluded.code, outcome = excluded.outcome, undo_until = excluded.undo_until;

-- name: outcome
INSERT INTO outcome (seq, position, hash, record) VALUES (?, ?, ?, ?);

-- name: note
-- An answer whose outcome is recorded by now needs no note any more.
INSERT OR REPLACE INTO note (run, position, answer, at, hash)
SELECT run, position, :answer, :at, :hash FROM run_item
WHERE run = :run AND position = :position AND state = 'sending';

-- name: end_notes
-- That the system took an order on is known by nothing else until its outcome is.
DELETE FROM note
WHERE run = :run AND position BETWEEN :first AND :last AND NOT EXISTS (
    SELECT 1 FROM run_item AS r
    WHERE r.run = note.run AND r.position = note.position AND r.state IN ('sending', 'accepted')
);
