-- name: there
SELECT c.id FROM json_each(?) AS o CROSS JOIN command AS c ON c.id = o.value

-- name: recount
-- A batch of demo data is as its commands are, also where they came in two seedings.
UPDATE batch
SET total_count = t.total, completed_count = t.completed, canceled_count = t.canceled, failed_count = t.failed,
    in_troubleshooting_count = t.troubled, status = 'IN_PROGRESS'
FROM (
    SELECT c.domain, c.batch_id, count(*) AS total, sum(c.status = 'COMPLETED') AS completed,
           sum(c.status = 'CANCELED') AS canceled, sum(c.status = 'FAILED') AS failed,
           sum(c.status = 'IN_TROUBLESHOOTING_QUEUE') AS troubled
    FROM json_each(:batches) AS o
    CROSS JOIN command AS c
        ON c.domain = json_extract(o.value, '$[0]') AND c.batch_id = json_extract(o.value, '$[1]')
    GROUP BY c.domain, c.batch_id
) AS t
WHERE batch.domain = t.domain AND batch.batch_id = t.batch_id

-- name: queue
INSERT INTO queue (name) VALUES (:name) ON CONFLICT DO NOTHING

-- name: command
INSERT INTO command (id, domain, command_id, type, queue, status, attempts, max_attempts, error_type, error_code,
                     error, created_at, updated_at, reply_queue, correlation_id, batch_id)
VALUES (:id, :domain, :command_id, :type, :queue, :status, :attempts, :max_attempts, :error_type, :error_code,
        :error, :created_at, :updated_at, :reply_queue, :correlation_id, :batch_id)

-- name: audit
INSERT INTO audit (id, event, at, details) VALUES (:id, :event, :at, :details)

-- name: payload
INSERT INTO payload (id, body) VALUES (:id, :body)

-- name: message
INSERT INTO message (queue, body, enqueued_at) VALUES (:queue, :body, :enqueued_at)

-- name: process
INSERT INTO process (correlation_id, type) VALUES (:correlation_id, :type) ON CONFLICT DO NOTHING

-- name: batch
INSERT INTO batch (domain, batch_id, name, status, created_at) VALUES (:domain, :batch_id, :name, :status, :created_at)
ON CONFLICT DO NOTHING
