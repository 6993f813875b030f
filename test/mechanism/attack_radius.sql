-- Radius: whoever claims to reach further is thinned out over more demand, and paid for what was not served there.
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, '40 km at the best gap'), (1, 'the same again'), (2, '5 000 km at the best gap'), (3, '5 km at the best gap'),
	(4, '40 km, an old machine'), (5, '5 000 km, an old machine'), (6, '40 km at the fourth gap'), (7, '5 000 km at the fourth gap'), (8, '5 000 km with the next epoch'),
	(9, 'where nobody is in reach')) v;
INSERT INTO world.attack SELECT variant, CASE WHEN variant = 5 THEN 4 WHEN variant = 7 THEN 6 ELSE 0 END, name FROM world.variant WHERE variant IN (1, 2, 3, 5, 7, 8, 9);
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, 18) FROM unnest(ARRAY[0, 1]) v;
SELECT world.put(2, 11, 'a', 'hA', 1, 18, NULL, 1, 5000000), world.put(3, 11, 'a', 'hA', 1, 18, NULL, 1, 5000), world.put(4, 11, 'a', 'hA', 1, -100), world.put(5, 11, 'a', 'hA', 1, -100, NULL, 1, 5000000);
SELECT world.put(6, 11, 'a', 'hA', 4, 18), world.put(7, 11, 'a', 'hA', 4, 18, NULL, 1, 5000000), world.put(8, 11, 'a', 'hA', 1, 18, 36), world.put(8, 21, 'a', 'hA', 1, 36, NULL, 1, 5000000);
-- 17 km and more from all demand, in a region that wants much
SELECT world.put(9, 11, 'a', 'hA', 1, 18, NULL, 1, 5000);
UPDATE world.plan_node SET x = 97 * sign(x), y = 97 WHERE (variant, id) = (9, 11);
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :'policy');
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(5);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT is_empty('SELECT * FROM gain WHERE variant = 1 AND after > before + rows', 'the same again is the same');
SELECT ok((SELECT bool_and(median <= 0) FROM world.summary s WHERE s.name = a.name), a.name || ' does not pay in the median') FROM world.attack a
WHERE variant IN (2, 3) ORDER BY variant;
SELECT is_empty($$ SELECT * FROM world.score WHERE variant = 9 AND provider = 4 AND component IN ('new_regions', 'geographic_gaps') $$, 'where nobody is in reach nothing is paid for being there');
SELECT isnt_empty($$ SELECT FROM epoch_region r JOIN epoch_node n USING (epoch_id, region) WHERE (n.node_id - 1000000) / 100 % 16 = 9 AND n.node_id % 100 = 11 AND r.need > 0 AND r.multiplier > 1 $$, 'though its region wants more');
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
