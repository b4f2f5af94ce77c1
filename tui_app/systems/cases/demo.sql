-- name: there
SELECT c.id FROM json_each(?) AS o CROSS JOIN cases AS c ON c.id = o.value

-- name: cases
INSERT INTO cases (id, type, title, status, priority, assigned_to, environment, active_hold, related_orders_status,
                   critical_alerts, hold, created_at, updated_at, previous_status, cancellation_id, rollback_deadline)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: dependency
INSERT INTO dependency (case_id, type, id, status, required, changed_at) VALUES (?, ?, ?, ?, ?, ?)

-- name: workflow
INSERT INTO workflow (case_id, name, status, ended_by, previous_status) VALUES (?, ?, ?, ?, ?)

-- name: record
INSERT INTO record (case_id, kind, id, system, status, marked_by, previous_status, acted_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: stakeholder
INSERT INTO stakeholder (case_id, target) VALUES (?, ?)

-- name: notification
INSERT INTO notification (case_id, target, subject, text, status, at, cancellation_id) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: cancellation
INSERT INTO cancellation (cancellation_id, case_id, state, operator, reason, notes, notify, previous_status, accepted_at,
                          complete_at, completed_at, rollback_deadline)
VALUES (?, ?, 'completed', ?, ?, ?, 1, ?, ?, ?, ?, ?)

-- name: audit
INSERT INTO audit (case_id, event, at, user_id, details) VALUES (?, ?, ?, ?, ?)
