-- name: there
SELECT s.id FROM json_each(?) AS o CROSS JOIN schedule AS s ON s.id = o.value

-- name: connection
INSERT INTO channel_connection (id, channel_id, display_name) VALUES (:id, :channel_id, :display_name)
ON CONFLICT DO NOTHING

-- name: post
INSERT INTO post (id, owner_id, title, status, created_at, updated_at)
VALUES (:id, :owner, :title, :status, :created_at, :created_at)
ON CONFLICT DO NOTHING

-- name: variant
INSERT INTO post_variant (id, post_id, channel_id, content) VALUES (:post_variant_id, :post_id, :channel_id, :content)

-- name: schedule
INSERT INTO schedule (id, post_variant_id, channel_connection_id, post_id, owner, channel, run_at, timezone,
                      run_at_local, status, attempts, created_at, updated_at, claimed_at, published_at, cancelled_at,
                      cancellation_reason)
VALUES (:id, :post_variant_id, :channel_connection_id, :post_id, :owner, :channel, :run_at, :timezone,
        :run_at_local, :status, :attempts, :created_at, :updated_at, :claimed_at, :published_at, :cancelled_at,
        :cancellation_reason)

-- name: audit
INSERT INTO audit (id, event, at, principal, details) VALUES (:id, :event, :at, :principal, :details)

-- name: message
INSERT INTO message (queue, body, enqueued_at, visible_at) VALUES (:queue, :body, :at, :at)

-- name: outbox
INSERT INTO outbox (schedule_id, attempt, channel, content, at) VALUES (:id, :attempts, :channel, :content, :at)
