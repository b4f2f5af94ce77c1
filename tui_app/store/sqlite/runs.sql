-- name: undo
-- A window counts until a later run has brought its item back.
SELECT count(*), min(c.undo_until), max(c.undo_until)
FROM run_item AS c
WHERE c.run = :run AND c.undo_until IS NOT NULL
  AND NOT EXISTS (
      SELECT 1 FROM run_item AS b
      WHERE b.system = c.system AND b.item = c.item AND b.state = 'reinstated' AND b.run > c.run
  );

-- name: clock
-- A worker tells it in every entry from then on; those of others may stand between.
SELECT max(clock) FROM (
    SELECT json_extract(body, '$.clock') AS clock FROM ledger WHERE chain = :run ORDER BY seq DESC LIMIT 4
);

-- name: gates
-- What was put aside is asked for behind a gate, too.
SELECT g.system, g.not_before, g.rate
FROM gate AS g
WHERE EXISTS (
    SELECT 1 FROM chunk AS c
    WHERE c.run = :run AND c.state <> 'done' AND c.state <> 'aside' AND c.system = g.system
);
