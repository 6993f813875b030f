-- simulate_node, reward_map, preview_epoch and explain_reward against what the engine does.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(14);
-- under a cap the others, whose scores change, share by what they had: without it each amount is exact
-- what is seen with a cap for each provider, in a subtransaction that is rolled back
CREATE FUNCTION pg_temp.capped(cap int) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
	seen jsonb;
BEGIN
	BEGIN
		UPDATE policy SET provider_cap_bps = cap WHERE name = 'p';
		CALL run_epoch(1);
		CALL run_epoch(2);
		SELECT jsonb_agg(jsonb_build_object('map', coverage_value(m.map, p.center), 'here', s.here, 'most', s.most)) INTO seen
		FROM (SELECT r.reach, reward_map(2, r.reach, '{"gpu": 9}', 4) AS map FROM (VALUES (100000), (500000), (900000)) r (reach)) m,
			(SELECT ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(4, c)) AS center FROM generate_series(0, 3071, 61) c) p,
			LATERAL (SELECT sum(x.amount) AS here, bool_and(x.amount <= floor(x.payable * cap / 10000)) AS most FROM simulate_node(p.center, m.reach, '{"gpu": 9}', 2) x) s;
		RAISE EXCEPTION 'seen' USING ERRCODE = 'SR001';
	EXCEPTION WHEN SQLSTATE 'SR001' THEN
		RETURN QUERY SELECT jsonb_array_elements(seen);
	END;
END $$;
CREATE TEMP TABLE capped AS SELECT c AS cap, s FROM (VALUES (1000), (3000), (6000)) v (c), pg_temp.capped(c) s;
SELECT is_empty('SELECT * FROM capped WHERE abs((s ->> ''map'')::numeric - (s ->> ''here'')::numeric) > 1', 'a map of rewards is what simulate_node says, under a cap for each provider too');
SELECT ok(bool_and((s ->> 'most')::boolean) AND count(DISTINCT s ->> 'here') > 5, 'of which nobody is above it') FROM capped;

UPDATE policy SET provider_cap_bps = NULL WHERE name = 'p';
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
CREATE TEMP TABLE digest AS SELECT epoch_id, digest FROM epoch;

-- really adds a node to an epoch, computes it, and takes everything back
CREATE FUNCTION pg_temp.really(place geography, radius float8, resources jsonb, id_of_epoch bigint) RETURNS TABLE (component code, score float8, amount numeric) LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
	e epoch;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch_id = id_of_epoch;
	BEGIN
		INSERT INTO provider (provider_id, name) VALUES (900, 'one more');
		INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (900, 900, 'one more', place, radius, lower(e.period)) RETURNING node_id INTO id;
		INSERT INTO node_resource (node_id, resource_type, units) SELECT id, key, value::numeric FROM jsonb_each_text(resources);
		INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT id, t, 20, true FROM generate_series(lower(e.period), upper(e.period) - interval '4 minutes', '4 minutes') t;
		PERFORM swarm_reward_internal.compute_epoch(id_of_epoch);
		RETURN QUERY SELECT c.code, coalesce(w.score, 0), coalesce(w.amount, 0) FROM component c LEFT JOIN reward w ON w.epoch_id = id_of_epoch AND w.node_id = id AND w.component = c.code;
		RAISE EXCEPTION 'seen' USING ERRCODE = 'SR001';
	EXCEPTION WHEN SQLSTATE 'SR001' THEN NULL;
	END;
END $$;
CREATE TEMP TABLE trial AS
SELECT i, (1 + i % 3)::bigint AS epoch, ST_Point(-120 + 150 * u[1], 30 + 25 * u[2], 4326)::geography AS place, 50000 + 900000 * u[3] ^ 2 AS radius,
	jsonb_build_object('gpu', round((6 * u[4])::numeric, 2)) || CASE WHEN i % 2 = 0 THEN '{"cpu": 10}'::jsonb ELSE '{}' END AS resources
FROM generate_series(1, 50) i, LATERAL (SELECT array_agg((hashint8extended(i, k) & 4503599627370495)::float8 / 4503599627370496 ORDER BY k) AS u FROM generate_series(1, 4) k) x;
CREATE TEMP TABLE outcome AS
SELECT t.i, t.epoch, s.component, s.score AS simulated_score, s.amount AS simulated, r.score, r.amount
FROM trial t, LATERAL simulate_node(t.place, t.radius, t.resources, t.epoch) s, LATERAL pg_temp.really(t.place, t.radius, t.resources, t.epoch) r WHERE r.component = s.component;
SELECT is((SELECT count(*) FROM outcome WHERE amount > 0), (SELECT count(*) FROM outcome WHERE simulated_score > 0), 'of 50 nodes really added, what is simulated to earn earns');
SELECT is_empty('SELECT * FROM outcome WHERE abs(simulated_score - score) > 1e-9 * score', 'each score is that of really adding the node');
SELECT is((SELECT count(*) FROM outcome o WHERE abs(simulated - amount) > 1), 0::bigint, 'and each amount, to one base unit');
SELECT is((SELECT count(*) FROM digest JOIN epoch USING (epoch_id, digest)), 3::bigint, 'nothing was left behind');

-- everywhere at once, in the middle of the sea and with nobody in reach too; and under the cap
CREATE TEMP TABLE map AS
SELECT e.epoch_id, k.reach, k.resources, k.grid_order, reward_map(e.epoch_id, k.reach, k.resources, k.grid_order) AS map
FROM epoch e, (VALUES (300000, '{"gpu": 3, "cpu": 10}'::jsonb, 4), (900000, '{"gpu": 0.5}', 4), (100000, '{"gpu": 5}', NULL)) k (reach, resources, grid_order)
WHERE k.grid_order IS NOT NULL OR e.epoch_id = 3;
CREATE TEMP TABLE place AS
SELECT m.*, ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(coverage_order(m.map), c.cell)) AS center
FROM map m,
	-- a hundred at random, and as many of those that earn something else than in the middle of the sea
	LATERAL (SELECT (hashint8extended(i, m.reach) & 4503599627370495) % (12 * 4 ^ coverage_order(m.map))::bigint AS cell FROM generate_series(1, 100) i
		UNION SELECT v.cell FROM (SELECT v.cell FROM swarm_reward_internal.coverage_cell_values(m.map - coverage_value(m.map, 'POINT(170 -50)')) v ORDER BY hashint8extended(v.cell, 1) LIMIT 100) v) c;
SELECT is_empty('SELECT * FROM (SELECT p.*, coverage_value(map, center) AS there, (SELECT sum(s.amount) FROM simulate_node(center, reach, resources, epoch_id) s) AS here FROM place p) x WHERE abs(there - here) > 1',
	'a map of rewards has what simulate_node says, at a thousand places and more');
SELECT cmp_ok((SELECT count(DISTINCT v.value) FROM map, swarm_reward_internal.coverage_cell_values(map) v WHERE epoch_id = 3 AND reach = 300000), '>=', 6::bigint, 'and differs from place to place');
SELECT is((SELECT bool_and(reward_map(epoch_id, reach, resources, grid_order) = map) FROM map WHERE grid_order = 4), true, 'the map is the same when asked again');
SELECT throws_ok($$SELECT reward_map(2, 1000, '{"gpu": 1}', 7)$$, '22023', NULL, 'a finer grid than the epoch''s is refused');
SELECT throws_ok($$SELECT reward_map(2, 1000, '{"gpu": "many"}')$$, '22023', NULL, 'units that are no number are refused');
SELECT throws_ok($$SELECT simulate_node('POINT(0 0)', 'NaN', '{"gpu": 1}')$$, '22023', NULL, 'a radius that is no number is refused');

SELECT is_empty('SELECT * FROM epoch e, preview_epoch(e.epoch_id) p WHERE p.amount <> coalesce(p.paid, 0)', 'a preview of what was computed is what was paid');
SELECT is_empty($$
	SELECT * FROM reward r, LATERAL (SELECT sum(x.value::numeric) AS score FROM explain_reward(r.node_id, r.epoch_id) x WHERE x.component = r.component AND (x.term ~ '^score' OR x.term ~ '^rule')) x
	WHERE abs(x.score - r.score::numeric) > 1e-9 * r.score::numeric $$, 'explained scores are those that were paid for');
SELECT * FROM finish();
ROLLBACK;
