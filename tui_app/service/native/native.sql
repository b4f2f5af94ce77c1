-- name: schema
-- One row a key: first as a claim of whoever works on it, then with the answer that is given again.
CREATE TABLE IF NOT EXISTS answer (
    principal TEXT NOT NULL,
    route TEXT NOT NULL,
    item TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    owner TEXT NOT NULL,
    leased_until REAL NOT NULL,
    expires_at REAL NOT NULL,
    status INTEGER,
    body BLOB,
    PRIMARY KEY (principal, route, item, key)
) STRICT, WITHOUT ROWID

-- name: schema_expiry
CREATE INDEX IF NOT EXISTS answer_by_expiry ON answer (expires_at)

-- name: clamp
-- Written while the clock was ahead.
UPDATE answer SET leased_until = min(leased_until, :leased), expires_at = :kept WHERE expires_at > :kept

-- name: expire
DELETE FROM answer WHERE expires_at <= :now

-- name: find
SELECT body_hash, owner, leased_until, status, body
FROM answer
WHERE principal = :principal AND route = :route AND item = :item AND key = :key

-- name: claim
INSERT INTO answer (principal, route, item, key, body_hash, owner, leased_until, expires_at)
VALUES (:principal, :route, :item, :key, :body_hash, :owner, :leased_until, :expires_at)
ON CONFLICT DO UPDATE SET owner = :owner, leased_until = :leased_until, expires_at = :expires_at

-- name: keep
UPDATE answer SET status = :status, body = :body
WHERE principal = :principal AND route = :route AND item = :item AND key = :key AND owner = :owner AND status IS NULL

-- name: release
DELETE FROM answer
WHERE principal = :principal AND route = :route AND item = :item AND key = :key AND owner = :owner AND status IS NULL
