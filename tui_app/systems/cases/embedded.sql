-- name: page
-- The filter, the place and the order are composed from a fixed table of expressions; every value is bound.
SELECT c.id, c.type, substr(c.title, 1, {longest}) AS title, c.status, c.priority, c.assigned_to, c.environment,
       c.active_hold, c.related_orders_status, c.critical_alerts, c.hold, c.reinstated, c.created_at, c.updated_at,
       c.rollback_deadline, c.previous_status, c.cancellation_id, c.revision
FROM cases AS c {hint}
WHERE {where}
ORDER BY {order}
LIMIT ?

-- name: any
SELECT EXISTS (SELECT 1 FROM cases AS c {hint} WHERE {where})

-- name: count
-- Bounded: past the limit the number is said to be a lower bound.
SELECT count(*) FROM (SELECT 1 FROM cases AS c WHERE {where} LIMIT ?)

-- name: survey
-- CROSS JOIN fixes the order of the loops: each id is looked up, and nothing else is read.
SELECT o.key AS position, c.id, c.status, c.revision, c.active_hold, c.related_orders_status, c.critical_alerts,
       c.hold, c.rollback_deadline, c.previous_status,
       CASE WHEN c.status = 'cancelled' THEN (
           SELECT group_concat(DISTINCT r.system) FROM record AS r
           WHERE r.case_id = c.id AND r.marked_by = c.cancellation_id AND r.acted_at IS NOT NULL
       ) END AS acted
FROM json_each(?) AS o CROSS JOIN cases AS c ON c.id = o.value

-- name: around
-- What cancelling would touch.
SELECT c.id,
       (SELECT json_group_array(s.target) FROM (
            SELECT target FROM stakeholder WHERE case_id = c.id ORDER BY target) AS s) AS stakeholders,
       (SELECT json_group_array(w.name) FROM (
            SELECT name FROM workflow WHERE case_id = c.id AND status <> 'ended' ORDER BY name) AS w) AS workflows,
       (SELECT json_group_array(json_array(r.kind, r.system)) FROM (
            SELECT kind, system FROM record WHERE case_id = c.id ORDER BY kind, id) AS r) AS records,
       (SELECT json_group_array(n.target) FROM (
            SELECT target FROM notification WHERE case_id = c.id AND status = 'pending' ORDER BY target) AS n
       ) AS reminders
FROM json_each(?) AS o CROSS JOIN cases AS c ON c.id = o.value

-- name: around_cancelled
-- What the cancellation touched, and reinstating would restore.
SELECT c.id,
       (SELECT json_group_array(s.target) FROM (
            SELECT target FROM notification WHERE case_id = c.id AND cancellation_id = c.cancellation_id
            AND status = 'sent' ORDER BY target) AS s) AS stakeholders,
       (SELECT json_group_array(w.name) FROM (
            SELECT name FROM workflow WHERE case_id = c.id AND ended_by = c.cancellation_id ORDER BY name) AS w
       ) AS workflows,
       (SELECT json_group_array(json_array(r.kind, r.system)) FROM (
            SELECT kind, system FROM record WHERE case_id = c.id AND marked_by = c.cancellation_id
            ORDER BY kind, id) AS r) AS records,
       '[]' AS reminders
FROM json_each(?) AS o CROSS JOIN cases AS c ON c.id = o.value

-- name: dependencies
SELECT type, id, status, required FROM dependency WHERE case_id = ? ORDER BY type, id

-- name: trail
SELECT at, event, user_id, details FROM audit WHERE case_id = ? ORDER BY audit_id

-- name: events
-- Anybody may have written an audit: one entry that is no JSON takes no other with it.
SELECT a.case_id, a.event, CASE WHEN json_valid(a.details) THEN CAST(a.details ->> '$.idempotency_key' AS TEXT) END AS key, a.user_id
FROM json_each(?) AS o CROSS JOIN audit AS a ON a.case_id = o.value
WHERE a.event IN ('CASE_CANCELLED', 'CASE_REINSTATED')
ORDER BY a.audit_id

-- name: requests
SELECT x.case_id, x.key, x.operator, x.state, x.complete_at, x.code, x.message, x.rollback_deadline
FROM json_each(?) AS o CROSS JOIN cancellation AS x ON x.case_id = o.value
ORDER BY x.accepted_at, x.rowid

-- name: cancellation
SELECT cancellation_id, state, operator, reason, notes, notify, previous_status, accepted_at, complete_at, completed_at,
       rollback_deadline, code, message
FROM cancellation WHERE case_id = ? AND key = ?

-- name: due
SELECT EXISTS (SELECT 1 FROM cancellation WHERE state = 'processing' AND complete_at <= ?)

-- name: ahead
-- Cancellations that were accepted later than now: the clock was ahead. A case bears no earlier moment than its own.
SELECT x.cancellation_id, x.case_id, x.accepted_at, x.complete_at, x.rollback_deadline
FROM cases AS c CROSS JOIN cancellation AS x ON x.case_id = c.id
WHERE c.status IN ('cancelling', 'cancelled') AND c.updated_at > :now AND x.accepted_at > :now
LIMIT :limit
