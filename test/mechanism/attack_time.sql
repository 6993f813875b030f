-- Time: staying half-open, going away, hopping, dust, more.
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'honest'), (1, 'the same again'), (2, 'half open'), (3, 'half open, then open'), (4, 'away for an epoch'), (5, 'hops to a fresh gap each epoch'),
	(6, 'hops to and fro'), (7, 'two in one gap'), (8, 'two take turns in one gap'), (9, 'dust of 1e-6'), (10, 'twice as much'), (11, 'ten times as much'), (12, 'comes an epoch later')) v;
INSERT INTO world.attack SELECT variant, 0, name FROM world.variant WHERE variant IN (1, 2, 3, 4, 5, 6, 9, 12);
INSERT INTO world.attack VALUES (8, 7, 'two take turns in one gap');
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, 18) FROM unnest(ARRAY[0, 1, 7]) v;
SELECT world.put(2, 11, 'a', 'hA', 1, 18, NULL, 0.5), world.put(3, 11, 'a', 'hA', 1, 18, NULL, 0.5);
UPDATE world.plan_resource SET b = 36 WHERE variant = 3 AND id = 11;
SELECT world.give(3, 11, 1, 1, 36);
SELECT world.put(4, 11, 'a', 'hA', 1, 18, 36), world.put(4, 21, 'a', 'hA', 1, 54);
SELECT world.put(5, 11, 'a', 'hA', 1, 18, 36), world.put(5, 21, 'a', 'hA', 2, 36, 54), world.put(5, 31, 'a', 'hA', 3, 54);
SELECT world.put(6, 11, 'a', 'hA', 1, 18, 36), world.put(6, 21, 'a', 'hA', 2, 36, 54), world.put(6, 31, 'a', 'hA', 1, 54);
SELECT world.put(7, 21, 'b', 'hB', 1, 18);
SELECT world.put(8, 11, 'a', 'hA', 1, 18, 36), world.put(8, 21, 'b', 'hB', 1, 36, 54), world.put(8, 31, 'a', 'hA', 1, 54);
SELECT world.put(9, 11, 'a', 'hA', 1, 18, NULL, 0.000001), world.put(10, 11, 'a', 'hA', 1, 18, NULL, 2), world.put(11, 11, 'a', 'hA', 1, 18, NULL, 10), world.put(12, 11, 'a', 'hA', 1, 36);
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :'policy');
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(13);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT is_empty(format('SELECT world, before, after, rows FROM gain WHERE variant = %s AND against = %s AND after > before + rows', variant, against), name || ' does not pay, to a base unit a row')
FROM world.attack WHERE variant IN (1, 2, 9) ORDER BY variant;
-- what is kept back has a higher price, and leaves the need of a region open
SELECT is_empty($$ SELECT world, g.before, g.after, g.rows FROM gain g JOIN world.gains('{resource_types}') p USING (variant, world) JOIN world.gains('{new_regions}') n USING (variant, world)
	WHERE variant = 3 AND g.after - g.before - g.rows > greatest(0, g.after - g.before - (p.after - p.before)) + greatest(0, g.after - g.before - (n.after - n.before)) $$,
	'half open, then open does not pay, to a base unit a row, but for what resource_types and new_regions bring more');
SELECT is_empty('SELECT * FROM world.unexplained(3, 0)', 'and brings no more in these two than by the price of what is kept back and by the need that it leaves');
-- service while it lasts
SELECT ok((SELECT bool_and(median <= 0) FROM world.summary s WHERE s.name = a.name), a.name || ' does not pay in the median') FROM world.attack a
WHERE variant IN (4, 5, 6, 8) ORDER BY variant;
SELECT is_empty($$ SELECT l.world, l.variant, l.amount, m.variant, m.amount FROM (SELECT world, variant, sum(amount) AS amount, count(*) AS rows FROM world.score WHERE provider = 4 AND component NOT IN ('resource_types', 'new_regions') GROUP BY 1, 2) l
	JOIN (SELECT world, variant, sum(amount) AS amount FROM world.score WHERE provider = 4 AND component NOT IN ('resource_types', 'new_regions') GROUP BY 1, 2) m ON m.world = l.world AND (l.variant, m.variant) IN ((0, 10), (0, 11), (10, 11)) WHERE m.amount < l.amount - l.rows $$,
	'more is not less, but for resource_types and new_regions');
SELECT is_empty(format('SELECT * FROM world.unexplained(%s, %s)', l, m), format('these two are not less than by price and need: variant %s against %s', m, l)) FROM (VALUES (0, 10), (10, 11)) v (l, m);
SELECT diag(format('%s: new_regions is less than for %s in %s of %s worlds, at worst %s %% of it', m.name, l.name, count(*) FILTER (WHERE m.amount < l.amount), count(*), round(min(100 * (m.amount / nullif(l.amount, 0) - 1)), 2)))
FROM (SELECT world, variant, name, sum(amount) AS amount FROM world.score JOIN world.variant USING (variant) WHERE provider = 4 AND component = 'new_regions' GROUP BY 1, 2, 3) l
	JOIN (SELECT world, variant, name, sum(amount) AS amount FROM world.score JOIN world.variant USING (variant) WHERE provider = 4 AND component = 'new_regions' GROUP BY 1, 2, 3) m ON m.world = l.world AND (l.variant, m.variant) IN ((0, 10), (10, 11)) GROUP BY m.name, l.name ORDER BY 1;
SELECT is_empty($$ SELECT s.epoch_id, s.world, s.component FROM world.score s JOIN world.pool p USING (epoch_id, world, variant, component) JOIN world.price r USING (component)
	WHERE s.variant = 9 AND s.provider = 4 AND s.world % 3 > 0 AND s.amount > s.score * r.price + 1 $$, 'dust takes no more than the ceiling times its score');
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
