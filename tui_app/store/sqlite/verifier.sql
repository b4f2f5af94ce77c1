-- name: outcome
SELECT o.position, o.hash, o.record, r.position AS run_item, r.system, r.item, r.state, r.code, r.key, r.sent_at,
       r.outcome, r.undo_until, p.system AS plan_system, p.item AS plan_item
FROM outcome AS o
LEFT JOIN run_item AS r ON r.run = :run AND r.position = o.position
LEFT JOIN plan_item AS p ON p.plan = :plan AND p.position = o.position
WHERE o.seq = :seq ORDER BY o.position;

-- name: verification
SELECT v.position, v.hash, v.record, r.verification
FROM verification AS v
LEFT JOIN run_item AS r ON r.run = :run AND r.position = v.position
WHERE v.seq = :seq ORDER BY v.position;

-- name: run
SELECT run.*, plan.id AS plan_id, plan.hash AS plan_hash
FROM run JOIN plan ON plan.number = run.plan
WHERE run.number = :run;

-- name: intents
SELECT r.position, r.system, r.item, r.state, r.code, r.key, r.sent_at, r.intent, r.undo_until,
       p.system AS plan_system, p.item AS plan_item
FROM run_item AS r
LEFT JOIN plan_item AS p ON p.plan = :plan AND p.position = r.position
WHERE r.run = :run AND r.outcome IS NULL;

-- name: notes
SELECT n.position, n.answer, n.at, n.hash, r.state
FROM note AS n LEFT JOIN run_item AS r ON r.run = n.run AND r.position = n.position
WHERE n.run = :run;

-- name: pointers
SELECT count(outcome), count(verification) FROM run_item WHERE run = :run;

-- name: states
SELECT state, coalesce(code, ''), count(*) FROM run_item WHERE run = :run GROUP BY state, coalesce(code, '');

-- name: tally
SELECT kind, state, code, number FROM tally WHERE run = :run AND number <> 0;

-- name: chunks
SELECT number, first_position, last_position FROM chunk WHERE run = :run ORDER BY number;

-- name: astray
SELECT r.position FROM run_item AS r
WHERE r.run = :run AND NOT EXISTS (
    SELECT 1 FROM chunk AS c
    WHERE c.run = r.run AND c.number = r.chunk AND c.system = r.system
      AND r.position BETWEEN c.first_position AND c.last_position
)
LIMIT 1;

-- name: count_outcome
SELECT count(*) FROM outcome;

-- name: count_verification
SELECT count(*) FROM verification;

-- name: drafts
SELECT id, state FROM plan WHERE state <> 'ready' ORDER BY number LIMIT 20;
