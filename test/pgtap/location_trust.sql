-- Location attestation: no honest node is ever convicted, whatever the delay; a
-- node 2 500 km from where it says always is, when three beacons within 800 km
-- answer it with path stretch up to 1.5.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SET timezone = 'UTC';
SELECT plan(34);

-- a place: all over the Earth, and one in three at a pole, near one, or on the antimeridian
CREATE FUNCTION pg_temp.place(what text, i bigint) RETURNS geography LANGUAGE sql IMMUTABLE AS $$
	SELECT ST_SetSRID(ST_MakePoint(
		CASE i % 12 WHEN 0 THEN 180 WHEN 1 THEN -180 WHEN 2 THEN -179.9999999 ELSE 360 * pg_temp.r(1, what || ' lon', i) - 180 END,
		CASE i % 9 WHEN 0 THEN 90 WHEN 1 THEN -90 WHEN 2 THEN 89.9999 ELSE degrees(asin(2 * pg_temp.r(1, what || ' lat', i) - 1)) END), 4326)::geography
$$;

-- 1. the bound itself
CREATE TABLE pg_temp.pair AS
SELECT i, pg_temp.place('a', i) AS a, CASE WHEN i % 50 = 7 THEN pg_temp.place('a', i)	-- at the beacon itself
		WHEN i % 50 = 8 THEN ST_Project(pg_temp.place('a', i), 20003000 * pg_temp.r(1, 'far', i), 7)
		ELSE pg_temp.place('b', i / 3) END AS b
FROM generate_series(1, 4000) i;
ALTER TABLE pg_temp.pair ADD d float8, ADD rtt float8;
UPDATE pg_temp.pair SET d = ST_Distance(a, b), rtt = min_rtt(a, b);
SELECT is_empty($$ SELECT * FROM pg_temp.pair WHERE location_excess(a, b, rtt) NOT BETWEEN -0.001 AND 0 $$,
	'a round trip at the least time that physics allows is no violation, and at the limit to a millimetre');
SELECT is_empty($$ SELECT * FROM pg_temp.pair WHERE location_excess(b, a, rtt) NOT BETWEEN -0.001 AND 0 $$, 'nor is it with the ends exchanged');
SELECT is_empty($$ SELECT * FROM pg_temp.pair WHERE d > 1 AND location_excess(a, b, distance_rtt(d - 1)) NOT BETWEEN 0.998 AND 1 $$,
	'a metre less is a violation of a metre');
SELECT is_empty($$ SELECT * FROM pg_temp.pair, generate_series(-14, 300, 2) k WHERE location_excess(a, b, rtt + 10.0::float8 ^ k) > least(0, location_excess(a, b, rtt)) $$,
	'no delay makes a violation');
SELECT is_empty($$ SELECT * FROM (SELECT location_excess(a, b, 1e-3 * 1.7::float8 ^ k) AS x, lag(location_excess(a, b, 1e-3 * 1.7::float8 ^ k)) OVER (PARTITION BY i ORDER BY k) AS faster
		FROM pg_temp.pair, generate_series(0, 40) k WHERE i % 10 = 3) s WHERE x > faster $$, 'longer times never show more');
-- another road to the distance: the haversine on a sphere, which the ellipsoid differs from by less than 0.57 %,
-- and the speed of light by hand: 299 792.458 km/s, two thirds of it, half of the way
SELECT is_empty($$ SELECT * FROM (SELECT location_excess(a, b, t.ms) + t.ms * (299792.458::numeric / 3)::float8 AS found,
			2 * 6371008.8 * asin(least(1, sqrt(power(sin(radians(ST_Y(b::geometry) - ST_Y(a::geometry)) / 2), 2)
				+ cos(radians(ST_Y(a::geometry))) * cos(radians(ST_Y(b::geometry))) * power(sin(radians(ST_X(b::geometry) - ST_X(a::geometry)) / 2), 2)))) AS haversine
		FROM pg_temp.pair, (VALUES (0.0::float8), (3.5), (180)) t (ms)) s
	WHERE abs(found - haversine) > 0.0057 * haversine + 0.01 $$, 'it is the distance less a third of the speed of light times the round trip');
SELECT ok(location_excess('POINT(1 2)', 'POINT(3 4)', NULL) IS NULL, 'NULL for NULL');
SELECT throws_ok($$ SELECT location_excess('POINT(1 2)', 'POINT(3 4)', -1) $$, '22023', NULL, 'a negative time is an error');
SELECT throws_ok($$ SELECT location_excess('POINT(1 2)', 'LINESTRING(3 4, 5 6)', 1) $$, NULL, NULL, 'a line is not a place');

-- 2. the ledger. Nodes 1 to 400 are honest, 1001 to 1200 are not. The slack is 0 in the first epoch,
-- the default of 50 km in the second.
INSERT INTO policy (policy_id, name, grid_order, location_slack_m) VALUES (1000, 'no slack', 3, 0);
INSERT INTO policy (policy_id, name, grid_order) VALUES (1001, 'default slack', 3);
INSERT INTO epoch (epoch_id, period, budget, policy_id) VALUES
	(1001, '[2021-01-01,2021-02-01)', 0, 1000), (1002, '[2021-02-01,2021-03-01)', 0, 1001);
INSERT INTO provider (provider_id, name) VALUES (1000, 'p');
CREATE TABLE pg_temp.truth AS
SELECT i AS node_id, true AS honest, pg_temp.place('node', i) AS place, NULL::float8 AS azimuth FROM generate_series(1, 400) i
UNION ALL SELECT 1000 + i, false, pg_temp.place('liar', i), radians(360 * pg_temp.r(1, 'azimuth', i)) FROM generate_series(1, 200) i;
INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at)
SELECT node_id, 1000, CASE WHEN honest THEN place ELSE ST_Project(place, 2500000, azimuth) END, 100000, '2020-01-01' FROM pg_temp.truth;

-- honest: 2 to 6 beacons anywhere, four round trips each, half of the beacons answering once
-- as fast as light, and delay from a nanosecond to the largest number there is
INSERT INTO beacon (beacon_id, name, location) SELECT i, 'anywhere ' || i, pg_temp.place('beacon', i) FROM generate_series(1, 40) i;
INSERT INTO beacon_rtt
SELECT n.node_id, 1 + (n.node_id * 7 + k * 11) % 40, m.t, least(1.79e308, min_rtt(n.place, b.location)
	+ CASE WHEN n.node_id % 20 = 3 THEN 1.79e308 WHEN d.u < 0.15 AND k % 2 = 0 THEN 0 WHEN d.u > 0.99 THEN 1.79e308 ELSE 10::float8 ^ (-6 + 300 * d.u ^ 4) END)
FROM pg_temp.truth n, generate_series(1, 2 + (n.node_id % 5)) k,
	LATERAL (SELECT location FROM beacon WHERE beacon_id = 1 + (n.node_id * 7 + k * 11) % 40) b,
	(VALUES (1, timestamptz '2021-01-01'), (2, '2021-01-31 23:59:59.999999'), (3, '2021-02-01'), (4, '2021-02-11')) m (i, t),
	LATERAL (SELECT pg_temp.r(1, 'delay', n.node_id * 100 + k * 4 + m.i) AS u) d
WHERE n.honest;

-- not honest: three beacons within 800 km of the true place, most of them at 800 km; the first lies in
-- the direction of the claimed place, which is where it sees least; stretch up to 1.5, mostly 1.5
INSERT INTO beacon (beacon_id, name, location)
SELECT n.node_id * 10 + k, 'near ' || n.node_id || ' ' || k,
	ST_Project(n.place, CASE WHEN n.node_id % 4 < 3 THEN 800000 ELSE 800000 * sqrt(pg_temp.r(1, 'near', n.node_id * 10 + k)) END,
		CASE k WHEN 1 THEN n.azimuth ELSE radians(360 * pg_temp.r(1, 'side', n.node_id * 10 + k)) END)
FROM pg_temp.truth n, generate_series(1, 3) k WHERE NOT n.honest;
INSERT INTO beacon_rtt
SELECT n.node_id, b.beacon_id, m, min_rtt(n.place, b.location) * CASE WHEN n.node_id % 5 < 3 THEN 1.5 ELSE 1 + 0.5 * pg_temp.r(1, 'stretch', b.beacon_id) END
FROM pg_temp.truth n JOIN beacon b ON b.beacon_id / 10 = n.node_id, (VALUES (timestamptz '2021-01-05'), ('2021-02-05')) m (m)
WHERE NOT n.honest;
-- and a beacon far away, to which anything is possible
INSERT INTO beacon_rtt SELECT n.node_id, 1 + n.node_id % 40, '2021-02-06', 400 FROM pg_temp.truth n WHERE NOT n.honest;

-- what slack is for: clocks that are 0.3 ms, 30 km, fast
INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at) SELECT 500 + i, 1000, pg_temp.place('hasty', i), 100000, '2020-01-01' FROM generate_series(1, 10) i;
INSERT INTO beacon_rtt SELECT n.node_id, b.beacon_id, m, greatest(0, distance_rtt(ST_Distance(n.location, b.location) - 30000))
FROM node n, beacon b, (VALUES (timestamptz '2021-01-05'), ('2021-02-05')) m (m) WHERE n.node_id BETWEEN 501 AND 510 AND b.beacon_id BETWEEN 10 AND 12;

\o /dev/null
CALL run_epoch(1001);
CALL run_epoch(1002);
\o
SELECT ok((SELECT count(*) > 150 FROM location_trust WHERE epoch_id = 1001 AND node_id <= 400 AND worst_violation_m BETWEEN -0.001 AND 0),
	'many honest nodes are at the limit');
SELECT ok((SELECT count(*) >= 20 FROM location_trust WHERE epoch_id = 1001 AND node_id <= 400 AND worst_violation_m < -9e16), 'and some are delayed for ages');
SELECT is_empty($$ SELECT * FROM location_trust WHERE node_id <= 400 AND (violations, trust) <> (0, CASE WHEN beacons < 3 THEN 0.5 ELSE 1 END) $$,
	'no honest node is convicted, with slack or without');
SELECT is((SELECT count(*) FROM location_trust WHERE node_id <= 400), 800::bigint, 'all are there in both epochs');
SELECT is((SELECT array_agg(DISTINCT verdict ORDER BY verdict) FROM location_trust WHERE node_id <= 400), ARRAY['attested', 'unattested'], 'attested, or with too few beacons to say');
SELECT is((SELECT count(*) FROM location_trust WHERE node_id > 1000 AND trust = 0 AND verdict = 'impossible'), 400::bigint,
	'every node that claims to be 2 500 km from where it is earns no trust');
SELECT is_empty($$ SELECT * FROM location_trust WHERE node_id > 1000 AND (beacons, violations) <> (CASE epoch_id WHEN 1001 THEN 3 ELSE 4 END, 3) $$,
	'each of the three beacons shows it, and the far one does not');
-- 2 500 km less 800 km away less a bound of 1.5 * 800 km: 500 km, of which the default slack uses 50
SELECT ok((SELECT min(location_excess(n.location, b.location, r.rtt_ms)) BETWEEN 499999 AND 500001
	FROM node n JOIN beacon_rtt r USING (node_id) JOIN beacon b USING (beacon_id) WHERE n.node_id > 1000 AND b.beacon_id > 40),
	'the least that a beacon in that condition shows is 500 km');
SELECT is_empty($$ SELECT n.node_id FROM node n JOIN beacon_rtt r USING (node_id) JOIN beacon b USING (beacon_id) WHERE n.node_id > 1000 AND b.beacon_id > 40
	AND location_excess(n.location, b.location, r.rtt_ms + 4.5) <= 50000 $$, 'so that 4.5 ms of delay besides do not save a liar from any of them');
SELECT results_eq('SELECT epoch_id, trust, violations > 0, round(min(worst_violation_m)), count(*) FROM location_trust WHERE node_id BETWEEN 501 AND 510 GROUP BY 1, 2, 3 ORDER BY 1',
	'VALUES (1001::bigint, 0.0::float8, true, 30000.0::float8, 10::bigint), (1002, 1, false, 30000, 10)', 'an excess within the slack passes, and shows');

-- 3. the view, against plain SQL over the live tables
CREATE FUNCTION pg_temp.expected(epoch_id bigint, slack float8) RETURNS TABLE (node_id bigint, beacons int, tightest_bound_m float8, worst_violation_m float8,
	violations int, worst_beacon_id bigint, worst_rtt_ms float8, worst_distance_m float8) LANGUAGE sql AS $$
	WITH best AS (
		SELECT n.node_id, b.beacon_id, least(1e12, (SELECT min(r.rtt_ms) FROM beacon_rtt r WHERE r.node_id = n.node_id AND r.beacon_id = b.beacon_id
			AND r.measured_at <@ e.period AND r.measured_at >= n.joined_at AND r.measured_at < coalesce(n.left_at, 'infinity'))) AS rtt, ST_Distance(n.location, b.location) AS d
		FROM epoch e, node n, beacon b WHERE e.epoch_id = expected.epoch_id
			AND EXISTS (SELECT FROM beacon_rtt r WHERE r.node_id = n.node_id AND r.beacon_id = b.beacon_id
				AND r.measured_at <@ e.period AND r.measured_at >= n.joined_at AND r.measured_at < coalesce(n.left_at, 'infinity'))
	), seen AS (SELECT *, floor((d - rtt_distance(rtt)) * 1000) / 1000 AS x FROM best)
	SELECT s.node_id, count(*)::int, min(rtt_distance(s.rtt)), max(s.x), count(*) FILTER (WHERE s.x > slack)::int,
		(SELECT w.beacon_id FROM seen w WHERE w.node_id = s.node_id ORDER BY w.x DESC, w.beacon_id LIMIT 1),
		(SELECT w.rtt FROM seen w WHERE w.node_id = s.node_id ORDER BY w.x DESC, w.beacon_id LIMIT 1),
		(SELECT w.d FROM seen w WHERE w.node_id = s.node_id ORDER BY w.x DESC, w.beacon_id LIMIT 1)
	FROM seen s GROUP BY s.node_id
$$;
SELECT results_eq($$ SELECT node_id, beacons, tightest_bound_m, worst_violation_m, violations, worst_beacon_id, worst_rtt_ms, worst_distance_m FROM location_trust WHERE epoch_id = 1001 ORDER BY 1 $$,
	'SELECT * FROM pg_temp.expected(1001, 0) ORDER BY 1', 'the view shows what plain SQL finds');
SELECT results_eq($$ SELECT node_id, beacons, tightest_bound_m, worst_violation_m, violations, worst_beacon_id, worst_rtt_ms, worst_distance_m FROM location_trust WHERE epoch_id = 1002 ORDER BY 1 $$,
	'SELECT * FROM pg_temp.expected(1002, 50000) ORDER BY 1', 'in the second epoch too');
SELECT is_empty($$ SELECT v.epoch_id, v.node_id FROM location_trust v JOIN epoch_node n USING (epoch_id, node_id)
	WHERE v.trust <> n.trust OR v.trust <> node_trust(v.beacons, v.worst_violation_m, v.min_beacons, 0.5, v.slack_m::float8)
		OR abs(v.worst_distance_m - v.worst_bound_m - v.worst_violation_m) > 0.0011 * (1 + 1e-12 * v.worst_bound_m) $$,
	'the trust is the frozen one, and its columns explain it');
SELECT results_eq('SELECT epoch_id, sum(nodes)::bigint, sum(violations)::bigint FROM epoch_beacon GROUP BY 1 ORDER BY 1',
	'SELECT epoch_id, sum(beacons), sum(violations) FROM location_trust GROUP BY 1 ORDER BY 1', 'nodes and beacons count the same');
SELECT is_empty($$ SELECT * FROM verify_epoch(1001) WHERE NOT ok UNION ALL SELECT * FROM verify_epoch(1002) WHERE NOT ok $$, 'both epochs verify');

-- 4. it stays as it was
CREATE TABLE pg_temp.before AS SELECT * FROM location_trust;
UPDATE beacon SET location = 'POINT(0 0)';
UPDATE node SET location = 'POINT(10 10)' WHERE node_id % 2 = 0;
UPDATE beacon_rtt SET rtt_ms = 0;
SELECT is_empty('(SELECT * FROM location_trust EXCEPT SELECT * FROM pg_temp.before) UNION ALL (SELECT * FROM pg_temp.before EXCEPT SELECT * FROM location_trust)',
	'moving beacons and nodes changes nothing of the past');
SELECT is_empty($$ SELECT * FROM verify_epoch(1001) WHERE NOT ok $$, 'which still verifies');
SET LOCAL session_replication_role = replica;
UPDATE epoch_node SET worst_rtt_ms = worst_rtt_ms * 0.999 WHERE epoch_id = 1001 AND node_id = 1001;
UPDATE epoch_beacon SET location = 'POINT(1 1)' WHERE epoch_id = 1002 AND beacon_id = (SELECT worst_beacon_id FROM epoch_node WHERE epoch_id = 1002 AND node_id = 1002);
SELECT set_eq($$ SELECT check_name FROM verify_epoch(1001) WHERE NOT ok $$, ARRAY['seal of epoch_node', 'evidence of places'], 'evidence that was changed is found');
SELECT set_eq($$ SELECT check_name FROM verify_epoch(1002) WHERE NOT ok $$, ARRAY['seal of epoch_beacon', 'evidence of places'], 'of a beacon as well');
SET LOCAL session_replication_role = origin;

-- 5. one beacon that lies: it zeroes a node, as light has no exceptions, and it shows
DELETE FROM beacon_rtt;
UPDATE node SET location = 'POINT(7 47)' WHERE node_id <= 50;
UPDATE node SET status = 'suspended' WHERE node_id > 50;
UPDATE node SET joined_at = '2021-01-03 00:00+00', left_at = '2021-01-20 00:00+00', status = 'left' WHERE node_id = 50;
UPDATE beacon SET location = ST_Project('SRID=4326;POINT(7 47)'::geography, 100000 * beacon_id, 1) WHERE beacon_id <= 6;
INSERT INTO beacon_rtt SELECT n.node_id, b.beacon_id, '2021-01-09', CASE WHEN b.beacon_id = 6 AND n.node_id % 2 = 0 THEN 0.001 ELSE 20 END
FROM node n, beacon b WHERE n.node_id <= 50 AND b.beacon_id <= 6;
-- a beacon with a twin at the same place; and measurements from before and after a node's membership
UPDATE beacon SET location = (SELECT location FROM beacon WHERE beacon_id = 6) WHERE beacon_id = 7;
INSERT INTO beacon_rtt SELECT 2, 7, '2021-01-09', 0.001;
INSERT INTO beacon_rtt SELECT 50, 9, t, 0 FROM (VALUES (timestamptz '2021-01-02 23:59:59+00'), ('2021-01-20 00:00+00')) v (t);
\o /dev/null
CALL run_epoch(1001);
\o
SELECT is((SELECT array_agg(DISTINCT (trust, violations, worst_beacon_id)::text) FROM location_trust WHERE epoch_id = 1001 AND node_id % 2 = 0 AND node_id > 2), ARRAY['(0,1,6)'], 'one impossible round trip of six is enough');
SELECT is((SELECT (trust, violations, worst_beacon_id, beacons)::text FROM location_trust WHERE epoch_id = 1001 AND node_id = 2), '(0,2,6,7)', 'of two that show the same the lower is named');
SELECT is((SELECT count(*) FROM location_trust WHERE epoch_id = 1001 AND node_id % 2 = 1 AND trust = 1), 25::bigint, 'the others are not touched');
SELECT results_eq('SELECT beacon_id, violations FROM epoch_beacon WHERE epoch_id = 1001 ORDER BY 1', 'VALUES (1::bigint, 0::bigint), (2, 0), (3, 0), (4, 0), (5, 0), (6, 25), (7, 1)',
	'one beacon with all the violations is itself to be doubted');
SELECT is((SELECT beacons FROM location_trust WHERE epoch_id = 1001 AND node_id = 50), 6, 'before it joined and after it left nothing counts');

-- 6. no delay lowers trust
CREATE TABLE pg_temp.quick AS SELECT node_id, trust, worst_violation_m FROM location_trust WHERE epoch_id = 1001;
UPDATE beacon_rtt SET rtt_ms = rtt_ms + 30 * pg_temp.r(1, 'more', node_id * 100 + beacon_id);
\o /dev/null
CALL run_epoch(1001);
\o
SELECT ok((SELECT bool_and(a.trust >= b.trust AND a.worst_violation_m <= b.worst_violation_m) AND count(*) FILTER (WHERE a.trust > b.trust) BETWEEN 1 AND 24
	FROM location_trust a JOIN pg_temp.quick b USING (node_id) WHERE a.epoch_id = 1001), 'delay that is added never lowers trust');
SELECT * FROM finish();
ROLLBACK;
