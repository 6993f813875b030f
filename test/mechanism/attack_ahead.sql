-- Time that is bought for nothing: a stay that says nothing until it serves, units that are declared before they are there, places that
-- are held by stays without a machine. Tenure counts from joined_at and from what is declared, whatever is heard of it: a hole, and this is its size.
\if :{?policy}
\else
\set policy strict
\endif
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'joins when it serves'), (1, 'silent until it serves'), (2, 'there all the time'),
	(3, 'a flash of a new machine'), (4, 'a flash of a machine that was silent'),
	(5, 'a tenth of the units, all of them from the third epoch on'), (6, 'units declared before they are there'),
	(7, 'no hardware_id: stays in one gap'), (8, 'no hardware_id: hops'), (9, 'no hardware_id: hops over silent stays')) v;
INSERT INTO world.attack VALUES (1, 0, 'silent until it serves, against joining then'), (1, 2, 'silent until it serves, against serving all the time'), (4, 3, 'a flash of a machine that was silent, against one of a new machine'),
	(6, 5, 'units declared before they are there'), (8, 7, 'no hardware_id: hops each epoch'), (9, 7, 'no hardware_id: hops over silent stays'), (9, 8, 'no hardware_id: hops over silent stays, against hopping');
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, CASE WHEN v = 0 THEN 36 ELSE 0 END) FROM unnest(ARRAY[0, 1, 2, 5, 6]) v;
SELECT world.put(3, 11, 'a', 'hA', 1, 36, 54), world.put(4, 11, 'a', 'hA', 1, 0, 54);
UPDATE world.plan_resource SET units = round(units * 0.1, 9), b = 36 WHERE variant = 5 AND id = 11;
SELECT world.give(5, 11, 1, 1, 36), world.put(7, 11, 'a', NULL, 1, 18);
SELECT world.put(8, 10 + k, 'a', NULL, k, 18 * k, 18 * (k + 1), 1, 40000, 1), world.put(9, 10 + k, 'a', NULL, k, -30, NULL, 1, 40000, 1) FROM generate_series(1, 3) k;
INSERT INTO world.plan_beat
SELECT n.world, n.variant, n.id, d, 80, true FROM world.plan_node n, generate_series(0, 66, 6) d
WHERE n.id > 10 AND d < coalesce(n.b, 72) AND CASE WHEN n.variant IN (1, 4) THEN d >= 36 WHEN n.variant = 9 THEN d >= 18 * (n.id - 10) AND d < 18 * (n.id - 9) END;
SELECT world.beat(6, 72);
SELECT world.make(4, 18, '{}', :'policy');
-- a check finds a tenth of what is declared, until all of it is there
INSERT INTO resource_check SELECT c.node_id, c.resource_type, world.day(36), c.units FROM resource_check c WHERE (c.node_id - 1000000) / 100 % 16 = 6 AND c.node_id % 100 = 11 AND c.checked_at = world.day(0);
UPDATE resource_check SET units = round(units * 0.1, 9) WHERE (node_id - 1000000) / 100 % 16 = 6 AND node_id % 100 = 11 AND checked_at < world.day(36);
SELECT world.run();
\o
SELECT plan(CASE :'policy' WHEN 'strict' THEN 5 ELSE 4 END);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
-- what is a hole stays as large as it is said to be
SELECT cmp_ok(median, '<=', most, name) FROM world.summary JOIN (VALUES ('silent until it serves, against joining then', 2.0), ('silent until it serves, against serving all the time', 0),
	('a flash of a machine that was silent, against one of a new machine', 45), ('units declared before they are there', 35), ('no hardware_id: hops over silent stays', 0)) v (name, most) USING (name)
-- where nothing is checked, what is declared counts as it is told
WHERE name <> 'units declared before they are there' OR :'policy' = 'strict';
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
