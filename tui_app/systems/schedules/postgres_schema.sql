-- name: made
SELECT to_regclass('scheduler.meta') IS NOT NULL

-- name: alone
-- Two that open a new database at once make it once. The number is that of this schema, and of nothing else of ours.
SELECT pg_advisory_xact_lock(7305712043)

-- name: make
CREATE SCHEMA IF NOT EXISTS scheduler;

CREATE TABLE IF NOT EXISTS scheduler.post (
    id text COLLATE "C" PRIMARY KEY,
    owner_id text NOT NULL,
    title text NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS scheduler.post_variant (
    id text COLLATE "C" PRIMARY KEY,
    post_id text COLLATE "C" NOT NULL REFERENCES scheduler.post,
    channel_id text NOT NULL,
    content text NOT NULL
);

CREATE TABLE IF NOT EXISTS scheduler.channel_connection (
    id text COLLATE "C" PRIMARY KEY,
    channel_id text NOT NULL,
    display_name text NOT NULL
);

-- Owner and channel are those of the post and of the connection: a table that is ordered by them needs an index.
-- `send_at` is when its message is due to be sent, `confirmed` whether the broker has said that it keeps one.
CREATE TABLE IF NOT EXISTS scheduler.schedule (
    id text COLLATE "C" PRIMARY KEY,
    post_variant_id text COLLATE "C" NOT NULL REFERENCES scheduler.post_variant,
    channel_connection_id text COLLATE "C" NOT NULL REFERENCES scheduler.channel_connection,
    post_id text COLLATE "C" NOT NULL REFERENCES scheduler.post,
    owner text NOT NULL,
    channel text NOT NULL,
    run_at timestamptz NOT NULL,
    timezone text NOT NULL,
    run_at_local timestamp NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'queued', 'publishing', 'success', 'failed', 'cancelled')),
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    claimed_at timestamptz,
    published_at timestamptz,
    cancelled_at timestamptz,
    cancellation_reason text,
    send_at timestamptz NOT NULL DEFAULT 'epoch',
    confirmed boolean NOT NULL DEFAULT false,
    revision bigint NOT NULL DEFAULT 1
);

CREATE INDEX IF NOT EXISTS schedule_by_run_at ON scheduler.schedule (run_at, id);
CREATE INDEX IF NOT EXISTS schedule_by_updated ON scheduler.schedule (updated_at, id);
CREATE INDEX IF NOT EXISTS schedule_by_status ON scheduler.schedule (status, run_at, id);
CREATE INDEX IF NOT EXISTS schedule_by_post ON scheduler.schedule (post_id, id);
CREATE INDEX IF NOT EXISTS schedule_by_connection ON scheduler.schedule (channel_connection_id);
CREATE INDEX IF NOT EXISTS waiting_by_run_at ON scheduler.schedule (run_at, id) WHERE status IN ('pending', 'queued');
CREATE INDEX IF NOT EXISTS waiting_by_channel ON scheduler.schedule (channel, id) WHERE status IN ('pending', 'queued');
CREATE INDEX IF NOT EXISTS waiting_by_owner ON scheduler.schedule (owner, id) WHERE status IN ('pending', 'queued');
CREATE INDEX IF NOT EXISTS waiting_by_updated ON scheduler.schedule (updated_at, id)
    WHERE status IN ('pending', 'queued');
CREATE INDEX IF NOT EXISTS to_be_sent ON scheduler.schedule (send_at) WHERE status = 'queued';

CREATE TABLE IF NOT EXISTS scheduler.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    event text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    principal text,
    details jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_by_id ON scheduler.audit (id, audit_id);

-- What went out. Nothing here keeps a post from going out twice: no real channel does.
CREATE TABLE IF NOT EXISTS scheduler.outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    channel text NOT NULL,
    content text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS outbox_by_schedule ON scheduler.outbox (schedule_id, attempt);

-- Bulk requests of each principal, as long as they count against the limit of the profile.
CREATE TABLE IF NOT EXISTS scheduler.request (
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    principal text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS request_by_principal ON scheduler.request (principal, at);

CREATE OR REPLACE FUNCTION scheduler.post_changed_hands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE scheduler.schedule SET owner = new.owner_id WHERE post_id = new.id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION scheduler.connection_renamed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE scheduler.schedule SET channel = new.display_name WHERE channel_connection_id = new.id;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER post_changed_hands AFTER UPDATE OF owner_id ON scheduler.post
    FOR EACH ROW EXECUTE FUNCTION scheduler.post_changed_hands();
CREATE OR REPLACE TRIGGER connection_renamed AFTER UPDATE OF display_name ON scheduler.channel_connection
    FOR EACH ROW EXECUTE FUNCTION scheduler.connection_renamed();

CREATE TABLE IF NOT EXISTS scheduler.meta (version integer PRIMARY KEY);
INSERT INTO scheduler.meta (version) VALUES (1) ON CONFLICT DO NOTHING
