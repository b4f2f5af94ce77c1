-- name: page
-- The filter, the place and the order are composed from a fixed table of expressions; every value is bound.
SELECT s.id, s.post_variant_id, s.channel_connection_id, s.post_id, s.owner, s.channel, s.run_at, s.timezone,
       s.run_at_local, s.status, s.attempts, s.created_at, s.updated_at, s.claimed_at, s.published_at, s.cancelled_at,
       s.cancellation_reason, s.revision, substr(v.content, 1, {longest}) AS content, length(v.content) > {longest} AS cut,
       v.channel_id, p.title, p.status AS post_status
FROM schedule AS s {hint}
CROSS JOIN post_variant AS v ON v.id = s.post_variant_id
CROSS JOIN post AS p ON p.id = v.post_id
WHERE {where}
ORDER BY {order}
LIMIT ? OFFSET ?

-- name: any
SELECT EXISTS (SELECT 1 FROM schedule AS s {hint} WHERE {where})

-- name: count
-- Bounded: past the limit the number is said to be a lower bound.
SELECT count(*) FROM (SELECT 1 FROM schedule AS s WHERE {where} LIMIT ?)

-- name: survey
-- CROSS JOIN fixes the order of the loops: each id is looked up, and nothing else is read.
SELECT o.key AS position, s.id, s.status, s.revision, s.run_at, s.channel, s.claimed_at, p.status AS post_status,
       EXISTS (
           SELECT 1 FROM schedule AS t
           WHERE t.post_id = s.post_id AND t.id <> s.id AND +t.status IN ('pending', 'queued', 'publishing')
       ) AS others
FROM json_each(?) AS o CROSS JOIN schedule AS s ON s.id = o.value CROSS JOIN post AS p ON p.id = s.post_id

-- name: arrange
SELECT o.value
FROM json_each(?) AS o LEFT JOIN schedule AS s ON s.id = o.value
ORDER BY s.run_at IS NULL, s.run_at, o.key

-- name: trail
SELECT at, event, principal, details FROM audit WHERE id = (SELECT value FROM json_each(?)) ORDER BY audit_id

-- name: cancels
-- Anybody may have written an audit: one entry that is no JSON takes no other with it.
SELECT a.id, CASE WHEN json_valid(a.details) THEN CAST(a.details ->> '$.idempotency_key' AS TEXT) END AS key, a.principal
FROM json_each(?) AS o CROSS JOIN audit AS a ON a.id = o.value
WHERE a.event = 'SCHEDULE_CANCELLED'
ORDER BY a.audit_id

-- name: whole
-- Schedules as the native routes show them, with whoever owns the post.
SELECT s.id, s.post_variant_id, s.channel_connection_id, s.run_at, s.timezone, s.run_at_local, s.status, s.attempts,
       s.created_at, s.updated_at, s.cancelled_at, s.cancellation_reason, v.content, v.channel_id, c.display_name,
       p.id AS post_id, p.owner_id
FROM json_each(?) AS o
CROSS JOIN schedule AS s ON s.id = o.value
CROSS JOIN post_variant AS v ON v.id = s.post_variant_id
CROSS JOIN post AS p ON p.id = v.post_id
CROSS JOIN channel_connection AS c ON c.id = s.channel_connection_id

-- name: cancel
-- The one guarded write. The plus keeps the planner off the index of the status: it would walk all that are waiting.
-- Without a version the status alone is the guard, as on the native routes.
UPDATE schedule
SET status = 'cancelled', cancelled_at = :now, cancellation_reason = :reason, updated_at = :now,
    revision = schedule.revision + 1
FROM json_each(:targets) AS o
WHERE schedule.id = json_extract(o.value, '$[0]')
  AND (json_extract(o.value, '$[1]') IS NULL OR schedule.revision = json_extract(o.value, '$[1]'))
  AND +schedule.status IN ('pending', 'queued')
RETURNING id

-- name: put_back
-- A post is ready again when none of its schedules is to go out any more; one that is not scheduled stays as it is.
UPDATE post SET status = 'ready', updated_at = :now
WHERE id IN (SELECT value FROM json_each(:posts))
  AND +status = 'scheduled'
  AND NOT EXISTS (
      SELECT 1 FROM schedule AS t WHERE t.post_id = post.id AND +t.status IN ('pending', 'queued', 'publishing')
  )

-- name: audit
INSERT INTO audit (id, event, at, principal, details) VALUES (:id, :event, :at, :principal, :details)

-- name: forget_requests
DELETE FROM request WHERE principal = :principal AND at <= :since

-- name: clamp_requests
UPDATE request SET at = :now WHERE principal = :principal AND at > :now

-- name: requests
SELECT count(*) AS n, min(at) AS oldest FROM request WHERE principal = :principal

-- name: request
INSERT INTO request (principal, at) VALUES (:principal, :at)
