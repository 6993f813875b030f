-- A bad time: whoever leaves while it lasts, sells, or is in two places earns no more than one who stays.
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'honest, with a bad time'), (1, 'the same again'), (2, 'bad time within an epoch cut out'), (3, 'the same, back under another provider'), (4, 'bad time across epochs cut out'),
	(5, 'the same, back under another provider across epochs'), (6, 'sold after the bad time, with a late heartbeat'), (7, 'half of each epoch in another gap'),
	(8, 'a growing machine and a failing one'), (9, 'a growing machine sold by whose other one fails')) v;
INSERT INTO world.attack SELECT variant, 0, name FROM world.variant WHERE variant BETWEEN 1 AND 7;
INSERT INTO world.attack VALUES (9, 8, 'a growing machine sold by whose other one fails');
SELECT world.settle(:worlds);
-- two machines of two providers, of which the growing one is capped by nobody's other machines: down from day 40 to 44, and from day 50 to 58; epochs begin at 36 and 54
SELECT world.put(v, 11, 'a', 'hA', 1, 18) FROM unnest(ARRAY[0, 1, 4, 5]) v;
SELECT world.put(v, 12, 'c', 'hB', 2, -50) FROM unnest(ARRAY[0, 1, 2, 3, 6, 7]) v;
SELECT world.put(2, 11, 'a', 'hA', 1, 18, 40), world.put(2, 21, 'a', 'hA', 1, 44);
SELECT world.put(3, 11, 'a', 'hA', 1, 18, 40), world.put(3, 21, 'b', 'hA', 1, 44);
SELECT world.put(4, 12, 'c', 'hB', 2, -50, 50), world.put(4, 22, 'c', 'hB', 2, 58);
SELECT world.put(5, 12, 'c', 'hB', 2, -50, 50), world.put(5, 22, 'b', 'hB', 2, 58);
SELECT world.put(6, 11, 'a', 'hA', 1, 18, 44), world.put(6, 21, 'b', 'hA', 1, 44);
SELECT world.put(7, 11 + 10 * k, 'a', 'hA', 1 + 2 * (k % 2), 18 + 9 * k, CASE WHEN k < 5 THEN 27 + 9 * k END) FROM generate_series(0, 5) k;
SELECT world.put(v, 12, 'a', 'hB', 2, -50) FROM unnest(ARRAY[8, 9]) v;
SELECT world.put(8, 11, 'a', 'hA', 1, 18), world.put(9, 11, 'a', 'hA', 1, 18, 36), world.put(9, 21, 'b', 'hA', 1, 36);
INSERT INTO world.plan_beat
SELECT n.world, n.variant, n.id, d + 0.5, 80, true FROM world.plan_node n, generate_series(0, 70, 2) d
WHERE n.id > 10 AND d >= n.a AND d < coalesce(n.b, 72) AND CASE WHEN n.id % 10 = 1 THEN d < 40 OR d >= 44 ELSE d < 50 OR d >= 58 END;
-- the seller's machine is heard of once more when it is the buyer's
INSERT INTO world.plan_beat SELECT n.world, n.variant, n.id, 44.25, 80, true FROM world.plan_node n WHERE n.variant = 6 AND n.id = 11;
SELECT world.beat(2, 72);
SELECT world.make(4, 18, '{"heartbeat_timeout": "2 days", "telemetry_slot": "2 days", "uptime_floor": 0.6, "uptime_target": 0.95}', :'policy');
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(12);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT is_empty(format('SELECT world, before, after, rows FROM gain WHERE variant = %s AND against = %s AND after > before + rows', variant, against), name || ' does not pay, to a base unit a row')
FROM world.attack WHERE variant IN (1, 6) ORDER BY variant;
-- who is away has fewer units, of which the price is higher
SELECT is_empty(format($$ SELECT world, before, after, rows FROM world.gains('{resource_types}') WHERE variant = %s AND after > before + rows $$, variant), name || ' does not pay, to a base unit a row, but for resource_types')
FROM world.attack WHERE variant IN (2, 3) ORDER BY variant;
SELECT is_empty(format('SELECT * FROM world.unexplained(%s, %s)', variant, against), name || ' brings no more in resource_types than by the price of what is not there') FROM world.attack WHERE variant IN (2, 3) ORDER BY variant;
-- who leaves before an epoch's end has not been down in it: what he has cut out is made up for in the next one. He serves less, but one good epoch and one bad one
-- are more above a reference than two that are middling: growth is max(0, V - R)
SELECT is_empty(format($$ SELECT n.world FROM (SELECT (n.node_id - 1000000) / 1600 AS world, (n.node_id - 1000000) / 100 %% 16 AS variant, n.contribution FROM epoch_node n WHERE n.provider_id %% 100 >= 4) n
	GROUP BY n.world HAVING sum(contribution) FILTER (WHERE variant = %s) >= sum(contribution) FILTER (WHERE variant = %s) $$, variant, against), name || ' is less service in every network') FROM world.attack WHERE variant IN (4, 5) ORDER BY variant;
SELECT cmp_ok(median, '<', 0.5::numeric, name || ' pays little in the median') FROM world.summary WHERE name IN (SELECT name FROM world.attack WHERE variant IN (4, 5)) ORDER BY name;
SELECT ok((SELECT bool_and(median <= 0) FROM world.summary s WHERE s.name = a.name), a.name || ' does not pay in the median') FROM world.attack a
WHERE variant = 7 ORDER BY variant;
-- a hole: the growth of a provider's machines is no more than his own, but only of those that have his name
SELECT cmp_ok(median, '<', 5::numeric, name || ' pays little') FROM world.summary WHERE name = 'a growing machine sold by whose other one fails';
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
