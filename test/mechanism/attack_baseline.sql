-- The first epoch: who stays away from it, or leaves before it, gains nothing where baseline is false. Where it is true
-- (-v baseline=true), what is there in the first epoch is given for ever, and nothing tells who was hidden from who is new.
\ir world.psql
\if :{?baseline}
\else
\set baseline false
\endif
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'there when the first epoch begins'), (1, 'the same again'), (2, 'hides until the first epoch is over'), (3, 'hides for two epochs'),
	(4, 'there long before'), (5, 'leaves before the first epoch, returns after it'), (6, 'leaves before the first epoch, returns in it'), (7, 'half of it hides until the first epoch is over')) v;
INSERT INTO world.attack SELECT variant, CASE WHEN variant IN (5, 6) THEN 4 ELSE 0 END, name FROM world.variant WHERE variant IN (1, 2, 3, 5, 6, 7);
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, 0) FROM unnest(ARRAY[0, 1]) v;
SELECT world.put(2, 11, 'a', 'hA', 1, 18), world.put(3, 11, 'a', 'hA', 1, 36), world.put(4, 11, 'a', 'hA', 1, -100);
SELECT world.put(5, 11, 'a', 'hA', 1, -100, -1), world.put(5, 21, 'a', 'hA', 1, 18), world.put(6, 11, 'a', 'hA', 1, -100, -1), world.put(6, 21, 'a', 'hA', 1, 9);
SELECT world.put(7, 11, 'a', 'hA', 1, 0, NULL, 0.5), world.put(7, 21, 'a', 'hA2', 1, 18, NULL, 0.5);
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :'policy', :baseline);
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(6);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT is_empty(format('SELECT world, before, after, rows FROM gain WHERE variant = %s AND against = %s AND after > before + rows', variant, against), name || ' does not pay, to a base unit a row')
FROM world.attack WHERE variant IN (1, 5) ORDER BY variant;
-- who comes later finds another network
SELECT ok((SELECT bool_and(median <= 0) FROM world.summary s WHERE s.name = a.name), a.name || ' does not pay in the median') FROM world.attack a WHERE variant IN (2, 3, 6, 7) ORDER BY variant;
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
