-- Work: what is not measured, not there or done by somebody else is not paid.
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'honest'), (1, 'the same again'), (2, 'energy for one answer in ten'), (3, 'slow answers without a time'), (4, 'nine tiny fast answers beside each slow one'),
	(5, 'nine empty fast answers beside each slow one'), (6, 'a hundred times the work'), (7, 'work under two names'), (8, 'slow work to a machine that is lost anyway'), (9, 'work by a machine without quality'), (10, 'a tiny job of the other service')) v;
INSERT INTO world.attack SELECT variant, 0, name FROM world.variant WHERE variant > 0;
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, 0), world.put(v, 12, 'a', 'hB', 2, -50) FROM generate_series(0, 10) v;
DELETE FROM world.plan_node WHERE variant = 7 AND id = 11;
DELETE FROM world.plan_resource WHERE variant = 7 AND id = 11;
SELECT world.put(7, 11, 'a', 'hA', 1, 0, NULL, 0.5), world.put(7, 21, 'b', 'hA2', 1, 0, NULL, 0.5);
-- the second machine is down half of the time and so without quality
INSERT INTO world.plan_beat SELECT n.world, n.variant, n.id, 18 * k + 0.1 * j, 80, false FROM world.plan_node n, generate_series(0, 3) k, generate_series(1, 3) j WHERE n.id = 12;
-- others: two jobs of each service an epoch
INSERT INTO world.plan_work SELECT n.world, n.variant, n.id, s, 18 * k + 5 + j, 40 + 300 * world.r(n.world, 'ms' || s, n.id), true, 1 + trunc(3000 * world.r(n.world, 'work' || s, n.id)), NULL, trunc(200000 * world.r(n.world, 'mwh', n.id))
FROM world.plan_node n, unnest(ARRAY['s1', 's2']) s, generate_series(0, 3) k, generate_series(1, 2) j WHERE n.id < 10 AND 18 * k + 5 >= n.a AND (s = 's1' OR n.id < 3);
-- the attacker: ten jobs an epoch, every other one slow, each of 400 units and 60 mWh a unit
INSERT INTO world.plan_work
SELECT n.world, n.variant, CASE WHEN n.variant = 8 AND j % 2 = 0 THEN 12 WHEN n.variant = 7 AND j > 5 THEN 21 ELSE 11 END, 's1', 18 * k + j,
	CASE WHEN j % 2 = 1 THEN 60 WHEN n.variant = 3 THEN NULL ELSE 700 END, true, CASE n.variant WHEN 6 THEN 40000 ELSE 400 END, NULL, CASE WHEN n.variant <> 2 THEN CASE n.variant WHEN 6 THEN 40000 ELSE 400 END * 60 WHEN j = 1 THEN 400 * 5 END
FROM world.plan_node n, generate_series(0, 3) k, generate_series(1, 10) j WHERE n.id = 11;
INSERT INTO world.plan_work
SELECT n.world, n.variant, 11, 's1', 18 * k + 11 + 0.1 * j, 5, true, CASE n.variant WHEN 4 THEN 1 ELSE 0 END, NULL, CASE n.variant WHEN 4 THEN 60 ELSE 0 END
FROM world.plan_node n, generate_series(0, 3) k, generate_series(1, 45) j WHERE n.id = 11 AND n.variant IN (4, 5);
INSERT INTO world.plan_work
SELECT n.world, n.variant, 12, 's2', 18 * k + 11 + j, 60, true, CASE WHEN n.variant = 9 THEN 100000 ELSE 100 END, NULL, NULL FROM world.plan_node n, generate_series(0, 3) k, generate_series(1, 3) j WHERE n.id = 12;
INSERT INTO world.plan_work
SELECT n.world, n.variant, 11, 's2', 18 * k + 13, 60, true, 100, NULL, NULL FROM world.plan_node n, generate_series(0, 3) k WHERE n.id = 11 AND n.variant IN (0, 1, 2, 3, 4, 5, 6, 8, 9, 7);
SELECT world.beat(12, 72);
SELECT world.make(4, 18, '{}', :'policy');
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gain;
\o
SELECT plan(9);
SELECT diag(format('%-60s worlds %s pays in %s, gain median %s %%, worst %s %%, least %s %%, worst in units %s', name, worlds, pays, median, worst, least, worst_units)) FROM world.summary;
SELECT is_empty(format('SELECT world, before, after, rows FROM gain WHERE variant = %s AND against = %s AND after > before + rows', variant, against), name || ' does not pay, to a base unit a row')
FROM world.attack WHERE variant IN (1, 2, 3, 5, 7, 9) ORDER BY variant;
SELECT is_empty('SELECT world, before, after FROM gain WHERE variant = 4 AND after > before * 1.01125 + rows', 'tiny fast answers bring no more than their part of the work');
SELECT is_empty('SELECT w.node_id FROM epoch_node_service w JOIN epoch_node_resource u USING (epoch_id, node_id) JOIN policy_service p ON p.service_type = w.service_type AND p.resource_type = u.resource_type
	WHERE w.work > u.units * 24 * 18 * p.max_work_per_hour::float8 * (1 + 1e-12)', 'no more work is counted than the units can do');
SELECT cmp_ok((SELECT count(*) FROM epoch_node_service WHERE work < work_done), '>=', (4 * :worlds)::bigint, 'which limits many');
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
