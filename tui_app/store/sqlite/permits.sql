-- name: forget
-- One of this start of the host is old by the clock that nobody sets: the other may have been set forward.
DELETE FROM permit WHERE until < :since AND (boot IS NOT :boot OR steady < :steady_since);

-- name: clamp
UPDATE permit SET until = :now WHERE until > :latest;

-- name: counted
-- Those of this start of the host by the clock that nobody sets, which their `steady` tells; others by their moment.
SELECT items, until, steady FROM permit WHERE system = :system AND boot = :boot AND steady >= :steady_since
UNION ALL
SELECT items, until, NULL FROM permit WHERE system = :system AND boot IS NOT :boot AND until >= :since;

-- name: grant
INSERT INTO permit (run, chunk, generation, system, items, until, steady, boot)
SELECT number, :chunk, :generation, :system, :items, :until, :steady, :boot FROM run WHERE id = :run;

-- name: come_back
UPDATE permit SET until = :now, steady = :steady, boot = :boot
WHERE run = (SELECT number FROM run WHERE id = :run) AND chunk = :chunk
  AND CASE WHEN boot = :boot THEN steady > :steady ELSE until > :now END;

-- name: return_unused
UPDATE permit SET items = max(0, items - :unused)
WHERE run = (SELECT number FROM run WHERE id = :run) AND chunk = :chunk AND generation = :generation;
