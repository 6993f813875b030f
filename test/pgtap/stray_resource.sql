-- Resources that a stay never had, as they begin after it ended, change nothing: no amount, and not how new anybody is.
\set ON_ERROR_STOP 1
BEGIN;
SET search_path = swarm_reward, public;
SELECT plan(3);
\ir small.psql
-- node 5 is at its place alone, from 5 to 20 February, and gives some of its units up on the way
UPDATE node SET location = 'POINT(-80 40)' WHERE node_id = 6;
UPDATE node_resource SET valid = '(,2024-02-15)' WHERE node_id = 5;
INSERT INTO node_resource VALUES (5, 'cpu', 8);
CREATE TEMP TABLE february (stray boolean, freshness float8, amount numeric);
CREATE FUNCTION pg_temp.february(stray boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	m record;
BEGIN
	BEGIN
		IF stray THEN INSERT INTO node_resource VALUES (5, 'gpu', 8, '[2024-02-25,)'); END IF;
		FOR k IN 1 .. 2 LOOP CALL run_epoch(k); END LOOP;
		SELECT n.freshness, (SELECT sum(r.amount) FROM reward r WHERE r.epoch_id = 2 AND r.node_id = 5) AS amount INTO m FROM epoch_node n WHERE n.epoch_id = 2 AND n.node_id = 5;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	INSERT INTO february VALUES (stray, m.freshness, m.amount);
END $$;
SELECT pg_temp.february(false), pg_temp.february(true) \g /dev/null
SELECT is(round(freshness::numeric, 12), round(1 - 7.5 / 180, 12), 'as many units as before, or less, are as new as the stay') FROM february WHERE NOT stray;
SELECT is((SELECT freshness FROM february WHERE stray), (SELECT freshness FROM february WHERE NOT stray), 'a resource that begins after its stay ended changes nobody''s freshness');
SELECT is((SELECT amount FROM february WHERE stray), (SELECT amount FROM february WHERE NOT stray), 'nor what anybody is paid');
SELECT * FROM finish();
ROLLBACK;
