-- Restatement: what a final epoch should have paid, posted in a later one. The
-- oracle is a second world: the same network, in which the corrected inputs were
-- there from the start.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT no_plan();

-- what was paid in the world, restatements included
CREATE VIEW pg_temp.settled AS
SELECT epoch_id, node_id, provider_id, component::text, sum(amount) AS amount
FROM (SELECT epoch_id, node_id, provider_id, component, amount FROM reward
	UNION ALL SELECT epoch_id, node_id, provider_id, component, amount FROM restatement WHERE node_id IS NOT NULL) u
WHERE epoch_id < 1004
GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0;
-- what was paid in another world
CREATE FUNCTION pg_temp.world(which text) RETURNS TABLE (epoch_id bigint, node_id bigint, provider_id bigint, component text, amount numeric) LANGUAGE sql AS
$$ SELECT epoch_id, node_id, provider_id, component, sum(amount) FROM pg_temp.paid WHERE label = which AND epoch_id < 1004
	GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0 $$;
CREATE FUNCTION pg_temp.difference(which text) RETURNS SETOF record LANGUAGE sql AS
$$ (SELECT * FROM pg_temp.settled EXCEPT SELECT * FROM pg_temp.world(which)) UNION ALL (SELECT * FROM pg_temp.world(which) EXCEPT SELECT * FROM pg_temp.settled) $$;
CREATE FUNCTION pg_temp.sealed() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t text;
	h text;
	result text := '';
BEGIN
	FOR t IN SELECT relation FROM sealed_relation() UNION ALL VALUES ('epoch'), ('epoch_seal'), ('node'), ('region'), ('resource_type'), ('service_type'), ('node_resource'), ('resource_demand') LOOP
		EXECUTE format('SELECT md5(string_agg(x::text, '','' ORDER BY x::text COLLATE "C")) FROM %I x', t) INTO h;
		result := result || t || h;
	END LOOP;
	RETURN result;
END $$;

-- corrections: telemetry that came late; a node's true place; a node that was a fraud
CREATE FUNCTION pg_temp.late() RETURNS void LANGUAGE sql AS $$
	UPDATE telemetry SET ok = true, latency_ms = 30 WHERE node_id IN (1003, 1009) AND sampled_at < '2021-02-10';
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
	SELECT 1005, 't_train', d + interval '1 hour', 40, true, 500, 900
	FROM generate_series(timestamptz '2021-02-01 00:00+00', '2021-02-09 00:00+00', '1 day') d $$;
CREATE FUNCTION pg_temp.moved() RETURNS void LANGUAGE sql AS
$$ UPDATE node SET location = 'POINT(12 41)', service_radius_m = 1200000 WHERE node_id = 1006 $$;
CREATE FUNCTION pg_temp.fraud() RETURNS void LANGUAGE sql AS
$$ UPDATE node SET status = 'suspended' WHERE node_id = 1011 $$;
CREATE FUNCTION pg_temp.sold() RETURNS void LANGUAGE sql AS
$$ UPDATE node SET provider_id = CASE provider_id WHEN 1001 THEN 1002 ELSE 1001 END, hardware_id = 'another' WHERE node_id = 1007 $$;

-- who was first where: in the books from an epoch that is not final yet, in truth earlier
SAVEPOINT firsts;
\o /dev/null
SELECT pg_temp.play('whole', 4, 20, NULL, 3);
SELECT pg_temp.build(4, 20);
\o
CREATE TABLE pg_temp.lost AS SELECT node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh FROM telemetry
	WHERE sampled_at < '2021-03-02' AND node_id IN (SELECT node_id FROM node WHERE provider_id = 1001);
DELETE FROM telemetry t USING pg_temp.lost l WHERE (l.node_id, l.sampled_at) = (t.node_id, t.sampled_at);
CALL run_epoch(1001);
CALL run_epoch(1002);
CALL run_epoch(1003);
CALL run_epoch(1004);
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002;
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1003;
SELECT ok(count(*) > 0, 'a provider starts in an epoch that is not final') FROM epoch_first WHERE epoch_id = 1004 AND provider_id = 1001;
INSERT INTO telemetry SELECT * FROM pg_temp.lost;
SELECT isnt(restate_epoch(1001, 'found', '{}'), NULL, 'what was lost is found');
SELECT is_empty($$ SELECT * FROM pg_temp.difference('whole') AS (a bigint, b bigint, c bigint, d text, e numeric) $$, 'and everybody is as old as in truth');
SELECT is(restate_epoch(1002, 'again', '{}'), NULL, 'also from a later epoch on');
ROLLBACK TO firsts;

-- an opening supply that remembers more than the epoch before
SELECT pg_temp.build(4, 20) \g /dev/null
UPDATE policy SET memory_epochs = 3 WHERE policy_id = 1000;
UPDATE node SET left_at = '2021-01-21 00:00+00', status = 'left' WHERE node_id > 1000 AND joined_at < '2021-01-12';
CALL run_epoch(1001);
CALL run_epoch(1002);
CALL run_epoch(1003);
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002;
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1003;
SELECT is(memory_epochs, 3, 'three epochs are remembered') FROM policy WHERE policy_id = 1000;
UPDATE telemetry SET ok = false WHERE sampled_at < '2021-01-21';
SELECT isnt(restate_epoch(1001, 'nobody was there', '{}'), NULL, 'the first is corrected');
SELECT is(restate_epoch(1003, 'again', '{}'), NULL, 'and remembered as corrected two epochs on');
ROLLBACK TO firsts;

\o /dev/null
SELECT pg_temp.play('late', 4, 20, 'SELECT pg_temp.late()', 3);
SELECT pg_temp.play('moved', 4, 20, 'SELECT pg_temp.late(), pg_temp.moved()', 3);
SELECT pg_temp.play('all', 4, 20, 'SELECT pg_temp.late(), pg_temp.moved(), pg_temp.fraud(), pg_temp.sold()', 3);
SELECT pg_temp.build(4, 20);
\o
CALL run_epoch(1001);
CALL run_epoch(1002);
CALL run_epoch(1003);
SELECT throws_ok($$ SELECT restate_epoch(1001, 'x') $$, '55000', NULL, 'an epoch that is not final is not restated');
SELECT throws_ok($$ SELECT restate_epoch(77, 'x') $$, 'P0002', NULL, 'no such epoch');
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002;
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1003;
SELECT throws_ok($$ SELECT restate_epoch(1001, E' \n') $$, '22023', NULL, 'a reason is wanted');
SELECT throws_ok($$ SELECT restate_epoch(1001, NULL) $$, '22023', NULL, 'NULL is none');
SELECT throws_ok($$ SELECT restate_epoch(1001, 'x', '{1005,4711}') $$, 'P0002', 'node 4711 does not exist', 'no such node');
SELECT throws_ok($$ SELECT restate_epoch(1001, 'x', '{NULL}') $$, '22004', NULL, 'no node');

-- nothing has changed: the same bits, nothing to post
CREATE TABLE pg_temp.before AS SELECT pg_temp.sealed() AS rows;
SELECT results_eq($$ SELECT epoch, relation, corrected_row #>> '{}' FROM preview_restatement(1001) $$,
	$$ SELECT epoch_id, 'epoch', encode(digest, 'hex') FROM epoch WHERE epoch_id = 1003 $$, 'without corrections all epochs come out bit for bit');
SELECT is(restate_epoch(1001, 'nothing'), NULL, 'and nothing is posted');
SELECT is_empty('SELECT FROM restatement_run', 'not even an empty run');
SELECT ok(pg_temp.sealed() = rows, 'nothing is left behind') FROM pg_temp.before;

-- what the network lays down later is not applied to the past
SAVEPOINT rules;
UPDATE resource_type SET unit_value = unit_value * 3, growth_need = 1, initial_price = 7;
UPDATE service_type SET premium = premium + 5;
UPDATE region SET target_fraction = 0.2;
INSERT INTO region (code, name, boundary) SELECT 'U' || node_id, 'new', ST_Multi(ST_Expand(location::geometry, 0.5))::geography
	FROM node WHERE abs(ST_Y(location::geometry)) < 80 AND abs(ST_X(location::geometry)) < 170 AND node_id % 3 = 0;
INSERT INTO resource_demand (region, resource_type, units) SELECT code, 't_gpu', 50 FROM region WHERE code LIKE 'U%';
INSERT INTO resource_type (code, unit, unit_value) VALUES ('t_new', 'x', 100);
INSERT INTO node_resource (node_id, resource_type, units, valid) SELECT node_id, 't_new', 5, '(,)' FROM node WHERE node_id > 1000;
INSERT INTO resource_demand (region, resource_type, units) SELECT code, 't_new', 50 FROM region WHERE code LIKE 'T%';
INSERT INTO service_type (code, premium) VALUES ('t_new', 100);
SELECT results_eq($$ SELECT epoch, relation, corrected_row #>> '{}' FROM preview_restatement(1001) $$,
	$$ SELECT epoch_id, 'epoch', encode(digest, 'hex') FROM epoch WHERE epoch_id = 1003 $$, 'new rules, regions and kinds of resource change nothing of the past');
ROLLBACK TO rules;

-- telemetry that came late
SELECT pg_temp.late() \g /dev/null
UPDATE pg_temp.before SET rows = pg_temp.sealed();
SELECT ok(count(*) > 20, 'a preview') FROM preview_restatement(1001) WHERE amount IS NOT NULL;
SELECT is_empty('SELECT FROM restatement_run', 'posts nothing');
SELECT isnt(restate_epoch(1001, 'late telemetry'), NULL, 'late telemetry is posted');
SELECT max(run_id) AS first FROM restatement_run \gset
SELECT is_empty($$ SELECT * FROM pg_temp.difference('late') AS (a bigint, b bigint, c bigint, d text, e numeric) $$,
	'reward and restatement together are what the right inputs would have paid, in every epoch');
SELECT ok(count(DISTINCT epoch_id) >= 2 AND bool_or(amount < 0) AND bool_or(amount > 0), 'both signs, several epochs') FROM restatement;
SELECT ok(regexp_replace(pg_temp.sealed(), 'epoch[0-9a-f]{32}epoch_seal', '') = regexp_replace(rows, 'epoch[0-9a-f]{32}epoch_seal', ''), 'nothing final has changed') FROM pg_temp.before;
SELECT is_empty('SELECT e.epoch_id, v.* FROM epoch e, verify_epoch(e.epoch_id) v WHERE e.epoch_id < 1004 AND NOT v.ok', 'and all verifies');
SELECT is_empty(format('SELECT * FROM verify_restatement(%s) WHERE NOT ok', :first), 'so does the restatement');
SELECT is((SELECT encode(digest, 'hex') FROM restatement_run ORDER BY run_id LIMIT 1), (SELECT max(encode(digest, 'hex')) FROM pg_temp.pool WHERE label = 'late' AND epoch_id = 1003),
	'its digest is that of the other world');
SELECT is_empty('SELECT FROM restatement GROUP BY run_id, epoch_id, component HAVING sum(amount) <> 0', 'the lines of each pool add up to zero');
SELECT results_eq('SELECT epoch_id, component::text COLLATE "C", sum(amount) FROM (SELECT epoch_id, component, budget - paid AS amount FROM epoch_pool WHERE epoch_id < 1004
		UNION ALL SELECT epoch_id, component, amount FROM restatement WHERE node_id IS NULL) u GROUP BY 1, 2 ORDER BY 1, 2',
	$$ SELECT epoch_id, component COLLATE "C", budget - paid FROM pg_temp.pool WHERE label = 'late' AND epoch_id < 1004 ORDER BY 1, 2 $$, 'the treasury has what it should have');
SELECT ok(count(*) > 0 AND bool_and(original <> corrected), 'the inputs that changed are told') FROM restatement_input
	WHERE relation = 'epoch_node' AND original ->> 'node_id' IN ('1003', '1009') AND original ->> 'response_ms' <> corrected ->> 'response_ms';
SELECT is((SELECT sum((corrected ->> 'work')::numeric - coalesce((original ->> 'work')::numeric, 0)) FROM restatement_input
	WHERE relation = 'epoch_node_service' AND corrected ->> 'node_id' = '1005' AND corrected ->> 'service_type' = 't_train'),
	(SELECT sum(work)::numeric FROM telemetry WHERE node_id = 1005 AND work = 500 AND sampled_at >= (SELECT joined_at FROM node WHERE node_id = 1005)), 'to the figure');
SELECT results_eq('SELECT provider_id, restated FROM provider_statement WHERE epoch_id = 1004 ORDER BY 1',
	'SELECT provider_id, sum(amount) FROM restatement WHERE provider_id IS NOT NULL GROUP BY 1 ORDER BY 1', 'the statements of the current epoch show it');
SELECT is(restate_epoch(1001, 'again'), NULL, 'a second call posts nothing');
SELECT is(restate_epoch(1002, 'again', nodes), NULL, 'nor does one that starts later, from the corrected state') FROM (VALUES (NULL), ('{}'::bigint[])) v (nodes);
SELECT is(restate_epoch(1003, 'again'), NULL, 'or later still');

-- nodes
SELECT pg_temp.moved(), pg_temp.fraud(), pg_temp.sold() \g /dev/null
SELECT is(restate_epoch(1001, 'no node', '{}'), NULL, 'nodes that moved or were sold do not matter where only telemetry was corrected');
SELECT ok(restate_epoch(1001, 'true place', '{1006}') > :first, 'one node is corrected');
SELECT is_empty($$ SELECT * FROM pg_temp.difference('moved') AS (a bigint, b bigint, c bigint, d text, e numeric) $$, 'that one and no other');
SELECT ok(restate_epoch(1001, 'fraud, and a sale') > :first + 1, 'all nodes as they are now');
SELECT is_empty($$ SELECT * FROM pg_temp.difference('all') AS (a bigint, b bigint, c bigint, d text, e numeric) $$, 'are what the right inputs would have paid');
SELECT is(restate_epoch(e, 'again', nodes), NULL, 'corrected nodes stay corrected') FROM (VALUES (1001, '{}'::bigint[]), (1002, '{}'), (1002, NULL), (1003, NULL)) v (e, nodes);
SELECT is((SELECT sum(amount) FROM pg_temp.settled WHERE node_id = 1011), NULL, 'a fraud has nothing left');
SELECT ok(bool_or(posted_before <> 0), 'a later run knows the earlier ones') FROM restatement;
SELECT is_empty('SELECT v.* FROM restatement_run r, verify_restatement(r.run_id) v WHERE NOT v.ok', 'all runs verify');

-- a correction that was none: everything comes back
UPDATE node SET location = o.location, service_radius_m = o.service_radius_m, provider_id = o.provider_id, hardware_id = o.hardware_id, status = 'active'
FROM epoch_node o WHERE o.epoch_id = 1003 AND o.node_id = node.node_id AND node.node_id IN (1006, 1007, 1011);
SELECT ok(restate_epoch(1001, 'a mistake') > :first + 2, 'undone');
SELECT is_empty($$ SELECT * FROM pg_temp.difference('late') AS (a bigint, b bigint, c bigint, d text, e numeric) $$, 'to the unit');

-- telemetry that is not there any more
SAVEPOINT gone;
DELETE FROM telemetry WHERE sampled_at < '2021-02-10';
SELECT throws_ok($$ SELECT restate_epoch(1002, 'x') $$, '55000', NULL, 'an epoch whose telemetry was deleted is not restated');
ROLLBACK TO gone;
DO $$ DECLARE t text; BEGIN
	FOR t IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent IN ('telemetry'::regclass, 'telemetry_hour'::regclass) LOOP
		EXECUTE format('DROP TABLE %I', t);
	END LOOP;
END $$;
SELECT throws_like($$ SELECT restate_epoch(1003, 'x') $$, '%no telemetry any more for {["2021-02-10%', 'nor one whose partitions were dropped');
ROLLBACK TO gone;

SELECT roll_telemetry_hours() \g /dev/null
DO $$ DECLARE t text; BEGIN
	FOR t IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'telemetry'::regclass LOOP
		EXECUTE format('DROP TABLE %I', t);
	END LOOP;
END $$;
SELECT is_empty($$ SELECT relation, amount FROM preview_restatement(1003, '{}') WHERE relation <> 'epoch' AND amount IS NOT NULL $$, 'but hourly summaries do as well');
ROLLBACK TO gone;

-- what is posted stays
SELECT unnest(ARRAY[throws_ok('UPDATE ' || t || ' SET run_id = run_id', '23001', NULL, 'cannot change ' || t),
	throws_ok('DELETE FROM ' || t, CASE t WHEN 'restatement_run' THEN '23503' ELSE '23001' END, NULL, 'cannot delete from ' || t),
	throws_ok('TRUNCATE ' || t || ' CASCADE', '23001', NULL, 'cannot truncate ' || t)])
FROM unnest(ARRAY['restatement_run', 'restatement', 'restatement_input']) t;
SELECT throws_ok(format('INSERT INTO restatement (run_id, epoch_id, posted_epoch_id, node_id, provider_id, component, original, posted_before, corrected, amount)
	VALUES (%s, 1002, 1004, 1001, (SELECT provider_id FROM node WHERE node_id = 1001), ''specialization'', 0, 0, 5, 5)', :first), '23001', NULL, 'cannot add a line');
SELECT throws_ok($$ INSERT INTO restatement_run (epoch_id, last_epoch_id, posted_epoch_id, reason, line_count, input_count, digest)
	VALUES (1001, 1003, 1004, 'x', 1, 0, sha256('')) $$, '23001', NULL, 'cannot add a run');
SELECT throws_ok($$ WITH a AS (INSERT INTO restatement_run (run_id, epoch_id, last_epoch_id, posted_epoch_id, reason, line_count, input_count, digest)
		VALUES (9999, 1001, 1003, 1004, 'x', 1, 0, sha256('')) RETURNING run_id), b AS (UPDATE epoch SET restatements = restatements + 1 WHERE epoch_id = 1004)
	INSERT INTO restatement (run_id, epoch_id, posted_epoch_id, node_id, provider_id, component, original, posted_before, corrected, amount)
	SELECT run_id, 1002, 1004, 1001, (SELECT provider_id FROM node WHERE node_id = 1001), 'specialization', 0, 0, 5, 5 FROM a $$,
	'23514', NULL, 'nor money from nowhere: lines must balance');

-- a current epoch that is computed already keeps its result; its statements have the lines when it is final
CALL run_epoch(1004);
CREATE TABLE pg_temp.current AS SELECT digest FROM epoch WHERE epoch_id = 1004;
SELECT pg_temp.moved() \g /dev/null
SELECT isnt(restate_epoch(1002, 'place', '{1006}'), NULL, 'a correction while the current epoch is computed already');
SELECT is((SELECT posted_epoch_id FROM restatement_run ORDER BY run_id DESC LIMIT 1), 1004::bigint, 'is posted in it');
CALL run_epoch(1004);
SELECT throws_ok('UPDATE epoch SET restatements = 0, status = ''final'', final_at = now() WHERE epoch_id = 1004', '23514', NULL, 'none is lost on the way');
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1004;
SELECT is_empty('SELECT * FROM verify_epoch(1004) WHERE NOT ok', 'which is recomputed and becomes final with them');
SELECT results_eq('SELECT provider_id, earned, restated, total FROM final_statement WHERE epoch_id = 1004 ORDER BY 1',
	'SELECT provider_id, earned, restated, total FROM provider_statement WHERE epoch_id = 1004 ORDER BY 1', 'its final statements are those');
SELECT ok(bool_or(restated <> 0), 'with restatements') FROM final_statement;
SELECT throws_ok($$ SELECT restate_epoch(1001, 'x', '{}') $$, '55000', NULL, 'all are final: there is nowhere to post');
SELECT throws_ok('UPDATE final_statement SET earned = earned + 1', '23001', NULL, 'a final statement stays');
SELECT throws_ok('DELETE FROM final_statement', '23001', NULL, 'in place');
SELECT throws_ok('TRUNCATE final_statement CASCADE', '23001', NULL, 'for good');
INSERT INTO provider (provider_id, name) VALUES (7777, 'late comer');
SELECT throws_ok('INSERT INTO final_statement (epoch_id, provider_id, earned, restated) VALUES (1004, 7777, 5, 0)', '23001', NULL, 'none is added');
SELECT throws_ok('UPDATE epoch SET restatements = restatements + 1 WHERE epoch_id = 1004', '23001', NULL, 'nor may a final epoch have more restatements');

-- least privilege
CREATE ROLE restate_nobody;
GRANT USAGE ON SCHEMA swarm_reward TO restate_nobody;
SET LOCAL ROLE restate_nobody;
SELECT throws_ok('SELECT * FROM swarm_reward.recompute_final(1001, NULL)', '42501', NULL, 'not for everybody');
SELECT throws_ok('SET session_replication_role = replica', '42501', NULL, 'nor what it does');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
