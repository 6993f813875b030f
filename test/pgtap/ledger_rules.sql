-- The rules of section 7 one by one, on networks changed in one respect.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(29);

-- ramp
SELECT is(ARRAY[ramp(0, 1, 3), ramp(1, 1, 3), ramp(1.5, 1, 3), ramp(3, 1, 3), ramp(9, 1, 3)], ARRAY[0, 0, 0.25, 1, 1]::float8[], 'ramp up');
SELECT is(ARRAY[ramp(9, 3, 1), ramp(3, 3, 1), ramp(1.5, 3, 1), ramp(1, 3, 1), ramp(0, 3, 1)], ARRAY[0, 0, 0.75, 1, 1]::float8[], 'ramp down');
SELECT is(ARRAY[ramp(1, 2, 2), ramp(2, 2, 2), ramp('Infinity', 1, 2), ramp('-Infinity', 1, 2), ramp(NULL, 1, 2)], ARRAY[0, 1, 1, 0, NULL]::float8[], 'ramp: step, infinity, NULL');
SELECT throws_ok($$ SELECT ramp('NaN', 1, 2) $$, '22023', NULL, 'ramp refuses NaN');
SELECT is(exact_numeric(x)::float8, x, 'exact_numeric reads back: ' || x) FROM unnest(ARRAY[0.1, 1e300, 123456789.123456789, 5e-324]::float8[]) x;

-- prices
SELECT is(next_price(1, 2, 1, 1, 0.1, 0.5, 4), 1.1, 'price rises by a step at most');
SELECT is(next_price(1, 1, 2, 1, 0.1, 0.5, 4), 0.9, 'and falls by a step at most');
SELECT is(ARRAY[next_price(1, 0, 0, 1, 0.1, 0.5, 4), next_price(1, 1, 0, 1, 0.1, 0.5, 4), next_price(1, 0, 1, 1, 0.1, 0.5, 4), next_price(1, 0, 1, 0, 0.1, 0.5, 4)],
	ARRAY[1, 1.1, 0.9, 1], 'no demand, no supply, neither, no elasticity');
SELECT is(ARRAY[next_price(3.9, 9, 1, 1, 0.1, 0.5, 4), next_price(0.52, 1, 9, 1, 0.1, 0.5, 4)], ARRAY[4, 0.5], 'prices stay in their range');
SELECT is_empty($$ SELECT p, d, s FROM generate_series(1, 300) i, LATERAL (SELECT trunc((0.3 + 5 * pg_temp.r(1, 'p', i))::numeric, 12) AS p,
	(100 * pg_temp.r(1, 'd', i))::numeric AS d, (100 * pg_temp.r(1, 's', i))::numeric AS s, trunc((0.3 * pg_temp.r(1, 'step', i))::numeric, 12) AS step) x
	WHERE next_price(p, d, s, 0.7, step, 0.001, 1000) NOT BETWEEN p * (1 - step) AND p * (1 + step)
		OR (d > s) <> (next_price(p, d, s, 0.7, step, 0.001, 1000) > p) $$, 'a price never moves by more than a step, and moves the right way');

-- a node whose place is impossible earns nothing, in no component
\o /dev/null
CREATE TABLE pg_temp.seen (what text, epoch_id bigint, key text, value numeric);
SELECT pg_temp.play('liar', 2, 24, $$ UPDATE beacon_rtt SET rtt_ms = 0.01 WHERE node_id = 1004 AND beacon_id = 1000 $$);
SELECT pg_temp.play('honest', 2, 24);
\o
SELECT is((SELECT coalesce(sum(amount), 0) FROM pg_temp.paid WHERE label = 'liar' AND node_id = 1004), 0::numeric, 'an impossible place earns nothing');
SELECT ok((SELECT sum(amount) FROM pg_temp.paid WHERE label = 'honest' AND node_id = 1004) > 0, 'the same node earns where it is possible');

-- leaving and coming back with the same hardware, under another provider and another node, resets nothing
\o /dev/null
CREATE FUNCTION pg_temp.look(epoch bigint) RETURNS void LANGUAGE sql AS $$
	INSERT INTO pg_temp.seen SELECT current_setting('t.label', true), epoch_id, node_id || ' age', age FROM epoch_node WHERE epoch_id = epoch;
	INSERT INTO pg_temp.seen SELECT current_setting('t.label', true), epoch_id, node_id || ' region ' || coalesce(region, ''), contribution FROM epoch_node WHERE epoch_id = epoch;
	INSERT INTO pg_temp.seen SELECT current_setting('t.label', true), epoch_id, node_id || ' mark ' || resource_type, opening_mark FROM epoch_node_resource WHERE epoch_id = epoch $$;
CREATE FUNCTION pg_temp.seen_play(label text, change text) RETURNS SETOF pg_temp.seen LANGUAGE plpgsql AS $$
DECLARE
	kept jsonb;
BEGIN
	PERFORM set_config('t.label', label, true);
	BEGIN
		PERFORM pg_temp.build(7, 16);
		-- node 1002 is there all the time, alone of its provider, and good
		UPDATE node SET provider_id = 1001 WHERE provider_id = 1005;
		UPDATE node SET provider_id = 1005, hardware_id = 'old iron', joined_at = '2021-01-01 00:00+00', left_at = NULL, status = 'active' WHERE node_id = 1002;
		DELETE FROM node_resource WHERE node_id = 1002;
		INSERT INTO node_resource VALUES (1002, 't_gpu', 10, '(,)');
		DELETE FROM telemetry WHERE node_id = 1002;
		INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 1002, d + m * interval '1 hour', 50, true
			FROM generate_series(timestamptz '2021-01-01 00:00+00', '2021-03-21 00:00+00', '1 day') d, generate_series(0, 20) m;
		IF change IS NOT NULL THEN EXECUTE change; END IF;
		FOR k IN 1001 .. 1004 LOOP
			CALL run_epoch(k);
			PERFORM pg_temp.look(k);
		END LOOP;
		INSERT INTO pg_temp.seen SELECT label, epoch_id, node_id || ' score ' || component, score FROM reward;
		SELECT jsonb_agg(to_jsonb(s)) INTO kept FROM pg_temp.seen s WHERE s.what = label;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	INSERT INTO pg_temp.seen SELECT * FROM jsonb_populate_recordset(NULL::pg_temp.seen, kept);
	RETURN;
END $$;
SELECT pg_temp.seen_play('stays', NULL);
SELECT pg_temp.seen_play('returns', $$
	UPDATE node SET status = 'left', left_at = '2021-02-10 00:00+00' WHERE node_id = 1002;
	INSERT INTO provider (provider_id, name) VALUES (1009, 'newcomer');
	INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at)
		SELECT 1502, 1009, hardware_id, location, service_radius_m, '2021-03-02 00:00+00' FROM node WHERE node_id = 1002;
	INSERT INTO node_resource VALUES (1502, 't_gpu', 10, '(,)');
	UPDATE telemetry SET node_id = 1502 WHERE node_id = 1002 AND sampled_at >= '2021-03-02 00:00+00' $$);
SELECT pg_temp.seen_play('same epoch', $$
	UPDATE node SET status = 'left', left_at = '2021-02-15 00:00+00' WHERE node_id = 1002;
	INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at)
		SELECT 1502, 1005, hardware_id, location, service_radius_m, '2021-02-20 00:00+00' FROM node WHERE node_id = 1002;
	INSERT INTO node_resource VALUES (1502, 't_gpu', 10, '(,)');
	UPDATE telemetry SET node_id = 1502 WHERE node_id = 1002 AND sampled_at >= '2021-02-20 00:00+00';
	DELETE FROM telemetry WHERE node_id IN (1002, 1502) AND sampled_at >= '2021-02-15 00:00+00' AND sampled_at < '2021-02-20 00:00+00' $$);
SELECT pg_temp.seen_play('grows', $$
	DELETE FROM node_resource WHERE node_id = 1002;
	INSERT INTO node_resource VALUES (1002, 't_gpu', 10, '(,2021-03-02 00:00+00)'), (1002, 't_gpu', 20, '[2021-03-02 00:00+00,)') $$);
SELECT pg_temp.seen_play('arrives', $$
	UPDATE node SET joined_at = '2021-03-02 00:00+00' WHERE node_id = 1002; DELETE FROM telemetry WHERE node_id = 1002 AND sampled_at < '2021-03-02 00:00+00'; DELETE FROM beacon_rtt WHERE node_id = 1002 $$);
\o
CREATE FUNCTION pg_temp.saw(what text, epoch_id bigint, key text) RETURNS numeric LANGUAGE sql AS
$$ SELECT value FROM pg_temp.seen s WHERE (s.what, s.epoch_id, s.key) = (saw.what, saw.epoch_id, saw.key) $$;
SELECT ok(pg_temp.saw('stays', 1002, '1002 score new_regions') > 0, 'a new node in a region short of coverage scores in new_regions');
SELECT is(pg_temp.saw('stays', 1004, '1002 age'), 3::numeric, 'age counts epochs since the first contribution');
SELECT is(pg_temp.saw('returns', 1004, '1502 age'), 3::numeric, 'hardware that comes back under another provider is as old as it was');
SELECT is(pg_temp.saw('returns', 1004, '1502 mark t_gpu'), pg_temp.saw('stays', 1004, '1002 mark t_gpu'), 'and keeps its high-water mark');
SELECT ok(pg_temp.saw('returns', 1004, '1502 mark t_gpu') = 10, 'which is not zero');
SELECT is(pg_temp.saw('returns', 1004, '1502 score network_capacity'), NULL, 'so it scores nothing in network_capacity for coming back');
SELECT ok(pg_temp.saw('arrives', 1004, '1002 score network_capacity') > 0, 'where new hardware does');
SELECT ok(pg_temp.saw('grows', 1004, '1002 score network_capacity') > 0, 'and so does growth above the mark');
SELECT is(pg_temp.saw('arrives', 1004, '1002 age'), 0::numeric, 'new hardware of a new provider is new');
SELECT is((SELECT sum(value) FROM pg_temp.seen WHERE what = 'same epoch' AND epoch_id = 1003 AND key ~ '^1[05]02 region'), 0::numeric,
	'hardware taken out and put back within an epoch was down in between');
SELECT isnt(pg_temp.saw('stays', 1004, '1002 score new_regions'), NULL, 'freshness lasts for four epochs');
SELECT ok(pg_temp.saw('stays', 1004, '1002 score new_regions') < pg_temp.saw('stays', 1002, '1002 score new_regions'), 'and fades');
SELECT is((SELECT count(*) FROM pg_temp.seen WHERE what = 'stays' AND key LIKE '% region ' AND value > 0), 0::bigint, 'every contributing node has a region in this world');

-- the fair shares of the gap add up to the gap that is filled
\o /dev/null
CREATE TABLE pg_temp.gap (epoch_id bigint, filled float8, shared float8);
SELECT pg_temp.build(11, 30);
CALL run_epoch(1001); CALL run_epoch(1002);
INSERT INTO pg_temp.gap SELECT e.epoch_id,
	coverage_sum(e.demand * coverage_greatest(1 - e.supply / p.supply_target::float8, 0) * coverage_least(e.closing_supply / p.supply_target::float8, 1)),
	(SELECT sum(score) FROM epoch_score(e.epoch_id, 'coverage_gaps', 'geographic'))
	FROM epoch e JOIN policy p USING (policy_id) WHERE e.status = 'computed';
\o
SELECT ok((SELECT bool_and(filled > 0 AND abs(shared / filled - 1) < 1e-9) FROM pg_temp.gap), 'geographic scores add up to the demand of the gap that is served');
SELECT * FROM finish();
ROLLBACK;
