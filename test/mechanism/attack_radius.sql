-- Radius: whoever claims to reach further is thinned out over more demand, and paid for what was not served there.
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, '40 km at the best gap'), (1, 'the same again'), (2, '5 000 km at the best gap'), (3, '5 km at the best gap'),
	(4, '40 km, an old machine'), (5, '5 000 km, an old machine'), (6, '40 km at the fourth gap'), (7, '5 000 km at the fourth gap'), (8, '5 000 km with the next epoch')) v;
INSERT INTO world.attack SELECT variant, CASE WHEN variant = 5 THEN 4 WHEN variant = 7 THEN 6 ELSE 0 END, name FROM world.variant WHERE variant IN (1, 2, 3, 5, 7, 8);
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, 18) FROM unnest(ARRAY[0, 1]) v;
SELECT world.put(2, 11, 'a', 'hA', 1, 18, NULL, 1, 5000000), world.put(3, 11, 'a', 'hA', 1, 18, NULL, 1, 5000), world.put(4, 11, 'a', 'hA', 1, -100), world.put(5, 11, 'a', 'hA', 1, -100, NULL, 1, 5000000);
SELECT world.put(6, 11, 'a', 'hA', 4, 18), world.put(7, 11, 'a', 'hA', 4, 18, NULL, 1, 5000000), world.put(8, 11, 'a', 'hA', 1, 18, 36), world.put(8, 21, 'a', 'hA', 1, 36, NULL, 1, 5000000);
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :'policy');
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(3);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT is_empty('SELECT * FROM gain WHERE variant = 1 AND after > before + rows', 'the same again is the same');
SELECT ok((SELECT bool_and(median <= 0) FROM world.summary s WHERE s.name = a.name), a.name || ' does not pay in the median') FROM world.attack a
WHERE variant IN (2, 3) ORDER BY variant;
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
