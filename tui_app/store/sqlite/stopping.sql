-- name: ask_stop
UPDATE run
SET wanted = 'stopped', stopped_by = :operator, pause = NULL, state = CASE state WHEN 'paused' THEN 'queued' ELSE state END
WHERE id = :run AND (wanted IS NOT 'stopped' OR state = 'paused')
RETURNING number;

-- name: planned
SELECT i.position, i.system, i.item, i.status, (
    SELECT c.number FROM chunk AS c
    WHERE c.run = x.number AND c.first_position <= i.position
    ORDER BY c.first_position DESC LIMIT 1
) AS chunk
FROM run AS x
JOIN plan_item AS i ON i.plan = x.plan
WHERE x.id = :run AND x.wanted = 'stopped' AND i.position > :after
  AND NOT EXISTS (SELECT 1 FROM run_item AS r WHERE r.run = x.number AND r.position = i.position)
ORDER BY i.position
LIMIT :limit;

-- name: close_chunks
-- What a worker has in hand it ends itself.
UPDATE chunk SET state = 'done'
WHERE run = (SELECT number FROM run WHERE id = :run) AND state IN ('waiting', 'aside')
  AND NOT EXISTS (
      SELECT 1 FROM run_item AS r
      WHERE r.run = chunk.run AND r.position BETWEEN chunk.first_position AND chunk.last_position
        AND (r.state IN ('sending', 'accepted') OR r.state IN ('cancelled', 'reinstated') AND r.verification IS NULL)
  );
