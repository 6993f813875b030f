-- A simulated node gets what a real one does: generated nodes are added to
-- generated networks, the epoch is computed again, and every score and every
-- amount must be the same as simulate_node said without them.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(36);

CREATE TABLE pg_temp.pair (label text, i int, source text, component text, amount numeric, score numeric);

-- A node through all of epoch 1004. The first 14 are of a kind that follows from
-- i, at a place that follows from seed and i; those after them are images of
-- nodes that are there, so that remainders tie, from 30 on by a new provider.
CREATE FUNCTION pg_temp.add_node(seed int, i int, OUT provider bigint, OUT hardware text, OUT location geography, OUT radius float8, OUT resources jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	model node;
BEGIN
	IF i < 14 THEN
		provider := CASE i % 4 WHEN 0 THEN NULL ELSE 1001 + i % 5 END;
		-- hardware that left before the epoch, where it was or elsewhere; or new hardware; or none
		IF i % 3 = 1 THEN
			SELECT * INTO model FROM node n WHERE n.hardware_id IS NOT NULL AND n.left_at <= '2021-03-02 00:00+00' ORDER BY md5(n.hardware_id || i) LIMIT 1;
		ELSIF i % 6 = 0 THEN
			SELECT * INTO model FROM node n WHERE n.node_id = 1003 + i;
		END IF;
		hardware := CASE i % 3 WHEN 1 THEN model.hardware_id WHEN 2 THEN 'new hardware' END;
		location := coalesce(CASE WHEN i <> 4 THEN model.location END, ST_MakePoint(-180 + 360 * pg_temp.r(seed, 'simlon', i), -70 + 140 * pg_temp.r(seed, 'simlat', i))::geography);
		radius := coalesce(model.service_radius_m, 100000 + 2000000 * pg_temp.r(seed, 'simrad', i));
		resources := CASE i % 5 WHEN 0 THEN '{}' WHEN 1 THEN '{"t_gpu": 12.5}' WHEN 2 THEN '{"t_gpu": 0.123456789, "t_disk": 100, "t_cpu": 64}' ELSE '{"t_cpu": 30, "t_gpu": 8}' END;
	ELSE
		SELECT n.* INTO model FROM node n JOIN epoch_node f ON (f.epoch_id, f.node_id) = (1004, n.node_id)
		WHERE n.left_at IS NULL AND f.contribution > 0 ORDER BY f.contribution DESC OFFSET CASE WHEN i < 30 THEN i - 14 ELSE i - 30 END LIMIT 1;
		provider := CASE WHEN i < 30 THEN model.provider_id END;
		hardware := CASE WHEN model.hardware_id IS NOT NULL THEN 'new hardware' END;
		location := model.location;
		radius := model.service_radius_m;
		SELECT coalesce(jsonb_object_agg(r.resource_type, r.units), '{}') INTO resources FROM node_resource r WHERE r.node_id = model.node_id AND upper_inf(r.valid);
	END IF;
	IF provider IS NULL THEN INSERT INTO provider (provider_id, name) VALUES (1006, 'a newcomer'); END IF;
	INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at)
		VALUES (5000, coalesce(provider, 1006), hardware, location, radius, '2021-03-02 00:00+00');
	INSERT INTO node_resource SELECT 5000, x.key, x.value::text::numeric, '(,)' FROM jsonb_each(resources) x;
	INSERT INTO beacon_rtt SELECT 5000, b.beacon_id, '2021-03-05 00:00+00', 5 + ST_Distance(location, b.location) / 100000 FROM beacon b;
	IF i < 14 THEN
		INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
			SELECT 5000, d + m * interval '1 hour', CASE WHEN i % 2 = 0 THEN 50 ELSE 50 + 300 * pg_temp.r(seed, 'simlat', i + m) END, i % 7 <> 5 OR m <> 3
			FROM generate_series(timestamptz '2021-03-02 00:00+00', '2021-03-21 00:00+00', '1 day') d, generate_series(0, 20) m;
		INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
			SELECT 5000, s, d + interval '30 minutes', 40 + 20 * pg_temp.r(seed, 'simserve', i), true, 10 + i, 300
			FROM generate_series(timestamptz '2021-03-02 00:00+00', '2021-03-21 00:00+00', '3 days') d, unnest(ARRAY['t_infer', 't_train']) s
			WHERE i % 3 > 0 AND (s = 't_infer' OR i % 2 = 0);
	ELSE
		INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
			SELECT 5000, t.service_type, t.sampled_at, t.latency_ms, t.ok, t.work, t.energy_mwh FROM telemetry t WHERE t.node_id = model.node_id AND t.sampled_at >= '2021-03-02 00:00+00';
	END IF;
END $$;

CREATE FUNCTION pg_temp.compare(label text, seed int, nodes int, cases int[], change text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	made record;
	quality numeric;
	services jsonb;
	result jsonb;
	kept jsonb := '[]';
	i int;
BEGIN
	BEGIN
		PERFORM pg_temp.build(seed, nodes);
		IF change IS NOT NULL THEN EXECUTE change; END IF;
		FOR k IN 1001 .. 1004 LOOP CALL run_epoch(k); END LOOP;
		FOREACH i IN ARRAY cases LOOP
			BEGIN
				made := pg_temp.add_node(seed, i);
				CALL run_epoch(1004);
				SELECT n.quality INTO quality FROM epoch_node n WHERE (n.epoch_id, n.node_id) = (1004, 5000);
				SELECT coalesce(jsonb_object_agg(s.service_type, jsonb_build_object('work', s.work, 'samples', s.samples, 'energy_mwh', s.energy_mwh, 'p50_latency_ms', s.p50_latency_ms,
					'p95_latency_ms', s.p95_latency_ms, 'p99_latency_ms', s.p99_latency_ms, 'error_rate_upper', s.error_rate_upper)), '{}') INTO services
				FROM epoch_node_service s WHERE (s.epoch_id, s.node_id) = (1004, 5000);
				SELECT jsonb_agg(jsonb_build_object('label', label, 'i', i, 'source', 'real', 'component', c.code, 'amount', coalesce(r.amount, 0), 'score', coalesce(r.score, 0))) INTO result
				FROM component c LEFT JOIN reward r ON (r.epoch_id, r.node_id, r.component) = (1004, 5000, c.code);
				RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
			EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
			END;
			kept := kept || result;
			BEGIN
				PERFORM set_config('transaction_read_only', 'on', true);
				SELECT jsonb_agg(jsonb_build_object('label', label, 'i', i, 'source', 'simulated', 'component', s.component, 'amount', s.amount, 'score', s.score)) INTO result
				FROM simulate_node(made.location, made.radius, made.resources, quality, services, made.provider, made.hardware) s;
				RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
			EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
			END;
			kept := kept || result;
		END LOOP;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	INSERT INTO pg_temp.pair SELECT * FROM jsonb_populate_recordset(NULL::pg_temp.pair, kept);
END $$;

\o /dev/null
SELECT pg_temp.compare('free', 5, 24, ARRAY(SELECT generate_series(0, 23)));
INSERT INTO pg_temp.case_option VALUES ('cap', '3000');
SELECT pg_temp.compare('capped', 8, 20, ARRAY(SELECT generate_series(0, 19)), $$ UPDATE region SET boundary = ST_Multi(ST_MakeEnvelope(-180, 89, -179, 90, 4326))::geography WHERE code IN ('T01', 'T21') $$);
DELETE FROM pg_temp.case_option;
INSERT INTO pg_temp.case_option VALUES ('cap', '9000');
-- two providers with a node each that are equal: ties among providers
SELECT pg_temp.compare('twins ' || seed, seed, 1, '{30}', $$
	UPDATE node SET status = 'active', left_at = NULL, hardware_id = NULL;
	DELETE FROM telemetry WHERE service_type IS NULL;
	INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 1001, d + m * interval '1 hour', 50, true
		FROM generate_series(timestamptz '2021-02-20 00:00+00', '2021-03-21 00:00+00', '1 day') d, generate_series(0, 20) m;
	DELETE FROM node_resource;
	INSERT INTO node_resource VALUES (1001, 't_gpu', 7, '(,)'), (1001, 't_cpu', 11, '(,)') $$) FROM generate_series(1, 4) seed;
DELETE FROM pg_temp.case_option;
SELECT pg_temp.compare('alone', 1, 0, '{0,1,2}');
\o
SELECT is_empty(format($$ SELECT r.label, r.i, r.amount, s.amount, r.score, s.score FROM pg_temp.pair r FULL JOIN pg_temp.pair s USING (label, i, component)
	WHERE r.source = 'real' AND s.source = 'simulated' AND component = %L AND (r.amount, r.score) IS DISTINCT FROM (s.amount, s.score) $$, c.code),
	'simulated like a real node: ' || c.code) FROM component c ORDER BY c.position;
SELECT is_empty($$ SELECT label, i, sum(amount) FILTER (WHERE component = 'total'), sum(amount) FILTER (WHERE component <> 'total') FROM pg_temp.pair WHERE source = 'simulated'
	GROUP BY 1, 2 HAVING sum(amount) FILTER (WHERE component = 'total') IS DISTINCT FROM sum(amount) FILTER (WHERE component <> 'total') OR count(*) <> 7 $$, 'six components and their total');
SELECT is((SELECT count(*) FROM pg_temp.pair WHERE component <> 'total' GROUP BY source HAVING source = 'simulated'), 51 * 6::bigint, 'every case was simulated');
SELECT is_empty($$ SELECT c.code FROM component c LEFT JOIN pg_temp.pair p ON p.component = c.code AND p.source = 'real' GROUP BY 1 HAVING count(*) FILTER (WHERE p.amount > 0) < 4 OR count(*) FILTER (WHERE p.amount = 0) < 4 $$,
	'every component paid some of them, and others not');

-- it leaves nothing, and needs no right to write
SELECT is((SELECT provolatile::text FROM pg_proc WHERE proname = 'simulate_node'), 's', 'simulate_node is stable');

-- errors
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}') $$, '55000', 'no epoch has been computed', 'before the first epoch');
\o /dev/null
SELECT pg_temp.build(1, 6);
CALL run_epoch(1001);
CALL run_epoch(1002);
\o
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{"t_gpo": 1}') $$, '22023', $m$unknown key 't_gpo' in resources$m$, 'an unknown kind of resource');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{"t_gpu": -1}') $$, '22003', 'resources.t_gpu is -1, not a number from 0 to 999999999999999', 'a negative one');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{"t_gpu": 1e99}') $$, '22003', NULL, 'a huge one');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{"t_gpu": "8"}') $$, '22023', 'resources.t_gpu is not a number: "8"', 'one that is no number');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{"t_gpu": null}') $$, '22023', 'resources.t_gpu is not a number: null', 'one that is null');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '[{"t_gpu": 1}]') $$, '22023', 'resources is not a JSON object: [{"t_gpu": 1}]', 'resources that are no object');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '3') $$, '22023', 'resources is not a JSON object: 3', 'resources that are a number');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, NULL) $$, '22004', 'resources must not be NULL', 'no resources');
SELECT throws_ok($$ SELECT simulate_node(NULL, 1000, '{}') $$, '22004', 'location must not be NULL', 'no place');
SELECT throws_ok($$ SELECT simulate_node('POINT EMPTY', 1000, '{}') $$, '22023', 'location POINT EMPTY is not a place on Earth', 'an empty place');
SELECT throws_ok($$ SELECT simulate_node('LINESTRING(0 0, 1 1)', 1000, '{}') $$, '22023', NULL, 'a place that is a line');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 0, '{}') $$, '22003', 'radius_m is 0, not above 0 and at most 5000000', 'no radius');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 'NaN', '{}') $$, '22003', 'radius_m is NaN, not above 0 and at most 5000000', 'a radius that is NaN');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', quality => 1.01) $$, '22003', 'quality is 1.01, not from 0 to 1', 'a quality beyond 1');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', quality => 'NaN') $$, '22003', 'quality is NaN, not from 0 to 1', 'a quality that is NaN');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', services => '{"t_infer": 1.5}') $$, '22003', NULL, 'work that is not whole');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', services => '{"t_infer": {"p95": 3}}') $$, '22023', $m$unknown key 'p95' in services.t_infer$m$, 'an unknown fact of a service');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', services => '{"t_infer": {"p95_latency_ms": 3}}') $$, '22023', 'services.t_infer.work is not a number: missing', 'no work');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', provider_id => 4) $$, 'P0002', 'provider 4 does not exist', 'an unknown provider');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', hardware_id => (SELECT min(hardware_id) FROM epoch_node WHERE epoch_id = 1002)) $$, '23505', NULL, 'hardware that is there already');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', epoch_id => 1003) $$, '55000', 'epoch 1003 is planned and has no rewards yet', 'an epoch not computed');
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', epoch_id => 77) $$, 'P0002', 'epoch 77 does not exist', 'an unknown epoch');
UPDATE region SET boundary = ST_Multi(ST_MakeEnvelope(-10, -5, 10, 5, 4326))::geography WHERE code = 'T00';
SELECT throws_ok($$ SELECT simulate_node('POINT(0 0)', 1000, '{}') $$, '55000', 'region T00 is not what it was in epoch 1002', 'a region that has changed');
SELECT lives_ok($$ SELECT simulate_node('POINT(100 50)', 1000, '{"t_gpu": 999999999999999}', 0.5, '{"t_infer": 99999999999999999999999999999999999999}') $$, 'as much as there can be');
SELECT throws_ok($$ SELECT region_of(ST_SetSRID('POINT(0 0)'::geometry, 4269)::geography) $$, '22023', NULL, 'the region of a point in another reference system');
SELECT * FROM finish();
ROLLBACK;
