-- name: queue_due
-- Soonest first. What somebody else has locked is being moved or cancelled: it is left alone.
WITH due AS MATERIALIZED (
    SELECT s.id FROM scheduler.schedule AS s
    WHERE s.status = 'pending' AND s.run_at <= now()
    ORDER BY s.run_at, s.id
    LIMIT %(limit)s
    FOR UPDATE OF s SKIP LOCKED
), moved AS (
    -- That the scanner comes by changes nothing of what the schedule is, so its version stays.
    UPDATE scheduler.schedule AS s
    SET status = 'queued', updated_at = now(), send_at = now() + %(lease)s, confirmed = false
    FROM due AS d
    WHERE s.id = d.id AND s.status = 'pending'
    RETURNING s.id, s.post_variant_id, s.channel_connection_id, s.attempts, s.run_at
), told AS (
    INSERT INTO scheduler.audit (id, event, details) SELECT m.id, 'SCHEDULE_QUEUED', '{}' FROM moved AS m
)
SELECT m.id, m.post_variant_id, m.channel_connection_id, m.attempts FROM moved AS m ORDER BY m.run_at, m.id

-- name: to_send
-- Queued without a message: whoever queued it died before the broker had confirmed it. Where the queue is drained, one
-- that was confirmed long ago is looked for too: a broker that lost its disk lost the message.
WITH lost AS MATERIALIZED (
    SELECT s.id FROM scheduler.schedule AS s
    WHERE s.status = 'queued' AND (s.send_at <= now() OR s.send_at > now() + %(again)s) AND (NOT s.confirmed OR %(drained)s)
    ORDER BY s.send_at
    LIMIT %(limit)s
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE scheduler.schedule AS s
SET send_at = now() + %(lease)s, confirmed = false
FROM lost AS l
WHERE s.id = l.id AND s.status = 'queued'
RETURNING s.id, s.post_variant_id, s.channel_connection_id, s.attempts

-- name: sent
-- A row that somebody has locked is being claimed or cancelled; where it is not after all, its message comes twice.
WITH held AS MATERIALIZED (
    SELECT s.id FROM scheduler.schedule AS s
    WHERE s.id IN (SELECT o.id FROM jsonb_array_elements_text(%(ids)s::jsonb) AS o (id)) AND s.status = 'queued'
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE scheduler.schedule AS s SET send_at = now() + %(again)s, confirmed = true
FROM held AS h WHERE s.id = h.id

-- name: claim
-- The claim comes before the publishing: whoever gets a row back is the only one that publishes.
WITH claimed AS (
    UPDATE scheduler.schedule AS s
    SET status = 'publishing', attempts = s.attempts + 1, claimed_at = now(), updated_at = now(),
        revision = s.revision + 1
    WHERE s.id = %(id)s AND s.status = 'queued'
    RETURNING s.id, s.attempts, s.channel, s.post_variant_id
), told AS (
    INSERT INTO scheduler.audit (id, event, details)
    SELECT c.id, 'PUBLISH_STARTED', jsonb_build_object('attempt', c.attempts) FROM claimed AS c
)
SELECT c.id, c.attempts, c.channel, v.content
FROM claimed AS c JOIN scheduler.post_variant AS v ON v.id = c.post_variant_id

-- name: clamp_claim
-- Claimed while the clock was ahead: it is stuck after its own span from now. Nothing else of the schedule changes.
UPDATE scheduler.schedule AS s SET claimed_at = clock_timestamp()
WHERE s.id = %(id)s AND s.status = 'publishing' AND s.claimed_at > clock_timestamp()

-- name: job
SELECT s.id, s.attempts, s.status, s.channel, v.content, {stuck} AS stuck
FROM scheduler.schedule AS s JOIN scheduler.post_variant AS v ON v.id = s.post_variant_id
WHERE s.id = %(id)s

-- name: succeed
WITH done AS (
    UPDATE scheduler.schedule AS s
    SET status = 'success', published_at = %(at)s::text::timestamptz, updated_at = now(), revision = s.revision + 1
    WHERE s.id = %(id)s AND s.status = 'publishing' AND s.attempts = %(attempt)s
    RETURNING s.id, s.post_id, s.attempts
), published AS (
    UPDATE scheduler.post AS p SET status = 'published', updated_at = now()
    FROM done AS d
    WHERE p.id = d.post_id AND p.status IN ('scheduled', 'ready')
)
INSERT INTO scheduler.audit (id, event, details)
SELECT d.id, 'PUBLISH_SUCCEEDED', jsonb_build_object('attempt', d.attempts, 'published_at', %(at)s::text) FROM done AS d

-- name: fail
WITH done AS (
    UPDATE scheduler.schedule AS s
    SET status = 'failed', updated_at = now(), revision = s.revision + 1
    WHERE s.id = %(id)s AND s.status = 'publishing' AND s.attempts = %(attempt)s
    RETURNING s.id, s.attempts
)
INSERT INTO scheduler.audit (id, event, details)
SELECT d.id, 'PUBLISH_FAILED', jsonb_build_object('attempt', d.attempts, 'error', %(why)s::text) FROM done AS d

-- name: publish
INSERT INTO scheduler.outbox AS a (schedule_id, attempt, channel, content)
VALUES (%(id)s, %(attempt)s, %(channel)s, %(content)s)
RETURNING {at} AS at

-- name: receipt
SELECT {at} AS at FROM scheduler.outbox AS a WHERE a.schedule_id = %(id)s AND a.attempt = %(attempt)s
