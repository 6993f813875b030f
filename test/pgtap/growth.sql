-- What growth brought: latency_reach and data_residency against PostGIS, cell by
-- cell, growth_metric against plain SQL.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SET timezone = 'UTC';
SELECT plan(47);

-- 1. few places stand for many: the same field as drawing every disc
CREATE FUNCTION pg_temp.spot(what text, i bigint) RETURNS geography LANGUAGE sql IMMUTABLE AS $$
	-- clusters of twenty within some 300 km, a few of them at a pole or on the antimeridian
	SELECT ST_Project(ST_SetSRID(ST_MakePoint(CASE (i / 20) % 9 WHEN 0 THEN 180 ELSE 360 * pg_temp.r(1, what || ' lon', i / 20) - 180 END,
			CASE (i / 20) % 11 WHEN 0 THEN 90 WHEN 1 THEN -89.5 ELSE degrees(asin(2 * pg_temp.r(1, what || ' lat', i / 20) - 1)) END), 4326)::geography,
		300000 * sqrt(pg_temp.r(1, what || ' out', i)), 6.28 * pg_temp.r(1, what || ' at', i))
$$;
CREATE FUNCTION pg_temp.thinned(demand coverage, radius_m float8, what text, n int) RETURNS coverage LANGUAGE sql AS $$
	WITH s AS (SELECT p, coverage_cell(p, 5) AS block, row_number() OVER (PARTITION BY coverage_cell(p, 5) ORDER BY i) = 1 AS lead
		FROM generate_series(1, n) i, LATERAL (SELECT pg_temp.spot(what, i) AS p) x)
	SELECT unserved_demand(demand, radius_m, array_agg(p) FILTER (WHERE lead), array_agg(block) FILTER (WHERE lead),
		array_agg(p) FILTER (WHERE NOT lead), array_agg(block) FILTER (WHERE NOT lead)) FROM s
$$;
CREATE TABLE pg_temp.thin AS
SELECT k, b.radius_m, n, pg_temp.thinned(d.d, b.radius_m, 'thin' || n, n) AS found,
	d.d * (1 - coverage_mask((SELECT coverage_agg(pg_temp.spot('thin' || n, i), b.radius_m, 1, k) FROM generate_series(1, n) i), 1)) AS wanted, d.d AS demand
FROM (VALUES (5), (7)) o (k), (SELECT * FROM latency_budget() UNION ALL VALUES (1, 50000.0), (2, 100000)) b, (VALUES (1), (40), (600)) s (n),
	LATERAL (SELECT density_agg(pg_temp.spot('demand', i), 1 + i % 7, k) AS d FROM generate_series(1, 3000) i) d;
SELECT is_empty('SELECT k, radius_m, n FROM pg_temp.thin WHERE found <> wanted', 'the demand that is left is the same as after drawing every disc');
SELECT ok((SELECT count(*) FILTER (WHERE coverage_sum(found) > 0 AND found <> demand) > 30 AND count(*) FILTER (WHERE coverage_sum(found) = 0) > 1 FROM pg_temp.thin), 'sometimes all, sometimes not');
SELECT ok((SELECT unserved_demand(d, 1000, NULL, NULL, NULL, NULL) = d FROM (SELECT density_agg('POINT(1 1)'::geography, 5, 6) AS d) s), 'no places leave all of it');
SELECT ok((WITH v AS (SELECT cell, (ST_DumpPoints(boundary::geometry)).geom::geography AS p
			FROM coverage_cells(1 + zero_coverage(5))
			WHERE ST_X(center::geometry) BETWEEN 0 AND 90 AND ST_Y(center::geometry) >= 0)
		SELECT max(ST_Distance(a.p, b.p, false)) BETWEEN 300000 AND 440000 FROM v a JOIN v b USING (cell) WHERE cell % 3 = 0),
	'blocks are smaller than the 450 km they are taken for, by more than the sphere differs from the ellipsoid');
SELECT results_eq('SELECT budget_ms, round((budget_ms * 299792.458 / 3 / 2)::numeric, 3) FROM latency_budget()',
	'SELECT budget_ms, round(radius_m::numeric, 3) FROM latency_budget()', 'a budget is half of the way at two thirds of the speed of light, on paths twice as long');
SELECT ok((SELECT max(radius_m) < 5000000 FROM latency_budget()), 'and the largest is within the largest disc');

-- 2. a network: 360 nodes in clusters, of which some do not work, in the second of three epochs more
INSERT INTO policy (policy_id, name, grid_order, supply_target, growth_target, telemetry_slot, min_beacons, uptime_floor, uptime_target, error_limit, error_target)
VALUES (1000, 'growth', 5, 40, 300, '1 day', 0, 0.1, 1, 1, 0.5);
INSERT INTO resource_type (code, unit, unit_value, family) VALUES
	('cpu', 'core', 0.5, 'cpu'), ('gpu_a', 'GPU', 8, 'gpu'), ('gpu_b', 'GPU', 2, 'gpu'), ('disk', 'TB', 0.125, 'storage'), ('net', 'Gbit/s', 1, 'bandwidth'),
	('fpga', 'card', 4, 'niche'), ('qpu', 'qubit', 9, 'niche'), ('tape', 'PB', 3, 'niche');
INSERT INTO service_type (code, unit, premium) VALUES ('infer', 'call', 1), ('train', 'hour', 2), ('render', 'frame', 1);
-- regions: a checkerboard of 24 tiles, six jurisdictions of several tiles, some tiles of none; a continent over some of
-- them, a small one inside a tile, and one that holds no centre of a cell
INSERT INTO region (code, name, jurisdiction, boundary, target_fraction)
SELECT 'T' || i || j, 'tile', CASE WHEN (i + j) % 7 > 0 THEN 'J' || (i + j) % 7 END, ST_Multi(ST_MakeEnvelope(-178.7 + i * 59, -89.1 + j * 44.3, -119.7 + i * 59, -44.8 + j * 44.3, 4326))::geography, CASE WHEN i < 3 THEN 0.9 ELSE 0.000001 END
FROM generate_series(0, 5) i, generate_series(0, 3) j;
INSERT INTO region (code, name, jurisdiction, boundary) VALUES
	('U', 'union', 'J4', ST_Multi(ST_MakeEnvelope(-50, -10, 70, 60, 4326))::geography),
	('V', 'enclave', 'J2', ST_Multi(ST_MakeEnvelope(5, 40, 30, 55, 4326))::geography),
	('W', 'rock', 'J9', ST_Multi(ST_MakeEnvelope(100.1, 20.1, 100.2, 20.2, 4326))::geography);
INSERT INTO demand (location, weight) SELECT ST_SetSRID(ST_MakePoint(360 * pg_temp.r(2, 'x', i) - 180, degrees(asin(2 * pg_temp.r(2, 'y', i) - 1))), 4326), 1 + trunc(1000 * pg_temp.r(2, 'w', i)) FROM generate_series(1, 700) i;
INSERT INTO demand (location, weight) VALUES ('POINT(100.15 20.15)', 77);
INSERT INTO resource_demand (region, resource_type, units) VALUES ('T00', 'cpu', 1e6), ('T00', 'disk', 1e6);
INSERT INTO provider (provider_id, name) SELECT i, 'p' || i FROM generate_series(1, 9) i;
INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at)
SELECT i, 1 + trunc(9 * pg_temp.r(2, 'p', i) * pg_temp.r(2, 'q', i / 20)), pg_temp.spot('net', i), 200000 + 900000 * pg_temp.r(2, 'radius', i),
	CASE WHEN i > 260 THEN timestamptz '2021-01-11' ELSE '2021-01-01' END FROM generate_series(1, 360) i;
UPDATE node SET status = 'left', left_at = '2021-01-21' WHERE node_id BETWEEN 41 AND 80;
INSERT INTO node_resource (node_id, resource_type, units, valid)
SELECT n.node_id, t.code, 1 + trunc((20 * pg_temp.r(2, t.code, n.node_id))::numeric, 2),
	-- a niche from the second epoch on, one that goes, one that nobody has
	CASE t.code WHEN 'fpga' THEN tstzrange('2021-01-11', NULL) WHEN 'qpu' THEN tstzrange(NULL, '2021-01-11') ELSE '(,)' END
FROM node n, resource_type t WHERE t.code <> 'tape' AND pg_temp.r(2, 'has' || t.code, n.node_id) < 0.6;
\o /dev/null
SELECT make_telemetry_partitions('2021-01-01', '2021-02-01', '1 month');
\o
-- one node in eight is silent
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
SELECT n.node_id, d, 20 + 200 * pg_temp.r(2, 'ms', n.node_id), pg_temp.r(2, 'ok', n.node_id * 100 + extract(day FROM d)::int) < 0.95
FROM node n, generate_series(timestamptz '2021-01-01', '2021-01-30', '1 day') d WHERE n.node_id % 8 <> 5 AND d >= n.joined_at AND (n.left_at IS NULL OR d < n.left_at);
INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work)
SELECT n.node_id, s.s, d, 50, true, n.node_id % 10 FROM node n, (VALUES ('infer', timestamptz '2021-01-02'), ('infer', '2021-01-12'), ('train', '2021-01-12'), ('train', '2021-01-22')) s (s, d)
WHERE n.node_id % 3 = 0 AND n.joined_at <= d AND (n.left_at IS NULL OR d < n.left_at);
INSERT INTO epoch (epoch_id, period, budget, policy_id) VALUES
	(1, '[2021-01-01,2021-01-11)', 0, 1000), (2, '[2021-01-11,2021-01-21)', 1000000, 1000), (3, '[2021-01-21,2021-01-31)', 1000000, 1000);
\o /dev/null
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
\o
SELECT is_empty($$ SELECT e.epoch_id, v.* FROM epoch e, verify_epoch(e.epoch_id) v WHERE NOT v.ok $$, 'the epochs verify');

CREATE TABLE pg_temp.reach AS SELECT * FROM latency_reach;
CREATE TABLE pg_temp.growth AS SELECT * FROM growth_metric;
ANALYZE pg_temp.reach, pg_temp.growth, epoch_node, epoch_reach, epoch_metric;

-- 3. latency, cell by cell: which cells have their centre within the radius of a node, by PostGIS. A cell nearer to the
-- rim than the disc's tolerance may be in or out; the cell that holds the node is always in.
CREATE TABLE pg_temp.cell AS
SELECT e.epoch_id, c.cell, c.value, c.center FROM epoch e, coverage_cells(e.demand) c;
CREATE TABLE pg_temp.inside AS	-- regions of all cells
SELECT r.code, r.jurisdiction, c.cell FROM region r, coverage_cells(1 + zero_coverage(5)) c WHERE ST_Covers(r.boundary, c.center)
UNION ALL SELECT 'W', 'J9', coverage_cell(ST_Centroid(boundary), 5) FROM region WHERE code = 'W';
SELECT is((SELECT count(*) FROM pg_temp.inside WHERE code = 'W'), 1::bigint, 'the rock has a cell');
CREATE TABLE pg_temp.near AS	-- of each cell the nearest node of all and of each jurisdiction
SELECT c.epoch_id, c.cell, coalesce(g.jurisdiction, '') AS jurisdiction,
	min(CASE WHEN coverage_cell(n.location, 5) = c.cell THEN 0 ELSE ST_Distance(c.center, n.location) END) AS distance
FROM pg_temp.cell c JOIN epoch_node n ON n.epoch_id = c.epoch_id AND n.contribution > 0 LEFT JOIN region g ON g.code = n.region
GROUP BY 1, 2, 3;
CREATE TABLE pg_temp.oracle AS
SELECT c.epoch_id, 'network' AS scope, '' AS place, b.budget_ms, sum(c.value) AS demand,
	coalesce(sum(c.value) FILTER (WHERE n.d <= b.radius_m - t.tol), 0) AS low, coalesce(sum(c.value) FILTER (WHERE n.d <= b.radius_m + t.tol), 0) AS high
FROM pg_temp.cell c CROSS JOIN latency_budget() b CROSS JOIN LATERAL (SELECT CASE WHEN b.radius_m <= 2e6 THEN 4e-5 ELSE 3e-4 END * b.radius_m AS tol) t
	JOIN (SELECT epoch_id, cell, min(distance) AS d FROM pg_temp.near GROUP BY 1, 2) n ON n.epoch_id = c.epoch_id AND n.cell = c.cell
GROUP BY 1, 4
UNION ALL
SELECT c.epoch_id, 'region', i.code, b.budget_ms, sum(c.value),
	coalesce(sum(c.value) FILTER (WHERE n.d <= b.radius_m - t.tol), 0), coalesce(sum(c.value) FILTER (WHERE n.d <= b.radius_m + t.tol), 0)
FROM pg_temp.cell c CROSS JOIN latency_budget() b CROSS JOIN LATERAL (SELECT CASE WHEN b.radius_m <= 2e6 THEN 4e-5 ELSE 3e-4 END * b.radius_m AS tol) t
	JOIN pg_temp.inside i ON i.cell = c.cell
	JOIN (SELECT epoch_id, cell, min(distance) AS d FROM pg_temp.near GROUP BY 1, 2) n ON n.epoch_id = c.epoch_id AND n.cell = c.cell
GROUP BY 1, 3, 4
UNION ALL	-- residency of regions and jurisdictions: nodes whose region has the jurisdiction, wherever they are
SELECT c.epoch_id, 'resident ' || x.scope, x.place, b.budget_ms, sum(c.value),
	coalesce(sum(c.value) FILTER (WHERE n.distance <= b.radius_m - t.tol), 0), coalesce(sum(c.value) FILTER (WHERE n.distance <= b.radius_m + t.tol), 0)
FROM pg_temp.cell c CROSS JOIN latency_budget() b CROSS JOIN LATERAL (SELECT CASE WHEN b.radius_m <= 2e6 THEN 4e-5 ELSE 3e-4 END * b.radius_m AS tol) t
	JOIN (SELECT 'region' AS scope, i.code AS place, i.jurisdiction, i.cell FROM pg_temp.inside i WHERE i.jurisdiction IS NOT NULL
		UNION SELECT 'jurisdiction', i.jurisdiction, i.jurisdiction, i.cell FROM pg_temp.inside i WHERE i.jurisdiction IS NOT NULL) x ON x.cell = c.cell
	LEFT JOIN pg_temp.near n ON n.epoch_id = c.epoch_id AND n.cell = c.cell AND n.jurisdiction = x.jurisdiction
GROUP BY 1, 2, 3, 4;
SELECT ok((SELECT count(*) > 500 AND avg((low = high)::int) > 0.95 AND count(*) FILTER (WHERE low > 0 AND high < demand) > 250 FROM pg_temp.oracle),
	'the oracle is sure of nearly all, and most are neither nothing nor all');
SELECT is((SELECT count(*) FROM pg_temp.reach), (SELECT 3 * 5 * count(*) FROM region), 'latency_reach has a row for each epoch, region and budget');
SELECT is_empty($$ SELECT * FROM pg_temp.reach r FULL JOIN (SELECT epoch_id, place AS region, budget_ms, demand, low, high FROM pg_temp.oracle WHERE scope = 'region') o USING (epoch_id, region, budget_ms)
	WHERE r.demand IS DISTINCT FROM coalesce(o.demand, 0) OR (r.reached BETWEEN coalesce(o.low, 0) AND coalesce(o.high, 0)) IS NOT TRUE $$, 'what is reached is what PostGIS finds, cell by cell');
SELECT is_empty($$ SELECT * FROM pg_temp.reach r LEFT JOIN (SELECT epoch_id, place AS region, budget_ms, low, high FROM pg_temp.oracle WHERE scope = 'resident region') o USING (epoch_id, region, budget_ms)
	WHERE CASE WHEN r.jurisdiction IS NULL THEN r.resident IS NOT NULL ELSE (r.resident BETWEEN coalesce(o.low, 0) AND coalesce(o.high, 0)) IS NOT TRUE END $$, 'so is what nodes of the same jurisdiction reach');
SELECT is_empty($$ SELECT * FROM data_residency r FULL JOIN (SELECT epoch_id, place AS jurisdiction, budget_ms, demand, low, high FROM pg_temp.oracle WHERE scope = 'resident jurisdiction') o USING (epoch_id, jurisdiction, budget_ms)
	WHERE r.demand IS DISTINCT FROM o.demand OR (r.resident BETWEEN o.low AND o.high) IS NOT TRUE $$, 'and what they reach of the whole jurisdiction, where regions overlap too');
SELECT is_empty($$ SELECT * FROM epoch_reach r JOIN pg_temp.oracle o USING (epoch_id, scope, budget_ms) WHERE scope = 'network' AND (r.demand <> o.demand OR r.reached NOT BETWEEN o.low AND o.high) $$, 'and of the whole network');
SELECT is_empty($$ SELECT * FROM pg_temp.reach WHERE (reached_fraction, resident_fraction) IS DISTINCT FROM (reached / nullif(demand, 0), resident / nullif(demand, 0)) $$, 'fractions are of the demand');
SELECT is_empty($$ SELECT * FROM pg_temp.reach r LEFT JOIN data_residency d USING (epoch_id, jurisdiction, budget_ms) WHERE r.jurisdiction_fraction IS DISTINCT FROM d.resident_fraction $$, 'and those of the jurisdiction are beside them');
SELECT is_empty($$ SELECT * FROM pg_temp.reach WHERE resident > reached OR reached > demand $$, 'residents are some of all');
SELECT is_empty($$ SELECT * FROM (SELECT *, lag(reached) OVER w AS r, lag(resident) OVER w AS s FROM epoch_reach WINDOW w AS (PARTITION BY epoch_id, scope, place ORDER BY budget_ms)) x WHERE reached < r OR resident < s $$, 'more time never reaches less');
SELECT is_empty($$ SELECT * FROM pg_temp.reach WHERE epoch_id = 2 AND (reached_change < 0 OR resident_change < 0) $$, 'nor do more nodes');
SELECT ok((SELECT count(*) > 10 FROM pg_temp.reach WHERE epoch_id = 2 AND reached_change > 0 AND resident_change > 0), 'there were more');
SELECT is_empty($$ SELECT * FROM pg_temp.reach a JOIN pg_temp.reach b ON b.epoch_id = a.epoch_id - 1 AND (b.region, b.budget_ms) = (a.region, a.budget_ms)
	WHERE (a.reached_change, a.resident_change) IS DISTINCT FROM (a.reached_fraction - b.reached_fraction, a.resident_fraction - b.resident_fraction) $$, 'changes are against the epoch before');
SELECT ok((SELECT bool_and(reached_change IS NULL) FROM pg_temp.reach WHERE epoch_id = 1), 'of which the first has none');

-- 4. metrics, by plain SQL
CREATE VIEW pg_temp.live AS SELECT * FROM epoch_node WHERE contribution > 0;
CREATE FUNCTION pg_temp.metric(epoch_id bigint, metric text) RETURNS numeric LANGUAGE sql AS
$$ SELECT g.value FROM pg_temp.growth g WHERE (g.epoch_id, g.metric) = (metric.epoch_id, metric.metric) $$;
SELECT is(ARRAY[pg_temp.metric(k, 'nodes'), pg_temp.metric(k, 'providers'), pg_temp.metric(k, 'regions with nodes')],
	(SELECT ARRAY[count(*), count(DISTINCT provider_id), count(DISTINCT region)]::numeric[] FROM pg_temp.live WHERE epoch_id = k), 'nodes, providers and regions of epoch ' || k)
FROM generate_series(1, 3) k;
SELECT is(ARRAY[pg_temp.metric(k, 'new nodes'), pg_temp.metric(k, 'new nodes in target regions')],
	(SELECT ARRAY[count(*), count(*) FILTER (WHERE m.multiplier > 1)]::numeric[] FROM pg_temp.live n LEFT JOIN region_status m ON (m.epoch_id, m.region) = (n.epoch_id, n.region)
		WHERE n.epoch_id = k AND n.node_id NOT IN (SELECT node_id FROM pg_temp.live WHERE epoch_id = k - 1)), 'new nodes of epoch ' || k)
FROM generate_series(1, 2) k;
SELECT ok(pg_temp.metric(2, 'new nodes in target regions') BETWEEN 1 AND pg_temp.metric(2, 'new nodes') - 1, 'some in target regions, some not');
SELECT is((SELECT (value, detail)::text FROM pg_temp.growth WHERE epoch_id = 2 AND metric = 'regions opened'),
	(SELECT (count(*), string_agg(region, ', ' ORDER BY region))::text FROM (SELECT region FROM pg_temp.live WHERE epoch_id = 2 AND region IS NOT NULL EXCEPT SELECT region FROM pg_temp.live WHERE epoch_id = 1) s), 'regions opened, by name');
SELECT is_empty($$ SELECT * FROM (SELECT epoch_id, coalesce(region, '') AS subject, sum(power(share, 2)) AS hhi
			FROM (SELECT epoch_id, region, provider_id, (sum(contribution) / sum(sum(contribution)) OVER (PARTITION BY epoch_id, region))::float8 AS share FROM pg_temp.live WHERE region IS NOT NULL GROUP BY 1, 2, 3
				UNION ALL SELECT epoch_id, NULL, provider_id, (sum(contribution) / sum(sum(contribution)) OVER (PARTITION BY epoch_id))::float8 FROM pg_temp.live GROUP BY 1, 3) s GROUP BY 1, 2) o
		FULL JOIN (SELECT epoch_id, coalesce(subject, '') AS subject, value FROM pg_temp.growth WHERE kind = 'provider concentration') g USING (epoch_id, subject)
	WHERE (abs(o.hhi - g.value::float8) < 1e-11) IS NOT TRUE $$, 'concentration is the sum of squares of the providers'' shares');
SELECT ok((SELECT count(*) > 10 AND min(value) < 0.5 AND max(value) = 1 FROM pg_temp.growth WHERE kind = 'provider concentration' AND epoch_id = 2), 'from many providers to one');
SELECT is_empty($$ SELECT * FROM (
		SELECT e.epoch_id, sum(c.value) AS demand, sum(c.value * least(coverage_value(e.closing_supply, c.center) / 40, 1)) AS served,
			sum(c.value * greatest(0, least(coverage_value(e.closing_supply, c.center) / 40, 1) - least(coverage_value(e.supply, c.center) / 40, 1))) AS newly
		FROM epoch e JOIN pg_temp.cell c USING (epoch_id) GROUP BY 1) o
	WHERE abs(pg_temp.metric(epoch_id, 'demand')::float8 - demand) > 1e-6 OR abs(pg_temp.metric(epoch_id, 'demand served')::float8 - served) > 1e-6 * demand
		OR abs(pg_temp.metric(epoch_id, 'demand newly served')::float8 - newly) > 1e-6 * demand OR abs(pg_temp.metric(epoch_id, 'share of demand served')::float8 - served / demand) > 1e-9 $$, 'demand served and newly served, cell by cell');
SELECT ok(pg_temp.metric(2, 'demand newly served') > 0 AND pg_temp.metric(2, 'demand newly served') < pg_temp.metric(2, 'demand served'), 'some was served before');
SELECT is_empty($$ SELECT * FROM pg_temp.growth g JOIN epoch_reach r ON r.epoch_id = g.epoch_id AND r.scope = 'network' AND g.metric = format('latency reach %s ms', r.budget_ms)
	WHERE abs(g.value::float8 - r.reached / r.demand) > 1e-11 $$, 'latency reach of the network');
SELECT is_empty($$ SELECT g.* FROM pg_temp.growth g JOIN (SELECT epoch_id, budget_ms, sum(resident) / sum(demand) AS share FROM data_residency GROUP BY 1, 2) r
	ON r.epoch_id = g.epoch_id AND g.metric = format('data residency %s ms', r.budget_ms) WHERE abs(g.value::float8 - r.share) > 1e-11 $$, 'data residency of all jurisdictions');
SELECT is((SELECT count(*) FROM pg_temp.growth WHERE kind IN ('latency reach', 'data residency')), 30::bigint, 'at each budget');
-- capacity by hand: units of live nodes by their quality; marks by provider, as no node has attested hardware
CREATE TABLE pg_temp.units AS
SELECT n.epoch_id, n.provider_id, t.code, t.family, t.unit_value, sum(n.quality * r.units) AS units
FROM epoch_node n JOIN epoch e USING (epoch_id) JOIN node_resource r ON r.node_id = n.node_id AND r.valid && e.period JOIN resource_type t ON t.code = r.resource_type GROUP BY 1, 2, 3, 4, 5;
CREATE TABLE pg_temp.added AS
SELECT u.epoch_id, u.code, u.family, u.unit_value, sum(u.units) AS units,
	sum(greatest(0, u.units - coalesce((SELECT max(o.units) FROM pg_temp.units o WHERE o.epoch_id < u.epoch_id AND (o.provider_id, o.code) = (u.provider_id, u.code)), 0))) AS added
FROM pg_temp.units u GROUP BY 1, 2, 3, 4;
SELECT is_empty($$ SELECT * FROM pg_temp.added a WHERE abs(units - pg_temp.metric(epoch_id, 'capacity ' || code)) > 1e-8 OR abs(added - pg_temp.metric(epoch_id, 'added ' || code)) > 1e-8 $$, 'capacity, and what of it is above all marks');
SELECT is_empty($$ SELECT * FROM (SELECT epoch_id, family, sum(units * unit_value) AS u, sum(added * unit_value) AS a FROM pg_temp.added GROUP BY 1, 2) s
	WHERE abs(u - pg_temp.metric(epoch_id, 'capacity of family ' || family)) > 1e-8 OR abs(a - pg_temp.metric(epoch_id, 'added in family ' || family)) > 1e-8 $$, 'by family, GPU, CPU, storage and bandwidth');
SELECT ok(pg_temp.metric(2, 'added in family gpu') > 0 AND pg_temp.metric(2, 'added in family gpu') < pg_temp.metric(2, 'capacity of family gpu') AND pg_temp.metric(3, 'added gpu_a') < pg_temp.metric(2, 'added gpu_a'),
	'growth is of the second epoch');
SELECT results_eq($$ SELECT epoch_id, metric COLLATE "default", value, change, detail FROM pg_temp.growth WHERE metric ~ '(niche resource|services)' ORDER BY metric COLLATE "C", epoch_id $$, $$ VALUES
	(1::bigint, 'niche resource types appeared', 1.0, 1.0, 'qpu'), (2, 'niche resource types appeared', 1, 0, 'fpga'), (3, 'niche resource types appeared', 0, -1, NULL),
	(1, 'niche resource types offered', 1, 1, 'qpu'), (2, 'niche resource types offered', 1, 0, 'fpga'), (3, 'niche resource types offered', 1, 0, 'fpga'),
	(1, 'services appeared', 1, 1, 'infer'), (2, 'services appeared', 1, 0, 'train'), (3, 'services appeared', 0, -1, NULL),
	(1, 'services offered', 1, 1, 'infer'), (2, 'services offered', 2, 1, 'infer, train'), (3, 'services offered', 1, -1, 'train') $$, 'niches and services that appeared');
SELECT is_empty('SELECT epoch_id, metric FROM pg_temp.growth GROUP BY 1, 2 HAVING count(*) > 1', 'a metric has one row in an epoch');
SELECT is_empty($$ SELECT * FROM pg_temp.growth a LEFT JOIN pg_temp.growth b ON b.epoch_id = a.epoch_id - 1 AND b.metric = a.metric
	WHERE a.previous <> coalesce(b.value, 0) OR a.change <> a.value - coalesce(b.value, 0) $$, 'against the epoch before');

-- 5. it stays as it was
CREATE TABLE pg_temp.before AS SELECT to_jsonb(v) AS j FROM (SELECT to_jsonb(r) FROM latency_reach r UNION ALL SELECT to_jsonb(m) FROM growth_metric m UNION ALL SELECT to_jsonb(d) FROM data_residency d) v;
UPDATE region SET boundary = ST_Multi(ST_MakeEnvelope(0, 0, 1, 1, 4326))::geography WHERE code IN ('U', 'T00');
UPDATE region SET jurisdiction = 'elsewhere';
UPDATE resource_type SET family = 'niche', unit = 'x';
UPDATE node SET location = 'POINT(0 0)';
UPDATE demand SET weight = 1;
SELECT is_empty($$ SELECT to_jsonb(v) FROM (SELECT to_jsonb(r) FROM latency_reach r UNION ALL SELECT to_jsonb(m) FROM growth_metric m UNION ALL SELECT to_jsonb(d) FROM data_residency d) v
	EXCEPT SELECT j FROM pg_temp.before $$, 'later changes change nothing of the past');
SELECT is_empty($$ SELECT * FROM verify_epoch(2) WHERE NOT ok $$, 'which still verifies');
SELECT matches((SELECT detail FROM verify_epoch(2) WHERE check_name = 'latency reach'), 'boundaries have changed', 'except for what depends on boundaries of then');
SET LOCAL session_replication_role = replica;
UPDATE epoch_reach SET reached = reached * (1 - 1e-15) WHERE epoch_id = 2 AND scope = 'network' AND budget_ms = 20;
UPDATE epoch_metric SET value = value + 1e-12 WHERE epoch_id = 3 AND kind = 'price' AND subject = 'cpu';
SELECT set_eq($$ SELECT check_name FROM verify_epoch(2) WHERE NOT ok $$, ARRAY['seal of epoch_reach', 'latency reach'], 'the last bit of a reach is found');
SELECT set_eq($$ SELECT check_name FROM verify_epoch(3) WHERE NOT ok $$, ARRAY['seal of epoch_metric', 'growth metrics'], 'and the last digit of a metric');
SELECT * FROM finish();
ROLLBACK;
