-- Previews: under its own policy an epoch pays what it paid, and under another
-- what run_epoch really pays with it, to the base unit.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(36);

CREATE TABLE pg_temp.variant (policy_id bigint, name text, change jsonb);
INSERT INTO pg_temp.variant VALUES
	(1101, 'bounds of quality', '{"uptime_floor": 0.5, "uptime_target": 0.9, "response_limit_ms": 600, "response_target_ms": 10, "error_limit": 0.7, "error_target": 0.1}'),
	(1102, 'trust', '{"min_beacons": 3, "unattested_trust": 0.25, "location_slack_m": 0}'),
	(1103, 'supply target', '{"supply_target": 90}'),
	(1104, 'coarser grid', '{"grid_order": 3}'),
	(1105, 'finer grid', '{"grid_order": 5, "supply_target": 50}'),
	(1106, 'weights of pools', '{"new_regions_bps": 500, "coverage_gaps_bps": 4000, "resource_types_bps": 100, "network_capacity_bps": 2400, "service_types_bps": 0, "specialization_bps": 3000, "gaps_geographic_bps": 1234}'),
	(1107, 'lower cap', '{"provider_cap_bps": 2200}'),
	(1108, 'no cap', '{"provider_cap_bps": null}'),
	(1109, 'new regions', '{"region_multiplier_max": 9, "freshness_epochs": 2}'),
	(1110, 'prices', '{"price_elasticity": 2, "price_step": 0.5, "price_min": 1.05, "price_max": 1.4}'),
	(1111, 'growth target', '{"growth_target": 17}'),
	(1112, 'alpha', '{"service_alpha": 1}'),
	(1113, 'rules', '{"unpaid_to": "treasury"}'),
	(1114, 'quantile', '{"response_quantile": 0.5}'),
	(1115, 'confidence', '{"error_confidence": 0.7, "error_limit": 0.9}'),
	(1116, 'slot', '{"telemetry_slot": "16 hours", "uptime_floor": 0.3, "uptime_target": 0.9}'),
	(1118, 'emission', '{"emission": 5000007}'),
	(1117, 'everything', '{"uptime_floor": 0.2, "grid_order": 3, "supply_target": 33, "coverage_gaps_bps": 3500, "resource_types_bps": 500, "provider_cap_bps": 4000, "min_beacons": 3, "region_multiplier_max": 2,
		"price_step": 0.25, "growth_target": 100, "service_alpha": 0.3, "response_quantile": 0.8, "error_confidence": 0.9, "telemetry_slot": "2 days"}');

CREATE TABLE pg_temp.result (label text, epoch_id bigint, policy_id bigint, source text, component text, node_id bigint, provider_id bigint, amount numeric, paid numeric, difference numeric);
CREATE FUNCTION pg_temp.preview(k bigint, p bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
BEGIN
	BEGIN
		PERFORM set_config('transaction_read_only', 'on', true);
		SELECT jsonb_agg(to_jsonb(v) || jsonb_build_object('source', 'preview', 'epoch_id', k, 'policy_id', p)) INTO result FROM preview_epoch(k, p) v;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	RETURN coalesce(result, '[]');
END $$;
CREATE FUNCTION pg_temp.compare(label text, seed int, nodes int, change text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v record;
	result jsonb;
	kept jsonb := '[]';
	before bytea;
BEGIN
	BEGIN
		PERFORM pg_temp.build(seed, nodes);
		IF change IS NOT NULL THEN EXECUTE change; END IF;
		INSERT INTO policy SELECT (jsonb_populate_record(p, x.change || jsonb_build_object('policy_id', x.policy_id, 'name', x.name, 'effective_from', NULL))).*
			FROM policy p, pg_temp.variant x WHERE p.policy_id = 1000;
		INSERT INTO specialization SELECT x.policy_id, s.code, s.name, s.service_type, s.metric, s.bound, s.target, s.weight, s.min_samples, false
			FROM specialization s, pg_temp.variant x WHERE s.policy_id = 1000 AND x.name <> 'rules';
		INSERT INTO specialization (policy_id, code, metric, bound, target, weight, min_samples) VALUES
			(1113, 'careful', 'error_rate_upper', 0.9, 0.01, 3, 1), (1115, 'careful', 'error_rate_upper', 0.9, 0.01, 3, 1), (1113, 'median', 'p50_latency_ms', 500, 1, 0.1, 3), (1113, 'tail', 'p99_latency_ms', 500, 1, 0.2, 1);
		-- hardware that is taken out and put back within the last epoch
		UPDATE node SET status = 'left', left_at = '2021-03-07 00:00+00', hardware_id = 'put back' WHERE node_id = 1005;
		DELETE FROM telemetry WHERE node_id = 1005 AND sampled_at >= '2021-03-07 00:00+00';
		INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at)
			SELECT 1905, provider_id, hardware_id, location, service_radius_m, '2021-03-09 00:00+00' FROM node WHERE node_id = 1005;
		INSERT INTO node_resource VALUES (1905, 't_gpu', 10, '(,)');
		INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
			SELECT 1905, d + m * interval '1 hour', 50, true FROM generate_series(timestamptz '2021-03-09 00:00+00', '2021-03-21 00:00+00', '1 day') d, generate_series(0, 20) m;
		FOR k IN 1001 .. 1003 LOOP CALL run_epoch(k); END LOOP;
		-- really
		FOR v IN SELECT x.policy_id FROM pg_temp.variant x LOOP
			BEGIN
				UPDATE epoch SET policy_id = v.policy_id WHERE epoch_id = 1004;
				CALL run_epoch(1004);
				SELECT jsonb_agg(to_jsonb(r) || jsonb_build_object('source', 'real', 'policy_id', v.policy_id)) INTO result FROM reward r WHERE r.epoch_id = 1004;
				RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
			EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
			END;
			kept := kept || coalesce(result, '[]');
		END LOOP;
		CALL run_epoch(1004);
		SELECT jsonb_agg(to_jsonb(r) || jsonb_build_object('source', 'real', 'policy_id', 1000)) INTO result FROM reward r;
		kept := kept || result;
		-- as previewed
		FOR v IN SELECT x.policy_id FROM pg_temp.variant x LOOP
			kept := kept || pg_temp.preview(1004, v.policy_id);
		END LOOP;
		FOR k IN 1001 .. 1004 LOOP kept := kept || pg_temp.preview(k, 1000); END LOOP;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	INSERT INTO pg_temp.result SELECT compare.label, r.epoch_id, r.policy_id, r.source, r.component, r.node_id, r.provider_id, r.amount, r.paid, r.difference
		FROM jsonb_populate_recordset(NULL::pg_temp.result, kept) r;
END $$;
\o /dev/null
INSERT INTO pg_temp.case_option VALUES ('cap', '3000');
SELECT pg_temp.compare('capped', 6, 30);
DELETE FROM pg_temp.case_option;
INSERT INTO pg_temp.case_option VALUES ('baseline', 'no');
SELECT pg_temp.compare('free', 9, 24, 'UPDATE policy SET emission = 123456789, emission_decay = 0.07 WHERE policy_id = 1000; UPDATE epoch SET budget = NULL WHERE epoch_id <> 1002');
DELETE FROM pg_temp.case_option;
ANALYZE pg_temp.result;
\o

CREATE TABLE pg_temp.both AS
SELECT label, epoch_id, policy_id, component, node_id, r.provider_id, r.amount AS real, v.provider_id AS said_provider, v.amount, v.paid, v.difference, o.amount AS own
FROM (SELECT * FROM pg_temp.result WHERE source = 'real') r
	FULL JOIN (SELECT * FROM pg_temp.result WHERE source = 'preview') v USING (label, epoch_id, policy_id, component, node_id)
	LEFT JOIN (SELECT label, epoch_id, component, node_id, amount FROM pg_temp.result WHERE source = 'real' AND policy_id = 1000) o USING (label, epoch_id, component, node_id);
SELECT is_empty($$ SELECT * FROM pg_temp.both WHERE policy_id = 1000 AND (amount, paid, difference, said_provider) IS DISTINCT FROM (real, real, 0, provider_id) $$,
	'under its own policy every epoch pays what it paid');
SELECT is_empty(format($$ SELECT * FROM pg_temp.both WHERE policy_id = %s AND coalesce(amount, 0) <> coalesce(real, 0) $$, v.policy_id), 'previewed as run_epoch pays: ' || v.name)
FROM pg_temp.variant v ORDER BY v.policy_id;
SELECT is_empty($$ SELECT * FROM pg_temp.both WHERE amount IS NOT NULL AND (paid, difference) IS DISTINCT FROM (coalesce(own, 0), amount - coalesce(own, 0)) $$,
	'beside it stands what was paid');
SELECT is_empty($$ SELECT * FROM pg_temp.both WHERE amount IS NULL OR said_provider IS DISTINCT FROM coalesce(provider_id, said_provider) $$, 'nobody who scores under either policy is left out');
-- and all that was put to the test
SELECT is_empty($$ SELECT v.name FROM pg_temp.variant v WHERE (SELECT count(*) FROM pg_temp.both b WHERE b.policy_id = v.policy_id AND b.difference <> 0) < CASE v.name WHEN 'lower cap' THEN 1 ELSE 2 END $$,
	'every other policy pays somebody else than the first');
SELECT is_empty($$ SELECT code FROM component WHERE code NOT IN (SELECT component FROM pg_temp.both WHERE policy_id > 1000 AND difference > 0 AND amount > 0) $$, 'in every component');

-- errors, and what a preview does not need
SELECT is((SELECT provolatile::text FROM pg_proc WHERE proname = 'preview_epoch'), 's', 'preview_epoch is stable');
\o /dev/null
SELECT pg_temp.build(2, 10);
INSERT INTO policy SELECT (jsonb_populate_record(p, x.change || jsonb_build_object('policy_id', x.policy_id, 'name', x.name, 'effective_from', NULL))).*
	FROM policy p, pg_temp.variant x WHERE p.policy_id = 1000;
CALL run_epoch(1001);
CALL run_epoch(1002);
CREATE TABLE pg_temp.earlier AS SELECT v.policy_id, x.* FROM pg_temp.variant v, preview_epoch(1002, v.policy_id) x;
\o
SELECT throws_ok('SELECT preview_epoch(77, 1000)', 'P0002', 'epoch 77 does not exist', 'an unknown epoch');
SELECT throws_ok('SELECT preview_epoch(1003, 1000)', '55000', 'epoch 1003 is planned and has no rewards yet', 'an epoch not computed');
SELECT throws_ok('SELECT preview_epoch(1002, 77)', 'P0002', 'policy 77 does not exist', 'an unknown policy');
SELECT throws_ok('SELECT preview_epoch(1002, NULL)', 'P0002', 'policy <NULL> does not exist', 'no policy');
UPDATE telemetry SET latency_ms = 1 WHERE node_id = 1003;
UPDATE demand SET weight = weight + 1 WHERE demand_id = 1001;
UPDATE region SET boundary = ST_Multi(ST_MakeEnvelope(-10, -5, 10, 5, 4326))::geography WHERE code = 'T00';
UPDATE node SET location = 'POINT(1 1)', provider_id = 1001;
SELECT throws_ok('SELECT preview_epoch(1002, 1114)', '55000', 'telemetry of epoch 1002 is not what it was when the epoch was computed: 1 nodes differ', 'telemetry that has changed, and is to be measured in another way');
SELECT throws_ok('SELECT preview_epoch(1002, 1104)', '55000', 'demand in epoch 1002 is not what it was when the epoch was computed', 'demand that has changed, on another grid');
SELECT throws_ok('SELECT preview_epoch(1002, 1103)', '55000', 'region T00 is not what it was in epoch 1002', 'a boundary that has changed, with another target');
SELECT is_empty($$ SELECT v.policy_id, x.* FROM pg_temp.variant v, preview_epoch(1002, v.policy_id) x WHERE v.policy_id NOT IN (1103, 1104, 1105, 1114, 1115, 1116, 1117)
	EXCEPT SELECT * FROM pg_temp.earlier $$, 'all others preview the same whatever has become of the live tables');
-- the twins of the engine's functions: what cannot have one is refused
CREATE FUNCTION epoch_one(epoch_id bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM epoch_node n WHERE n.epoch_id = $1';
CREATE FUNCTION epoch_two(epoch_id bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM epoch_node n, demand d WHERE n.epoch_id = $1';
CREATE FUNCTION epoch_three(epoch_id bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT epoch_one($1)';
SELECT throws_ok($$ SELECT derive_scenario_function('epoch_two(bigint)') $$, '0A000', NULL, 'a function that reads a live table');
SELECT throws_ok($$ SELECT derive_scenario_function('epoch_three(bigint)') $$, '0A000', NULL, 'a function that calls one without a twin');
SELECT lives_ok($$ SELECT derive_scenario_function('epoch_one(bigint)'), derive_scenario_function('epoch_three(bigint)') $$, 'which is not so when that has one');
SELECT is(epoch_three(1002, s), epoch_three(1002) + 1, 'the twin reads the scenario')
FROM (SELECT ROW(e, p, NULL, NULL, ARRAY[ROW(1002, 1, 1, NULL, NULL, 1, NULL, 0, 1, 1, 1)::scenario_node], NULL, NULL, NULL, NULL, NULL, NULL)::scenario AS s
	FROM epoch e JOIN policy p USING (policy_id) WHERE e.epoch_id = 1002) x;
SELECT * FROM finish();
ROLLBACK;
