-- Place: claimed places, delays, silence, radius, regions.
\if :{?policy}
\else
\set policy strict
\endif
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'honest'), (1, 'the same again'), (2, 'delays beacons'), (3, 'answers two beacons'), (4, 'claims a better place'), (5, 'claims a better place and delays beacons'),
	(6, 'claims a better place and delays just so much'), (7, 'a beacon lies of it'), (8, 'claims a better place and a beacon lies for it'), (9, 'claims 5 000 km'), (10, 'claims 5 km'),
	(11, 'goes to the least demand of the poorest region'), (12, 'beside a border'), (13, 'steps over the border'), (14, 'regions are redrawn'), (15, 'regions get other codes')) v;
INSERT INTO world.attack SELECT variant, 0, name FROM world.variant WHERE variant BETWEEN 1 AND 10 OR variant >= 14;
INSERT INTO world.attack VALUES (5, 4, 'claims a better place: with delays against without'), (8, 4, 'claims a better place: a beacon lies for it against none'), (11, 12, 'goes to the least demand of the poorest region'), (13, 12, 'steps over the border');
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 4, 0) FROM unnest(ARRAY[0, 1, 2, 3, 7, 14, 15]) v;
SELECT world.put(v, 11, 'a', 'hA', 1, 0) FROM unnest(ARRAY[4, 5, 6, 8]) v;
SELECT world.put(9, 11, 'a', 'hA', 4, 0, NULL, 1, 5000000), world.put(10, 11, 'a', 'hA', 4, 0, NULL, 1, 5000), world.put(11, 11, 'a', 'hA', 4, 0);
SELECT world.put(12, 11, 'a', 'hA', 1, 0), world.put(13, 11, 'a', 'hA', 1, 0, 54), world.put(13, 21, 'a', 'hA', 1, 54);
UPDATE world.plan_node SET x = CASE WHEN id = 21 THEN -1 ELSE 1 END WHERE variant IN (12, 13) AND id IN (11, 21);
UPDATE world.plan_node n SET x = d.x, y = d.y
FROM (SELECT DISTINCT ON (world) d.world, d.x, d.y FROM (SELECT *, sum(weight) OVER (PARTITION BY world, x > 0) AS all_there FROM world.demand) d ORDER BY d.world, d.all_there, d.weight) d
WHERE n.world = d.world AND n.variant = 11 AND n.id = 11;
UPDATE world.plan_region SET b = 36 WHERE variant IN (14, 15);
INSERT INTO world.plan_region SELECT world, variant, code || 'b', CASE code WHEN 'r1' THEN x0 ELSE s.x END, y0, CASE code WHEN 'r1' THEN s.x ELSE x1 END, y1, 36, NULL
FROM world.plan_region r, LATERAL (SELECT CASE variant WHEN 14 THEN 12 ELSE 0 END AS x) s WHERE variant IN (14, 15);
-- A round trip takes 1.3 times what fibre needs. Where the attacker is, is gap 4 whatever he claims, but where he goes.
INSERT INTO world.plan_rtt
SELECT n.world, n.variant, n.id, b.i, greatest(n.a, 0) + 1 + 18 * k, CASE
	WHEN n.id > 10 AND n.variant IN (7, 8) AND b.i = 1 THEN 0.01
	WHEN n.id > 10 AND n.variant IN (2, 5) THEN t.rtt + 3
	WHEN n.id > 10 AND n.variant = 6 THEN greatest(t.rtt, (sqrt((n.x - b.x) ^ 2 + (n.y - b.y) ^ 2) - 4) / 149.896229)
	ELSE t.rtt END
FROM world.plan_node n CROSS JOIN world.beacon b JOIN world.gap g ON g.world = n.world AND g.rank = 4, generate_series(0, 3) k,
	LATERAL (SELECT CASE WHEN n.id > 10 AND n.variant BETWEEN 4 AND 8 THEN sqrt((g.x - b.x) ^ 2 + (g.y - b.y) ^ 2) ELSE sqrt((n.x - b.x) ^ 2 + (n.y - b.y) ^ 2) END * 0.013 + 0.01 AS rtt) t
WHERE NOT (n.id > 10 AND n.variant = 3 AND b.i > 2) AND greatest(n.a, 0) + 1 + 18 * k < coalesce(n.b, 72);
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :'policy');
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(10);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT is_empty(format('SELECT world, before, after, rows FROM gain WHERE variant = %s AND against = %s AND after > before + rows AND (against <> 4 OR before > 0)', variant, against), name || ' does not pay, to a base unit a row')
FROM world.attack WHERE variant IN (1, 2, 3, 5) ORDER BY variant;
SELECT ok((SELECT bool_and(median <= 0) FROM world.summary s WHERE s.name = a.name), a.name || ' does not pay in the median') FROM world.attack a
WHERE variant IN (11, 13) ORDER BY variant;
SELECT is_empty($$ SELECT epoch_id, node_id, violations, n.quality, o.quality FROM epoch_node n JOIN LATERAL (SELECT quality FROM epoch_node o WHERE o.epoch_id = n.epoch_id AND o.node_id = n.node_id - 700) o ON true
	WHERE (n.node_id - 1000000) / 100 % 16 = 7 AND (n.violations > 1 OR n.quality < o.quality) $$, 'one beacon that lies convicts nobody');
SELECT is_empty($$ SELECT n.node_id, n.uncertainty_m, d.m FROM epoch_node n, LATERAL (SELECT (n.node_id - 1000000) / 1600 AS world, (n.node_id - 1000000) / 100 % 16 AS variant) w JOIN world.gap g ON g.rank = 4 AND g.world = w.world,
	LATERAL (SELECT ST_Distance(n.location, world.place(w.world::int, w.variant::int, g.x, g.y)) AS m) d WHERE w.variant IN (4, 5, 6, 8) AND n.node_id % 100 > 10 AND n.contribution * n.place_trust > 0 AND d.m > n.uncertainty_m + 1000 $$,
	'no reward for a place further than the uncertainty from the truth');
SELECT is_empty($$ SELECT o.node_id, o.epoch_id, o.freshness, n.freshness FROM (VALUES (14), (15)) v (v) JOIN epoch_node n ON (n.node_id - 1000000) / 100 % 16 = v JOIN epoch_node o ON o.epoch_id = n.epoch_id AND o.node_id = n.node_id - v * 100
	WHERE n.freshness > o.freshness + 1e-12 $$, 'redrawn regions make nobody new');
SELECT diag(format('lies within the uncertainty: median %s km from the truth with an uncertainty of %s km', round((percentile_cont(0.5) WITHIN GROUP (ORDER BY m))::numeric), round((percentile_cont(0.5) WITHIN GROUP (ORDER BY u))::numeric)))
FROM (SELECT n.uncertainty_m / 1000 AS u, ST_Distance(n.location, world.place(((n.node_id - 1000000) / 1600)::int, 4, g.x, g.y)) / 1000 AS m FROM epoch_node n JOIN world.gap g ON g.rank = 4 AND g.world = (n.node_id - 1000000) / 1600
	WHERE (n.node_id - 1000000) / 100 % 16 = 4 AND n.node_id % 100 > 10 AND n.contribution * n.place_trust > 0) x;
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
