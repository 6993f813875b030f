-- Units: moved between machines, there for a flash, added to a mature machine.
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'a young machine and an old one at one place'), (1, 'the same again'), (2, 'units moved to the young one'), (3, 'units moved to the old one'), (4, 'units moved to and fro'),
	(5, 'half of the units away for an epoch'), (6, 'three times as much from the third epoch on'), (7, 'a flash of three times as much'), (8, 'a flash of a million times as much'), (9, 'a flash of three times as much, replaced by a new stay'),
	(10, 'at two places'), (11, 'units moved to the better place'), (12, 'units moved between the places to and fro')) v;
INSERT INTO world.attack SELECT variant, 0, name FROM world.variant WHERE variant BETWEEN 1 AND 9;
INSERT INTO world.attack SELECT variant, 10, name FROM world.variant WHERE variant > 10;
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, 18), world.put(v, 12, 'a', 'hB', CASE WHEN v < 10 THEN 1 ELSE 2 END, -50) FROM generate_series(0, 12) v;
-- from day 36 on all is on one of them; and each epoch on another
UPDATE world.plan_resource SET b = 36 WHERE variant IN (2, 3, 4, 11, 12) AND id IN (11, 12);
SELECT world.joint(2, 11, 36), world.joint(3, 12, 36), world.joint(4, 11, 36, 54), world.joint(4, 12, 54), world.joint(11, 11, 36), world.joint(12, 11, 36, 54), world.joint(12, 12, 54);
-- the old one, which is mature, for an epoch or for good
UPDATE world.plan_resource SET b = 36 WHERE variant BETWEEN 5 AND 9 AND id = 12;
SELECT world.give(5, 12, 2, 0.5, 36, 54), world.give(5, 12, 2, 1, 54), world.give(6, 12, 2, 3, 36), world.give(7, 12, 2, 3, 36, 54), world.give(7, 12, 2, 1, 54), world.give(8, 12, 2, 1000000, 36, 54), world.give(8, 12, 2, 1, 54);
UPDATE world.plan_node SET b = 36 WHERE variant = 9 AND id = 12;
SELECT world.put(9, 22, 'a', 'hB', 1, 36, 54, 3), world.put(9, 32, 'a', 'hB', 1, 54);
UPDATE world.plan_resource SET b = NULL WHERE variant = 9 AND id = 12;
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :'policy');
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
-- what a unit and day of growth brings: of what came for an epoch, and of what came with it and stayed; prices are another thing
CREATE TEMP TABLE flash AS
SELECT s.world, s.variant, sum(s.amount) FILTER (WHERE s.provider = 4 AND s.component <> 'resource_types') AS own,
	coalesce(sum(s.amount) FILTER (WHERE s.provider < 4 AND s.component = 'network_capacity' AND s.epoch_id = 4), 0) AS others
FROM world.score s WHERE s.variant IN (0, 6, 7, 8, 9) GROUP BY 1, 2;
CREATE TEMP TABLE unit_day AS
SELECT h.world, (m.own - h.own) / (2 * 36) AS stays, (t.own - h.own) / (2 * 18) AS flash, (r.own - h.own) / (2 * 18) AS replaced, (x.own - h.own) / (999999 * 18) AS million
FROM flash h JOIN flash m ON (m.world, m.variant) = (h.world, 6) JOIN flash t ON (t.world, t.variant) = (h.world, 7) JOIN flash x ON (x.world, x.variant) = (h.world, 8) JOIN flash r ON (r.world, r.variant) = (h.world, 9) WHERE h.variant = 0;
\o
SELECT plan(14);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT diag(format('a unit and day of a flash brings more than one that came with it and stayed in %s of %s worlds; median %s %% of it', count(*) FILTER (WHERE flash > greatest(stays, 0) + 1), count(*),
	round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY (flash / nullif(stays, 0))::float8))::numeric, 1))) FROM unit_day;
SELECT diag(format('%s: others'' network_capacity after it median %s %%, least %s %%', v.name, round((percentile_cont(0.5) WITHIN GROUP (ORDER BY (100 * (f.others / h.others - 1))::float8))::numeric, 2), round(min(100 * (f.others / h.others - 1)), 2)))
FROM flash f JOIN flash h ON h.variant = 0 AND h.world = f.world AND h.others > 0 JOIN world.variant v ON v.variant = f.variant WHERE f.variant IN (7, 8) GROUP BY v.name ORDER BY 1;
SELECT is_empty(format('SELECT world, before, after, rows FROM gain WHERE variant = %s AND against = %s AND after > before + rows', variant, against), name || ' does not pay, to a base unit a row')
FROM world.attack WHERE variant IN (1, 2, 3, 4) ORDER BY variant;
-- what is kept back has a higher price, and leaves a region's need open for one's own new machine
SELECT is_empty($$ SELECT world, before, after, rows FROM world.gains('{resource_types,new_regions}') WHERE variant = 5 AND after > before + rows $$,
	'half of the units away for an epoch does not pay, to a base unit a row, but for resource_types and new_regions');
SELECT is_empty('SELECT * FROM world.unexplained(5, 0)', 'and brings no more in these two than by the price of what is kept back and by the need that it leaves');
SELECT ok((SELECT bool_and(median <= 0) FROM world.summary s WHERE s.name = a.name), a.name || ' does not pay in the median') FROM world.attack a
WHERE variant = 12 ORDER BY variant;
-- who goes where more is missing is paid for that
SELECT cmp_ok(median, '<', 5::numeric, name || ' pays little') FROM world.summary WHERE name = 'units moved to the better place';
SELECT cmp_ok((SELECT count(*) FROM unit_day WHERE flash > greatest(stays, 0) + 1), '<=', (:worlds / 20)::bigint, 'a unit of a flash brings no more a day than one that stays');
SELECT cmp_ok((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (flash / nullif(stays, 0))::float8) FROM unit_day WHERE stays > 1), '<', 0.95::float8, 'but less');
SELECT is_empty('SELECT * FROM unit_day WHERE million > greatest(stays, 0) + 1', 'nor does one of a flash of a million times as much');
SELECT is_empty('SELECT * FROM unit_day WHERE replaced > flash + 1', 'nor is it older under another stay');
SELECT ok((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (f.others / h.others)::float8) > 0.9 FROM flash f JOIN flash h ON h.variant = 0 AND h.world = f.world AND h.others > 0 WHERE f.variant = 7), 'a flash of three times as much takes little growth from others');
SELECT ok((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (f.others / h.others)::float8) > 0.5 FROM flash f JOIN flash h ON h.variant = 0 AND h.world = f.world AND h.others > 0 WHERE f.variant = 8), 'nor does one of a million times as much starve them');
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
