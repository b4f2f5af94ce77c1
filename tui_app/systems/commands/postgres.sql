-- name: page
-- The filter, the place and the order are composed from a fixed table of expressions; every value is bound.
-- The rows first: what is wrong with a queue is asked once for each of them.
WITH found AS MATERIALIZED (
    SELECT c.* FROM commandbus.command AS c WHERE {where} ORDER BY {order} LIMIT %s
), {queues}
SELECT {columns}, {now} AS as_of
FROM found AS c JOIN queues AS q ON q.reply_queue = c.reply_queue
ORDER BY {order}

-- name: any
SELECT EXISTS (SELECT FROM commandbus.command AS c WHERE {where}) AS found

-- name: count
SELECT count(*) AS n FROM commandbus.command AS c WHERE {where}

-- name: estimate
EXPLAIN (FORMAT JSON) SELECT FROM commandbus.command AS c WHERE {where}

-- name: one
WITH found AS MATERIALIZED (
    SELECT c.* FROM commandbus.command AS c WHERE c.domain = %(domain)s AND c.command_id = %(command_id)s::uuid
), {queues}
SELECT {columns}, {has_process} AS has_process,
       coalesce(has_table_privilege(to_regclass('pgmq.' || quote_ident(%(archive)s)), 'SELECT'), false) AS has_archive,
       c.msg_id
FROM found AS c JOIN queues AS q ON q.reply_queue = c.reply_queue

-- name: survey
WITH {named}, {queues}
SELECT {id} AS id, c.status, {version} AS version, c.reply_queue, {reply_fault} AS reply_fault,
       c.batch_id IS NOT NULL AS in_batch, c.correlation_id::text AS correlation_id, {has_process} AS has_process,
       {cancel_grants} AS cancel_grants, {batch_grants} AS batch_grants
FROM found AS c JOIN queues AS q ON q.reply_queue = c.reply_queue

-- name: processes
-- Whose process it is is not known from the command, and the index begins with its domain: walk the few domains.
WITH RECURSIVE known (domain) AS (
    SELECT min(p.domain) FROM commandbus.process AS p
    UNION ALL
    SELECT (SELECT min(p.domain) FROM commandbus.process AS p WHERE p.domain > k.domain)
    FROM known AS k WHERE k.domain IS NOT NULL
)
SELECT p.process_id::text AS id, p.process_type AS type
FROM known AS k
CROSS JOIN unnest(%s::uuid[]) AS w (process_id)
JOIN commandbus.process AS p ON p.domain = k.domain AND p.process_id = w.process_id

-- name: payload
-- By number only: looking into the messages would read the whole archive. A number can belong to another command
-- where the archive was rebuilt, so the message has to say whose it is.
SELECT left(a.message::text, %(longest)s) AS text, length(a.message::text) <= %(longest)s AS whole
FROM pgmq.{archive} AS a
WHERE a.msg_id = %(msg_id)s AND lower(a.message ->> 'command_id') = %(command_id)s

-- name: batch
-- Counted from the commands: the batch's own counters have been seen to lie.
SELECT c.status, count(*) AS n FROM commandbus.command AS c
WHERE c.domain = %(domain)s AND c.batch_id = %(batch_id)s::uuid
GROUP BY c.status

-- name: trail
-- By number: ts is the start of the transaction, and the same for all entries of one.
SELECT {at} AS at, a.event_type AS event, a.details_json AS details
FROM commandbus.audit AS a
WHERE a.domain = %(domain)s AND a.command_id = %(command_id)s::uuid
ORDER BY a.audit_id

-- name: found
WITH {named}, {queues}
SELECT {id} AS id, c.status, {version} AS version, c.reply_queue, q.fault AS reply_fault, cancels.listed
FROM found AS c JOIN queues AS q ON q.reply_queue = c.reply_queue
CROSS JOIN LATERAL (
    SELECT coalesce(
        jsonb_agg(jsonb_build_array(a.details_json ->> 'idempotency_key', a.details_json ->> 'operator')
                  ORDER BY a.audit_id),
        '[]'::jsonb) AS listed
    FROM commandbus.audit AS a
    WHERE a.command_id = c.command_id AND a.domain = c.domain AND a.event_type = 'OPERATOR_CANCEL'
) AS cancels

-- name: hold
-- Whoever has changed one of these and not committed is waited for.
SELECT FROM jsonb_to_recordset(%(ids)s::jsonb) AS w (domain text, command_id uuid)
JOIN commandbus.command AS c ON c.domain = w.domain AND c.command_id = w.command_id
ORDER BY c.domain, c.command_id
FOR UPDATE OF c

-- name: cancel
-- The one guarded write: rows are locked in one order, so that two of these never wait for each other in a circle,
-- and judged as they are under the lock. Batches are counted in one order too, after every row is locked.
WITH found AS MATERIALIZED (
    SELECT c.domain, c.command_id, c.reply_queue, w.key,
           c.status = 'IN_TROUBLESHOOTING_QUEUE' AND {version} = w.version AS as_seen
    FROM jsonb_to_recordset(%(orders)s::jsonb) AS w (domain text, command_id uuid, version text, key text)
    JOIN commandbus.command AS c ON c.domain = w.domain AND c.command_id = w.command_id
    ORDER BY c.domain, c.command_id
    FOR UPDATE OF c
), {queues}, cancelled AS (
    UPDATE commandbus.command AS c
    SET status = 'CANCELED', updated_at = now()
    FROM found AS h JOIN queues AS q ON q.reply_queue = h.reply_queue
    WHERE h.as_seen AND q.fault IS NULL AND c.domain = h.domain AND c.command_id = h.command_id AND c.status = 'IN_TROUBLESHOOTING_QUEUE'
    RETURNING c.domain, c.command_id, c.command_type, c.correlation_id, c.reply_queue, c.batch_id, h.key
), recorded AS (
    INSERT INTO commandbus.audit (domain, command_id, event_type, details_json)
    SELECT d.domain, d.command_id, 'OPERATOR_CANCEL',
           %(details)s::jsonb || jsonb_build_object(
               'reply_to', nullif(d.reply_queue, ''), 'idempotency_key', d.key)
    FROM cancelled AS d
    ORDER BY d.domain, d.command_id
), outgoing AS MATERIALIZED (
    SELECT d.reply_queue,
           array_agg(%(reply)s::jsonb || jsonb_build_object(
               'command_id', d.command_id, 'correlation_id', d.correlation_id, 'domain', d.domain,
               'type', d.command_type || %(suffix)s::text, 'completed_at', {now})
               ORDER BY d.domain, d.command_id) AS replies
    FROM cancelled AS d
    WHERE d.reply_queue <> ''
    GROUP BY d.reply_queue
), sent AS MATERIALIZED (
    SELECT m.msg_id
    FROM outgoing AS o
    CROSS JOIN LATERAL pgmq.send_batch(o.reply_queue, o.replies) AS m (msg_id)
), told AS MATERIALIZED (
    -- As a function: NOTIFY would need the name as an identifier, and a hyphen breaks it. Listeners fold to lower case.
    SELECT pg_notify(left('pgmq_notify_' || lower(o.reply_queue), 63), '') FROM outgoing AS o
), counted AS MATERIALIZED (
    SELECT commandbus.sp_tsq_cancel(b.domain, b.batch_id)
    FROM (
        SELECT d.domain, d.batch_id FROM cancelled AS d
        WHERE d.batch_id IS NOT NULL ORDER BY d.domain, d.batch_id
    ) AS b
)
-- What nobody asks for is not carried out: the counts are why the replies, the wake-ups and the batches happen.
SELECT d.domain || '/' || d.command_id AS id, (SELECT count(*) FROM sent) AS sent,
       (SELECT count(*) FROM told) AS told, (SELECT count(*) FROM counted) AS counted
FROM cancelled AS d
