-- Resources that a stay never had, as they begin after it ended, change nothing: no amount, and not how new it is who goes on in its place.
\set ON_ERROR_STOP 1
BEGIN;
SET search_path = swarm_reward, public;
SELECT plan(3);
\ir small.psql
-- node 5 was followed by node 6, of the same hardware at the same place, with as many units; in March it gives some of them up
UPDATE policy SET maturity = '10 days' WHERE name = 'p';
UPDATE node_resource SET units = 5, valid = '(,2024-03-20)' WHERE node_id = 6;
UPDATE node_resource SET valid = '(,2024-03-01)' WHERE node_id = 5;
INSERT INTO node_resource VALUES (5, 'cpu', 8), (6, 'cpu', 8);
CREATE TEMP TABLE march (stray boolean, freshness float8, amount numeric);
CREATE FUNCTION pg_temp.march(stray boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	m record;
BEGIN
	BEGIN
		IF stray THEN INSERT INTO node_resource VALUES (5, 'gpu', 8, '[2024-03-10,)'); END IF;
		FOR k IN 1 .. 3 LOOP CALL run_epoch(k); END LOOP;
		SELECT n.freshness, (SELECT sum(r.amount) FROM reward r WHERE r.epoch_id = 3 AND r.node_id = 6) AS amount INTO m FROM epoch_node n WHERE n.epoch_id = 3 AND n.node_id = 6;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	INSERT INTO march VALUES (stray, m.freshness, m.amount);
END $$;
SELECT pg_temp.march(false), pg_temp.march(true) \g /dev/null
-- from 5 February: 25 days on 1 March, 55 on 31 March
SELECT is(round(freshness::numeric, 12), round(1 - 40 / 180.0, 12), 'as many units as before are as new as the stay before') FROM march WHERE NOT stray;
SELECT is((SELECT freshness FROM march WHERE stray), (SELECT freshness FROM march WHERE NOT stray), 'a resource that begins after its stay ended changes nobody''s freshness');
SELECT is((SELECT amount FROM march WHERE stray), (SELECT amount FROM march WHERE NOT stray), 'nor what anybody is paid');
SELECT * FROM finish();
ROLLBACK;
