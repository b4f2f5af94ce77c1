-- In whose name a plan is made, as JSON: whoever goes on with it does that in the same name.
ALTER TABLE plan ADD COLUMN maker TEXT;

UPDATE plan SET state = 'failed', holder = NULL, error = 'An older version of quash began it. Make a new plan.'
WHERE state = 'building';
