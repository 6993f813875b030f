-- Names: whoever splits, renames, sells, swaps machines, identities or units earns no more.
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'honest'), (1, 'the same again'), (2, 'a machine split in two'), (3, 'split over two providers'), (4, 'no hardware_id: another stay'),
	(5, 'no hardware_id: another provider'), (6, 'no hardware_id: another provider each epoch'), (7, 'leaves and rejoins at once'), (8, 'sold within an epoch'), (9, 'sold between epochs'),
	(10, 'a new machine in a young one''s place'), (11, 'a new machine in an old one''s place'), (12, 'a new machine of another provider in an old one''s place'), (13, 'two machines change places'),
	(14, 'no hardware_id: another provider ten kilometres away'), (15, 'a new machine ten kilometres from where an old one left')) v;
INSERT INTO world.attack SELECT variant, 0, name FROM world.variant WHERE variant > 0;
SELECT world.settle(:worlds);
-- the attacker: a new machine at the best gap, an old one at the next, and one without hardware_id at the third
SELECT world.put(v, 11, 'a', 'hA', 1, 18) FROM unnest(ARRAY[0, 1, 4, 5, 6, 11, 12, 14, 15]) v;
SELECT world.put(v, 12, 'a', 'hB', 2, -50) FROM unnest(ARRAY[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14]) v;
SELECT world.put(v, 13, 'a', NULL, 3, -40) FROM unnest(ARRAY[0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 15]) v;
SELECT world.put(2, 11, 'a', 'hA', 1, 18, NULL, 0.3), world.put(2, 21, 'a', 'hA2', 1, 18, NULL, 0.7);
SELECT world.put(3, 11, 'a', 'hA', 1, 18, NULL, 0.3), world.put(3, 21, 'b', 'hA2', 1, 18, NULL, 0.7);
SELECT world.put(4, 13, 'a', NULL, 3, -40, 36), world.put(4, 23, 'a', NULL, 3, 36);
SELECT world.put(5, 13, 'a', NULL, 3, -40, 36), world.put(5, 23, 'b', NULL, 3, 36);
SELECT world.put(6, 13, 'a', NULL, 3, -40, 18), world.put(6, 23, 'b', NULL, 3, 18, 36), world.put(6, 33, 'a', NULL, 3, 36, 54), world.put(6, 43, 'b', NULL, 3, 54);
SELECT world.put(7, 11, 'a', 'hA', 1, 18, 45), world.put(7, 21, 'a', 'hA', 1, 45);
SELECT world.put(8, 11, 'a', 'hA', 1, 18, 45), world.put(8, 21, 'b', 'hA', 1, 45);
SELECT world.put(9, 11, 'a', 'hA', 1, 18, 36), world.put(9, 21, 'b', 'hA', 1, 36);
SELECT world.put(10, 11, 'a', 'hA', 1, 18, 54), world.put(10, 21, 'a', 'hA2', 1, 54);
SELECT world.put(11, 12, 'a', 'hB', 2, -50, 36), world.put(11, 22, 'a', 'hB2', 2, 36);
SELECT world.put(12, 12, 'a', 'hB', 2, -50, 36), world.put(12, 22, 'b', 'hB2', 2, 36);
SELECT world.put(13, 11, 'a', 'hA', 1, 18, 36), world.put(13, 21, 'a', 'hB', 1, 36), world.put(13, 12, 'a', 'hB', 2, -50, 36), world.put(13, 22, 'a', 'hA', 2, 36);
SELECT world.put(14, 13, 'a', NULL, 3, -40, 36), world.put(14, 23, 'b', NULL, 3, 36), world.put(15, 12, 'a', 'hB', 2, -50, 36), world.put(15, 22, 'a', 'hB2', 2, 36);
-- to where the middle is not, so that the region stays the same
UPDATE world.plan_node SET x = x + 10 * sign(x) WHERE (variant, id) IN ((14, 23), (15, 22));
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :'policy');
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(15);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT is_empty(format('SELECT world, before, after, rows FROM gain WHERE variant = %s AND against = %s AND after > before + rows', variant, against), name || ' does not pay, to a base unit a row')
FROM world.attack WHERE variant NOT IN (12, 14, 15) ORDER BY variant;
-- a hole: who has another name and another machine is somebody else; it is open where much is new at once
SELECT cmp_ok(median, '<', 5::numeric, name || ' pays little') FROM world.summary WHERE name IN (SELECT name FROM world.attack WHERE variant IN (12, 14, 15));
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
