-- name: send
INSERT INTO command (id, domain, command_id, type, queue, status, max_attempts, created_at, updated_at, reply_queue,
                     correlation_id, batch_id)
VALUES (:id, :domain, :command_id, :type, :queue, 'PENDING', :max_attempts, :now, :now, :reply_queue, :correlation_id,
        :batch_id)
ON CONFLICT (id) DO NOTHING

-- name: payload
INSERT INTO payload (id, body) VALUES (:id, :body)

-- name: queue
INSERT INTO queue (name) VALUES (?) ON CONFLICT DO NOTHING

-- name: drop_queue
DELETE FROM queue WHERE name = ?

-- name: process
INSERT INTO process (correlation_id, type) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: batch
INSERT INTO batch (domain, batch_id, name, status, total_count, created_at)
VALUES (:domain, :batch_id, :name, 'PENDING', :total, :now)
ON CONFLICT DO NOTHING

-- name: move
-- Every step of a worker: guarded on where the command may come from.
UPDATE command
SET status = :status, revision = revision + 1, updated_at = :now, attempts = coalesce(:attempts, attempts),
    error_type = coalesce(:error_type, error_type), error_code = coalesce(:error_code, error_code),
    error = coalesce(:error, error)
WHERE id = :id AND status IN (SELECT value FROM json_each(:from))
RETURNING domain, command_id, type, reply_queue, correlation_id, batch_id

-- name: standing
SELECT status, attempts FROM command WHERE id = ?

-- name: count_batch
UPDATE batch
SET status = CASE WHEN status = 'PENDING' THEN 'IN_PROGRESS' ELSE status END,
    completed_count = completed_count + :completed, failed_count = failed_count + :failed,
    in_troubleshooting_count = in_troubleshooting_count + :troubled
WHERE domain = :domain AND batch_id = :batch_id

-- name: reply
INSERT INTO message (queue, body, enqueued_at)
SELECT :queue, :body, :now WHERE EXISTS (SELECT 1 FROM queue WHERE name = :queue)

-- name: messages
SELECT body FROM message WHERE queue = ? ORDER BY msg_id
