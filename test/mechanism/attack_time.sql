-- Time: staying half-open, going away, hopping, hiding, flashes and dust.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
SET search_path = swarm_reward, public;
SET client_min_messages = warning;
\ir world.psql
\if :{?worlds}
\else
\set worlds 300
\endif
\if :{?baseline}
\else
\set baseline true
\endif
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'honest'), (1, 'the same again'), (2, 'half open'), (3, 'half open, then open'), (4, 'away for an epoch'), (5, 'three times as much from the third epoch on'), (6, 'hops to a fresh gap each epoch'),
	(7, 'hops to and fro'), (8, 'there before the first epoch'), (9, 'leaves before the first epoch, returns after it'), (10, 'flash of a million times as much'), (11, 'flash of three times as much'), (12, 'dust of 1e-6'),
	(13, 'two in one gap'), (14, 'two take turns in one gap'), (15, 'ten times as much')) v;
INSERT INTO world.attack SELECT variant, 0, name FROM world.variant WHERE variant IN (1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 15);
INSERT INTO world.attack VALUES (9, 8, 'leaves before the first epoch, returns after it'), (0, 8, 'hides until the baseline is over'), (14, 13, 'two take turns in one gap');
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, 18) FROM unnest(ARRAY[0, 1, 13]) v;
SELECT world.put(2, 11, 'a', 'hA', 1, 18, NULL, 0.5), world.put(3, 11, 'a', 'hA', 1, 18, NULL, 0.5);
UPDATE world.plan_resource SET b = 36 WHERE variant = 3 AND id = 11;
SELECT world.give(3, 11, 1, 1, 36);
SELECT world.put(4, 11, 'a', 'hA', 1, 18, 36), world.put(4, 21, 'a', 'hA', 1, 54);
SELECT world.put(6, 11, 'a', 'hA', 1, 18, 36), world.put(6, 21, 'a', 'hA', 2, 36, 54), world.put(6, 31, 'a', 'hA', 3, 54);
SELECT world.put(7, 11, 'a', 'hA', 1, 18, 36), world.put(7, 21, 'a', 'hA', 2, 36, 54), world.put(7, 31, 'a', 'hA', 1, 54);
SELECT world.put(8, 11, 'a', 'hA', 1, -100);
SELECT world.put(9, 11, 'a', 'hA', 1, -100, -1), world.put(9, 21, 'a', 'hA', 1, 18);
SELECT world.put(v, 11, 'a', 'hA', 1, 18) FROM unnest(ARRAY[5, 10, 11]) v;
UPDATE world.plan_resource SET b = 36 WHERE variant IN (5, 10, 11) AND id = 11;
SELECT world.give(10, 11, 1, 1000000, 36, 54), world.give(10, 11, 1, 1, 54), world.give(11, 11, 1, 3, 36, 54), world.give(11, 11, 1, 1, 54), world.give(5, 11, 1, 3, 36);
SELECT world.put(12, 11, 'a', 'hA', 1, 18, NULL, 0.000001), world.put(15, 11, 'a', 'hA', 1, 18, NULL, 10);
SELECT world.put(13, 21, 'b', 'hB', 1, 18);
SELECT world.put(14, 11, 'a', 'hA', 1, 18, 36), world.put(14, 21, 'b', 'hB', 1, 36, 54), world.put(14, 31, 'a', 'hA', 1, 54);
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :baseline);
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(13);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
-- what others lose by a flash, and what a unit of it earns a day: of the attacker, of what comes for an epoch, and of what comes and stays
CREATE TEMP TABLE flash AS
SELECT v.variant, s.world, coalesce(sum(s.amount) FILTER (WHERE s.provider < 4 AND s.component = 'network_capacity' AND s.epoch_id >= 3), 0) AS others,
	sum(s.amount) FILTER (WHERE s.provider = 4) AS own FROM (VALUES (0), (5), (10), (11)) v (variant) JOIN world.score s USING (variant) GROUP BY 1, 2;
CREATE TEMP TABLE unit_day AS
SELECT h.world, h.own / 54 AS stays, (m.own - h.own) / (2 * 36) AS came_to_stay, (t.own - h.own) / (2 * 18) AS flash_3, (x.own - h.own) / (999999 * 18) AS flash_million
FROM flash h JOIN flash m ON (m.world, m.variant) = (h.world, 5) JOIN flash t ON (t.world, t.variant) = (h.world, 11) JOIN flash x ON (x.world, x.variant) = (h.world, 10) WHERE h.variant = 0;
SELECT diag(format('flash of %s times as much: others'' network_capacity from then on median %s %%, least %s %%', CASE f.variant WHEN 10 THEN '1000000' ELSE '3' END,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY (100 * (f.others / h.others - 1))::float8))::numeric, 2), round(min(100 * (f.others / h.others - 1)), 2)))
FROM flash f JOIN flash h ON h.variant = 0 AND h.world = f.world AND h.others > 0 WHERE f.variant >= 10 GROUP BY f.variant ORDER BY 1;
SELECT diag(format('a unit and day of a threefold flash earns more than of what stays in %s of %s worlds, than of what came then to stay in %s; median %s %% and %s %% of it',
	count(*) FILTER (WHERE flash_3 > stays + 1), count(*), count(*) FILTER (WHERE flash_3 > came_to_stay + 1), round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY (flash_3 / stays)::float8))::numeric, 1),
	round((100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY (flash_3 / nullif(came_to_stay, 0))::float8))::numeric, 1))) FROM unit_day WHERE stays > 0;
SELECT is_empty(format('SELECT world, before, after, rows FROM gain WHERE variant = %s AND against = %s AND after > before + rows', variant, against), name || ' does not pay, to a base unit a row')
FROM world.attack WHERE (variant, against) IN ((1, 0), (2, 0), (3, 0), (9, 8), (12, 0)) ORDER BY variant;
SELECT ok((SELECT bool_and(median <= 0) FROM world.summary s WHERE s.name = a.name), a.name || ' does not pay in the median') FROM world.attack a
WHERE (variant, against) IN ((4, 0), (6, 0), (7, 0), (14, 13), (0, 8)) ORDER BY variant;
SELECT is_empty($$ SELECT * FROM unit_day WHERE flash_million > stays + 1 OR flash_3 > stays + 1 $$, 'a unit of a flash earns no more a day than one that stays');
SELECT is_empty($$ SELECT f.world, f.variant, f.others, h.others FROM flash f JOIN flash h ON h.variant = 0 AND h.world = f.world WHERE f.variant = 10 AND f.others < 0.5 * h.others $$, 'a flash does not take growth from others');
SELECT is_empty($$ SELECT world, sum(amount) FILTER (WHERE variant = 0), sum(amount) FILTER (WHERE variant = 15), count(*) FROM world.score WHERE provider = 4 AND component <> 'resource_types' AND variant IN (0, 15)
	GROUP BY 1 HAVING coalesce(sum(amount) FILTER (WHERE variant = 15), 0) < coalesce(sum(amount) FILTER (WHERE variant = 0), 0) - count(*) $$, 'more is not less, but for resource_types');
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
