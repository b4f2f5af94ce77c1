-- name: page
-- The filter, the place and the order are composed from a fixed table of expressions; every value is bound.
SELECT {columns}, s.revision, {stuck} AS stuck, length(v.content) > {longest} AS cut, {local} AS run_at_local, p.title,
       {now} AS as_of
FROM scheduler.schedule AS s
JOIN scheduler.post_variant AS v ON v.id = s.post_variant_id
JOIN scheduler.post AS p ON p.id = s.post_id
WHERE {where}
ORDER BY {order}
LIMIT %s OFFSET %s

-- name: any
SELECT EXISTS (SELECT FROM scheduler.schedule AS s WHERE {where}) AS found

-- name: count
SELECT count(*) AS n FROM scheduler.schedule AS s WHERE {where}

-- name: estimate
EXPLAIN (FORMAT JSON) SELECT FROM scheduler.schedule AS s WHERE {where}

-- name: survey
SELECT s.id, s.status, s.revision, {run_at} AS run_at, s.channel, {stuck} AS stuck, p.status AS post_status,
       EXISTS (
           SELECT FROM scheduler.schedule AS t
           WHERE t.post_id = s.post_id AND t.id <> s.id AND t.status IN ('pending', 'queued', 'publishing')
       ) AS others
FROM jsonb_array_elements_text(%(ids)s::jsonb) AS o (id)
JOIN scheduler.schedule AS s ON s.id = o.id
JOIN scheduler.post AS p ON p.id = s.post_id

-- name: arrange
SELECT o.id
FROM jsonb_array_elements_text(%(ids)s::jsonb) WITH ORDINALITY AS o (id, place)
LEFT JOIN scheduler.schedule AS s ON s.id = o.id
ORDER BY s.run_at NULLS LAST, o.place

-- name: trail
SELECT {at} AS at, a.event, a.principal, a.details
FROM scheduler.audit AS a
WHERE a.id = %(id)s
ORDER BY a.audit_id

-- name: found
SELECT s.id, s.status, {stuck} AS stuck, cancels.listed
FROM jsonb_array_elements_text(%(ids)s::jsonb) AS o (id)
JOIN scheduler.schedule AS s ON s.id = o.id
CROSS JOIN LATERAL (
    SELECT coalesce(
        jsonb_agg(jsonb_build_array(a.details ->> 'idempotency_key', a.principal) ORDER BY a.audit_id),
        '[]'::jsonb) AS listed
    FROM scheduler.audit AS a
    WHERE a.id = s.id AND a.event = 'SCHEDULE_CANCELLED'
) AS cancels

-- name: whole
-- Schedules as the native routes show them, with whoever owns the post.
SELECT {facts}, {cancelled_at} AS cancelled_at, s.cancellation_reason, v.content, v.channel_id, c.display_name,
       p.owner_id
FROM jsonb_array_elements_text(%(ids)s::jsonb) AS o (id)
JOIN scheduler.schedule AS s ON s.id = o.id
JOIN scheduler.post_variant AS v ON v.id = s.post_variant_id
JOIN scheduler.post AS p ON p.id = s.post_id
JOIN scheduler.channel_connection AS c ON c.id = s.channel_connection_id

-- name: listed
SELECT s.id FROM scheduler.schedule AS s WHERE {where} ORDER BY {order} LIMIT %s OFFSET %s

-- name: hold
-- Whoever has changed one of these and not committed is waited for.
SELECT s.id
FROM scheduler.schedule AS s
WHERE s.id IN (SELECT o.id FROM jsonb_array_elements_text(%(ids)s::jsonb) AS o (id))
ORDER BY s.id
FOR UPDATE OF s

-- name: cancel
-- The one guarded write: rows are locked in one order, so that two of these never wait for each other in a circle, and
-- judged as they are under the lock; each comes back as it was. Without a version the status alone is the guard.
WITH held AS MATERIALIZED (
    SELECT {facts}, o.version
    FROM jsonb_to_recordset(%(targets)s::jsonb) AS o (id text, version bigint)
    JOIN scheduler.schedule AS s ON s.id = o.id
    ORDER BY s.id
    FOR UPDATE OF s
)
UPDATE scheduler.schedule AS s
SET status = 'cancelled', cancelled_at = now(), cancellation_reason = %(reason)s, updated_at = now(),
    revision = s.revision + 1
FROM held AS h
WHERE s.id = h.id AND (h.version IS NULL OR s.revision = h.version) AND s.status IN ('pending', 'queued')
RETURNING h.*

-- name: hold_posts
-- A statement of its own: who waited here for another cancellation of the same post has to see what that one left.
SELECT p.id
FROM scheduler.post AS p
WHERE p.id IN (SELECT o.id FROM jsonb_array_elements_text(%(posts)s::jsonb) AS o (id))
ORDER BY p.id
FOR UPDATE OF p

-- name: put_back
-- A post is ready again when none of its schedules is to go out any more; one that is not scheduled stays as it is.
UPDATE scheduler.post AS p SET status = 'ready', updated_at = now()
WHERE p.id IN (SELECT o.id FROM jsonb_array_elements_text(%(posts)s::jsonb) AS o (id))
  AND p.status = 'scheduled'
  AND NOT EXISTS (
      SELECT FROM scheduler.schedule AS t
      WHERE t.post_id = p.id AND t.status IN ('pending', 'queued', 'publishing')
  )

-- name: audit
INSERT INTO scheduler.audit (id, event, principal, details)
SELECT a.id, a.event, a.principal, a.details
FROM jsonb_to_recordset(%(entries)s::jsonb) AS a (id text, event text, principal text, details jsonb)

-- name: queue_up
-- Requests of one principal are counted one after another.
SELECT pg_advisory_xact_lock(hashtextextended(%(principal)s, 7305712043))

-- name: requests
-- One that bears a moment to come was made while the clock was ahead, and counts from now on. The clock is read here,
-- behind the lock: what another transaction has just committed is not taken for one of them.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
), gone AS (
    DELETE FROM scheduler.request AS r USING clock AS c
    WHERE r.principal = %(principal)s AND (r.at <= c.now - %(per)s OR r.at > c.now)
    RETURNING r.at > c.now AS ahead
), counted_anew AS (
    INSERT INTO scheduler.request (principal, at)
    SELECT %(principal)s, c.now FROM gone AS g CROSS JOIN clock AS c WHERE g.ahead
)
SELECT count(*) AS n, extract(epoch FROM least(min(r.at), min(c.now)) + %(per)s - min(c.now))::float8 AS wait
FROM scheduler.request AS r CROSS JOIN clock AS c
WHERE r.principal = %(principal)s AND r.at > c.now - %(per)s

-- name: request
INSERT INTO scheduler.request (principal, at) VALUES (%(principal)s, clock_timestamp())
