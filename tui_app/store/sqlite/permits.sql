-- name: forget
DELETE FROM permit WHERE until < :since;

-- name: clamp
UPDATE permit SET until = :now WHERE until > :latest;

-- name: counted
SELECT items, until FROM permit WHERE system = :system AND until >= :since ORDER BY until;

-- name: grant
INSERT INTO permit (run, chunk, generation, system, items, until)
SELECT number, :chunk, :generation, :system, :items, :until FROM run WHERE id = :run;

-- name: come_back
UPDATE permit SET until = :now
WHERE run = (SELECT number FROM run WHERE id = :run) AND chunk = :chunk AND until > :now;

-- name: return_unused
UPDATE permit SET items = max(0, items - :unused)
WHERE run = (SELECT number FROM run WHERE id = :run) AND chunk = :chunk AND generation = :generation;
