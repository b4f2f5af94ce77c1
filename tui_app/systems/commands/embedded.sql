-- name: page
-- The filter, the place and the order are composed from a fixed table of expressions; every value is bound.
SELECT c.id, c.domain, c.command_id, c.type, c.queue, c.status, c.attempts, c.max_attempts, c.error_type,
       c.error_code, substr(c.error, 1, {longest}) AS error, c.created_at, c.updated_at, c.reply_queue, c.correlation_id, c.batch_id, c.revision,
       CASE WHEN NOT EXISTS (SELECT 1 FROM queue AS q WHERE q.name = c.reply_queue) THEN 'MISSING'
            WHEN c.status = 'IN_TROUBLESHOOTING_QUEUE' AND EXISTS (
                SELECT 1 FROM audit AS b
                WHERE b.id = c.id AND b.event = 'OPERATOR_CANCEL'
                  AND CASE WHEN json_valid(b.details) THEN b.details ->> 'reply_to' <> '' END
            ) THEN 'TOLD' END AS reply_fault
FROM command AS c {hint}
WHERE {where}
ORDER BY {order}
LIMIT ?

-- name: any
SELECT EXISTS (SELECT 1 FROM command AS c {hint} WHERE {where})

-- name: count
-- Bounded: past the limit the number is said to be a lower bound.
SELECT count(*) FROM (SELECT 1 FROM command AS c WHERE {where} LIMIT ?)

-- name: survey
-- CROSS JOIN fixes the order of the loops: each id is looked up, and nothing else is read.
SELECT o.key AS position, c.id, c.status, c.revision, c.reply_queue, c.batch_id IS NOT NULL AS in_batch,
       CASE WHEN NOT EXISTS (SELECT 1 FROM queue AS q WHERE q.name = c.reply_queue) THEN 'MISSING'
            WHEN c.status = 'IN_TROUBLESHOOTING_QUEUE' AND EXISTS (
                SELECT 1 FROM audit AS b
                WHERE b.id = c.id AND b.event = 'OPERATOR_CANCEL'
                  AND CASE WHEN json_valid(b.details) THEN b.details ->> 'reply_to' <> '' END
            ) THEN 'TOLD' END AS reply_fault,
       EXISTS (SELECT 1 FROM process AS p WHERE p.correlation_id = c.correlation_id) AS compensates
FROM json_each(?) AS o CROSS JOIN command AS c ON c.id = o.value

-- name: payload
SELECT body FROM payload WHERE id = ?

-- name: process
SELECT type FROM process WHERE correlation_id = ?

-- name: batch
SELECT status, count(*) FROM command WHERE domain = ? AND batch_id = ? GROUP BY status

-- name: trail
SELECT at, event, details FROM audit WHERE id = (SELECT value FROM json_each(?)) ORDER BY audit_id

-- name: cancels
-- Anybody may have written an audit: one entry that is no JSON takes no other with it.
SELECT a.id, CASE WHEN json_valid(a.details) THEN CAST(a.details ->> '$.idempotency_key' AS TEXT) END AS key,
       CASE WHEN json_valid(a.details) THEN CAST(a.details ->> '$.operator' AS TEXT) END AS operator
FROM json_each(?) AS o CROSS JOIN audit AS a ON a.id = o.value
WHERE a.event = 'OPERATOR_CANCEL'
ORDER BY a.audit_id

-- name: cancel
-- The one guarded write. The plus keeps the planner off the index of the status: it would walk all that are waiting.
UPDATE command SET status = 'CANCELED', revision = command.revision + 1, updated_at = :now
FROM json_each(:orders) AS o
WHERE command.id = json_extract(o.value, '$[0]')
  AND command.revision = json_extract(o.value, '$[1]')
  AND +command.status = 'IN_TROUBLESHOOTING_QUEUE'
  AND (command.reply_queue = '' OR EXISTS (SELECT 1 FROM queue AS q WHERE q.name = command.reply_queue))
RETURNING id

-- name: cancel_replies
INSERT INTO message (queue, body, enqueued_at)
SELECT c.reply_queue,
       json_set(:template, '$.command_id', c.command_id, '$.correlation_id', c.correlation_id, '$.domain', c.domain,
                '$.type', c.type || :suffix),
       :now
FROM json_each(:hits) AS h CROSS JOIN command AS c ON c.id = json_extract(h.value, '$[0]')
WHERE c.reply_queue <> ''

-- name: cancel_audit
INSERT INTO audit (id, event, at, details)
SELECT c.id, 'OPERATOR_CANCEL', :now,
       json_set(:template, '$.reply_to', nullif(c.reply_queue, ''),
                '$.idempotency_key', json_extract(h.value, '$[1]'))
FROM json_each(:hits) AS h CROSS JOIN command AS c ON c.id = json_extract(h.value, '$[0]')

-- name: cancel_batches
UPDATE batch SET canceled_count = canceled_count + t.n, in_troubleshooting_count = in_troubleshooting_count - t.n
FROM (
    SELECT c.domain, c.batch_id, count(*) AS n
    FROM json_each(:hits) AS h CROSS JOIN command AS c ON c.id = json_extract(h.value, '$[0]')
    WHERE c.batch_id IS NOT NULL
    GROUP BY c.domain, c.batch_id
) AS t
WHERE batch.domain = t.domain AND batch.batch_id = t.batch_id
RETURNING domain, batch_id

-- name: complete_batch
UPDATE batch
SET completed_at = :now,
    status = CASE WHEN canceled_count + failed_count > 0 THEN 'COMPLETED_WITH_FAILURES' ELSE 'COMPLETED' END
WHERE domain = :domain AND batch_id = :batch_id AND completed_at IS NULL AND in_troubleshooting_count = 0
  AND completed_count + canceled_count + failed_count = total_count
RETURNING domain, batch_id, total_count, completed_count, canceled_count

-- name: audit
INSERT INTO audit (id, event, at, details) VALUES (:id, :event, :at, :details)
