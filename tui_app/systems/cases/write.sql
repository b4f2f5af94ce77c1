-- name: accept
-- The one guarded write of a cancellation. A version that is null guards nothing: whoever has not read says so. The
-- plus keeps the planner off the index of the status: it would walk all that are open.
UPDATE cases
SET previous_status = cases.status, status = 'cancelling', revision = cases.revision + 1, updated_at = :now,
    cancellation_id = json_extract(o.value, '$[3]')
FROM json_each(:orders) AS o
WHERE cases.id = json_extract(o.value, '$[0]')
  AND cases.revision = coalesce(json_extract(o.value, '$[1]'), cases.revision)
  AND +cases.status NOT IN ('cancelling', 'cancelled', 'completed', 'archived', 'closed')
  AND cases.active_hold = 0 AND cases.related_orders_status <> 'in_progress' AND cases.critical_alerts = 0
RETURNING id

-- name: accept_requests
INSERT INTO cancellation (cancellation_id, case_id, state, key, run_id, operator, reason, notes, notify, previous_status,
                          accepted_at, complete_at, rollback_deadline)
SELECT c.cancellation_id, c.id, 'processing', json_extract(h.value, '$[2]'), :run_id, :operator, :reason, :notes, :notify,
       c.previous_status, :now, :complete_at, :rollback_deadline
FROM json_each(:hits) AS h CROSS JOIN cases AS c ON c.id = json_extract(h.value, '$[0]')

-- name: accept_audit
INSERT INTO audit (case_id, event, at, user_id, details)
SELECT c.id, :event, :now, :operator,
       json_set(:template, '$.previous_status', c.previous_status, '$.cancellation_id', c.cancellation_id,
                '$.idempotency_key', json_extract(h.value, '$[2]'))
FROM json_each(:hits) AS h CROSS JOIN cases AS c ON c.id = json_extract(h.value, '$[0]')

-- name: complete
-- The guarded write of a completion: whatever stood in the way when it was due leaves the case alone. What is due is
-- found by its own index; joined to it, SQLite would walk all cases, and so it would in the statements that follow.
UPDATE cases
SET status = 'cancelled', revision = revision + 1,
    (updated_at, rollback_deadline) = (SELECT max(cases.updated_at, x.complete_at), x.rollback_deadline
                                       FROM cancellation AS x WHERE x.cancellation_id = cases.cancellation_id)
WHERE id IN (SELECT case_id FROM cancellation WHERE state = 'processing' AND complete_at <= :now)
  AND EXISTS (SELECT 1 FROM cancellation AS x
              WHERE x.cancellation_id = cases.cancellation_id AND x.state = 'processing' AND x.complete_at <= :now
                AND coalesce(x.stood ->> 'active_hold', cases.active_hold) = 0
                AND coalesce(x.stood ->> 'related_orders_status', cases.related_orders_status) <> 'in_progress'
                AND coalesce(x.stood ->> 'critical_alerts', cases.critical_alerts) = 0)
  AND +status = 'cancelling'
RETURNING cancellation_id

-- name: complete_requests
UPDATE cancellation SET state = 'completed', completed_at = complete_at
WHERE cancellation_id IN (SELECT value FROM json_each(:hits))

-- name: complete_workflows
UPDATE workflow
SET previous_status = status, status = 'ended',
    ended_by = (SELECT c.cancellation_id FROM cases AS c WHERE c.id = workflow.case_id)
WHERE case_id IN (SELECT x.case_id FROM json_each(:hits) AS h CROSS JOIN cancellation AS x ON x.cancellation_id = h.value)
  AND status <> 'ended'

-- name: complete_records
UPDATE record
SET previous_status = status, status = 'case_cancelled',
    marked_by = (SELECT c.cancellation_id FROM cases AS c WHERE c.id = record.case_id)
WHERE case_id IN (SELECT x.case_id FROM json_each(:hits) AS h CROSS JOIN cancellation AS x ON x.cancellation_id = h.value)

-- name: complete_reminders
UPDATE notification
SET status = 'withdrawn',
    cancellation_id = (SELECT c.cancellation_id FROM cases AS c WHERE c.id = notification.case_id)
WHERE case_id IN (SELECT x.case_id FROM json_each(:hits) AS h CROSS JOIN cancellation AS x ON x.cancellation_id = h.value)
  AND status = 'pending'

-- name: complete_notices
INSERT INTO notification (case_id, target, subject, text, status, at, cancellation_id)
SELECT x.case_id, s.target, 'Case ' || x.case_id || ' is cancelled', replace(:notice, '{reason}', iif(x.notes = '', x.reason, x.notes)),
       'sent', x.complete_at, x.cancellation_id
FROM json_each(:hits) AS h
CROSS JOIN cancellation AS x ON x.cancellation_id = h.value AND x.notify
CROSS JOIN stakeholder AS s ON s.case_id = x.case_id

-- name: complete_audit
INSERT INTO audit (case_id, event, at, user_id, details)
SELECT x.case_id, :event, x.complete_at, x.operator,
       json_set(:template, '$.previous_status', x.previous_status, '$.reason', x.reason, '$.notes', x.notes,
                '$.notify_stakeholders', json(CASE WHEN x.notify THEN 'true' ELSE 'false' END),
                '$.cancellation_id', x.cancellation_id, '$.run_id', x.run_id, '$.idempotency_key', x.key)
FROM json_each(:hits) AS h CROSS JOIN cancellation AS x ON x.cancellation_id = h.value

-- name: hindered
-- What is due and was left alone by the guarded completion, with what stood in the way.
SELECT x.cancellation_id, x.case_id, x.operator, x.reason, x.notes, x.notify, x.previous_status, x.run_id, x.key,
       x.complete_at, c.status, c.cancellation_id = x.cancellation_id AS current,
       coalesce(x.stood ->> 'active_hold', c.active_hold) AS active_hold,
       coalesce(x.stood ->> 'related_orders_status', c.related_orders_status) AS related_orders_status,
       coalesce(x.stood ->> 'critical_alerts', c.critical_alerts) AS critical_alerts,
       coalesce(x.stood ->> 'hold', c.hold) AS hold
FROM cancellation AS x LEFT JOIN cases AS c ON c.id = x.case_id
WHERE x.state = 'processing' AND x.complete_at <= :now

-- name: withdraw
UPDATE cancellation SET state = 'withdrawn', completed_at = complete_at, rollback_deadline = NULL, code = :code, message = :message
WHERE cancellation_id = :cancellation_id

-- name: put_back
UPDATE cases SET status = previous_status, previous_status = NULL, cancellation_id = NULL, revision = revision + 1,
                 updated_at = max(updated_at, :at)
WHERE id = :case_id AND cancellation_id = :cancellation_id AND status = 'cancelling'

-- name: reinstate
-- The guarded write of a reinstatement, within the window and before downstream has acted.
UPDATE cases
SET status = CASE WHEN :restore THEN cases.previous_status ELSE 'pending' END, revision = cases.revision + 1,
    updated_at = :now, rollback_deadline = NULL, reinstated = cases.reinstated + 1
FROM json_each(:orders) AS o
WHERE cases.id = json_extract(o.value, '$[0]')
  AND cases.revision = coalesce(json_extract(o.value, '$[1]'), cases.revision)
  AND +cases.status = 'cancelled' AND cases.rollback_deadline > :now AND cases.previous_status IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM record AS r
                  WHERE r.case_id = cases.id AND r.marked_by = cases.cancellation_id AND r.acted_at IS NOT NULL)
RETURNING id, status

-- name: reinstate_audit
INSERT INTO audit (case_id, event, at, user_id, details)
SELECT c.id, :event, :now, :operator,
       json_set(:template, '$.new_status', c.status, '$.cancellation_id', c.cancellation_id,
                '$.reinstatement_id', json_extract(h.value, '$[3]'), '$.idempotency_key', json_extract(h.value, '$[2]'))
FROM json_each(:hits) AS h CROSS JOIN cases AS c ON c.id = json_extract(h.value, '$[0]')

-- name: reinstate_workflows
UPDATE workflow SET status = previous_status, previous_status = NULL, ended_by = NULL
WHERE case_id IN (SELECT json_extract(value, '$[0]') FROM json_each(:hits))
  AND ended_by = (SELECT c.cancellation_id FROM cases AS c WHERE c.id = workflow.case_id)

-- name: reinstate_records
UPDATE record SET status = previous_status, previous_status = NULL, marked_by = NULL
WHERE case_id IN (SELECT json_extract(value, '$[0]') FROM json_each(:hits))
  AND marked_by = (SELECT c.cancellation_id FROM cases AS c WHERE c.id = record.case_id)

-- name: reinstate_reminders
UPDATE notification SET status = 'pending', cancellation_id = NULL
WHERE case_id IN (SELECT json_extract(value, '$[0]') FROM json_each(:hits))
  AND cancellation_id = (SELECT c.cancellation_id FROM cases AS c WHERE c.id = notification.case_id)
  AND status = 'withdrawn'

-- name: reinstate_requests
UPDATE cancellation SET state = 'reinstated'
WHERE cancellation_id IN (SELECT c.cancellation_id
                          FROM json_each(:hits) AS h CROSS JOIN cases AS c ON c.id = json_extract(h.value, '$[0]'))

-- name: reinstated
-- Nothing of the cancellation is left on the case; its own row and the audit keep it.
UPDATE cases SET previous_status = NULL, cancellation_id = NULL WHERE id IN (SELECT json_extract(value, '$[0]') FROM json_each(:hits))

-- name: audit
INSERT INTO audit (case_id, event, at, user_id, details) VALUES (:case_id, :event, :at, :user_id, :details)

-- name: clamp_cancellation
UPDATE cancellation SET accepted_at = :now, complete_at = :complete_at, rollback_deadline = :rollback_deadline
WHERE cancellation_id = :cancellation_id

-- name: clamp_case
-- Its version stays: nothing of the case has changed, and what is to bring it back is not to be held back for this.
UPDATE cases
SET updated_at = min(updated_at, :now),
    rollback_deadline = iif(status = 'cancelled' AND cancellation_id = :cancellation_id, :rollback_deadline, rollback_deadline)
WHERE id = :case_id

-- name: forget_spent
DELETE FROM spent WHERE bucket = :bucket AND user_id = :user_id AND at <= :since

-- name: clamp_spent
UPDATE spent SET at = :now WHERE bucket = :bucket AND user_id = :user_id AND at > :now

-- name: spent
SELECT at FROM spent WHERE bucket = ? AND user_id = ? ORDER BY at

-- name: spend
INSERT INTO spent (bucket, user_id, at) VALUES (?, ?, ?)
