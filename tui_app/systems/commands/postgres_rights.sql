-- What a role may lack to cancel commands, and what is wrong with a reply queue, as expressions made of each other.
-- All of it is read from the catalog, which everybody may read, whatever the role may do with a queue.

-- name: to
' TO ' || quote_ident(current_user)

-- name: tables
pg_catalog.pg_class AS r JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace

-- name: send
-- The functions that send; several, where there are overloads.
pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS m ON m.oid = p.pronamespace
WHERE m.nspname = 'pgmq' AND p.proname = 'send_batch'

-- name: count_cancelled
pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS m ON m.oid = p.pronamespace
WHERE m.nspname = 'commandbus' AND p.proname = 'sp_tsq_cancel'

-- name: sequences
-- A column that was declared as serial draws its numbers with the rights of whoever inserts; an identity does not.
(
    SELECT string_agg('GRANT USAGE ON SEQUENCE ' || s.oid::regclass || {to}, '; ' ORDER BY s.relname)
    FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_class AS s ON s.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = d.classid AND d.refobjid = r.oid
      AND d.deptype = 'a'
      AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') ELSE false END
)

-- name: on_table
SELECT concat_ws('; ',
    CASE WHEN NOT has_any_column_privilege(r.oid, w.privilege)
         THEN 'GRANT ' || w.privilege || ' ON ' || r.oid::regclass || {to} END,
    CASE WHEN w.privilege = 'INSERT' THEN {sequences} END) AS lacks
FROM {tables} JOIN w ON w.name = r.relname
WHERE n.nspname = 'commandbus'

-- name: cancel_grants
-- What the role lacks to cancel any command.
(WITH w (name, privilege) AS (VALUES ('command', 'UPDATE'), ('audit', 'INSERT'))
 SELECT string_agg(nullif(l.lacks, ''), '; ') FROM ({on_table}) AS l)

-- name: batch_grants
-- What it lacks beside that to cancel a command that is part of a batch.
nullif(concat_ws('; ',
    (SELECT 'GRANT EXECUTE ON FUNCTION ' || p.oid::regprocedure || {to}
     FROM {count_cancelled} AND NOT has_function_privilege(p.oid, 'EXECUTE') LIMIT 1),
    CASE WHEN EXISTS (SELECT FROM {count_cancelled} AND NOT p.prosecdef) THEN
        (WITH w (name, privilege) AS (VALUES ('batch', 'SELECT'), ('batch', 'UPDATE'))
         SELECT string_agg(nullif(l.lacks, ''), '; ') FROM ({on_table}) AS l) END), '')

-- name: missing_to_send
-- Where the owner of pgmq sends in its own name, our rights on the queue do not matter. A role that may only look is
-- shown what could be cancelled by others.
SELECT CASE WHEN {cancel_grants} IS NULL THEN concat_ws('; ',
    CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'GRANT USAGE ON SCHEMA pgmq' || {to} END,
    (SELECT 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq' || {to}
     WHERE EXISTS (SELECT FROM {send})
       AND NOT EXISTS (SELECT FROM {send} AND has_function_privilege(p.oid, 'EXECUTE'))),
    CASE WHEN EXISTS (SELECT FROM {send} AND NOT p.prosecdef) THEN nullif(concat_ws('; ',
        CASE WHEN NOT (has_any_column_privilege(r.oid, 'INSERT') AND has_any_column_privilege(r.oid, 'SELECT'))
             THEN 'GRANT INSERT, SELECT ON ' || r.oid::regclass || {to} END,
        {sequences}), '') END) ELSE '' END
FROM {tables}
WHERE n.nspname = 'pgmq' AND r.relname = 'q_' || lower(c.reply_queue) AND r.relkind IN ('r', 'p', 'v', 'f')

-- name: queue_fault
-- What keeps a reply from its queue; null where nothing does, or no reply is wanted.
CASE WHEN c.reply_queue = '' THEN NULL
     WHEN octet_length('q_' || lower(c.reply_queue)) > current_setting('max_identifier_length')::integer
     THEN 'TOO_LONG'
     ELSE nullif(coalesce(({missing_to_send}), 'MISSING'), '') END

-- name: queues
-- Of the reply queues of what was found, each once.
queues AS MATERIALIZED (
    SELECT c.reply_queue, {queue_fault} AS fault FROM (SELECT DISTINCT f.reply_queue FROM found AS f) AS c
)

-- name: named
found AS MATERIALIZED (
    SELECT c.*
    FROM jsonb_to_recordset(%(ids)s::jsonb) AS w (domain text, command_id uuid)
    JOIN commandbus.command AS c ON c.domain = w.domain AND c.command_id = w.command_id
)
