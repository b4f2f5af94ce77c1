-- name: due
-- Soonest first. The status leads: what is due is the beginning of its index.
SELECT id, post_variant_id, channel_connection_id, attempts
FROM schedule
WHERE status = 'pending' AND run_at <= :now
ORDER BY run_at, id
LIMIT :limit

-- name: queue
-- That the scanner comes by changes nothing of what the schedule is, so its version stays.
UPDATE schedule SET status = 'queued', updated_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND +status = 'pending'
RETURNING id

-- name: send
INSERT INTO message (queue, body, enqueued_at, visible_at) VALUES (:queue, :body, :now, :now)

-- name: clamp_messages
-- Put off while the clock was ahead: no message is kept from its consumers for longer than a lease from now.
UPDATE message SET visible_at = :until WHERE queue = :queue AND visible_at > :until

-- name: receive
-- One message under a lease: it is not seen again before that ends, or it is deleted.
UPDATE message SET visible_at = :until, deliveries = deliveries + 1
WHERE message_id = (
    SELECT message_id FROM message WHERE queue = :queue AND visible_at <= :now ORDER BY visible_at, message_id LIMIT 1
)
RETURNING message_id, body, deliveries

-- name: acknowledge
DELETE FROM message WHERE message_id = ?

-- name: reject
UPDATE message SET queue = :queue WHERE message_id = :message_id

-- name: put_off
UPDATE message SET visible_at = :until WHERE message_id = :message_id

-- name: claim
-- The claim comes before the publishing: whoever gets a row back is the only one that publishes.
UPDATE schedule
SET status = 'publishing', attempts = attempts + 1, claimed_at = :now, updated_at = :now, revision = revision + 1
WHERE id = :id AND status = 'queued'
RETURNING attempts

-- name: clamp_claim
-- Claimed while the clock was ahead: it is stuck after its own span from now. Nothing else of the schedule changes.
UPDATE schedule SET claimed_at = :now WHERE id = :id AND status = 'publishing' AND claimed_at > :now

-- name: job
SELECT s.id, s.attempts, s.status, s.claimed_at, s.channel, v.content
FROM schedule AS s CROSS JOIN post_variant AS v ON v.id = s.post_variant_id
WHERE s.id = (SELECT value FROM json_each(?))

-- name: succeed
UPDATE schedule SET status = 'success', published_at = :at, updated_at = :now, revision = revision + 1
WHERE id = :id AND status = 'publishing' AND attempts = :attempt
RETURNING id

-- name: fail
UPDATE schedule SET status = 'failed', updated_at = :now, revision = revision + 1
WHERE id = :id AND status = 'publishing' AND attempts = :attempt
RETURNING id

-- name: post_published
UPDATE post SET status = 'published', updated_at = :now
WHERE id = (SELECT post_id FROM schedule WHERE id = :id) AND status IN ('scheduled', 'ready')

-- name: publish
INSERT INTO outbox (schedule_id, attempt, channel, content, at) VALUES (:id, :attempt, :channel, :content, :at)

-- name: receipt
SELECT at FROM outbox WHERE schedule_id = (SELECT value FROM json_each(:id)) AND attempt = :attempt
