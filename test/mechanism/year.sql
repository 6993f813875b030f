-- A year of a network, with the parameters that a policy is shipped with: 24 epochs of 15 days, a machine that comes to an unserved place on day 45, and
-- twelve ways to live that year, in the three pools that pay for growth. What the small model found that the rules were designed with must be so here:
-- names change nothing, less or shorter service brings less everywhere, a larger radius and hopping do not pay in the median, more brings more.
\if :{?worlds}
\else
\set worlds 60
\endif
\ir world.psql
\o /dev/null
INSERT INTO world.variant SELECT * FROM (VALUES (0, 'honest'), (1, 'split in two'), (2, 'split over two names'), (3, 'half of it'), (4, 'as large a radius as counts'), (5, 'there each other month'), (6, 'away for 150 days'),
	(7, 'sold after 165 days'), (8, 'a flash of fifty times as much for an epoch'), (9, 'dust of 1e-9'), (10, 'two in one gap'), (11, 'two take turns in one gap'), (12, 'hops to another gap every 30 days'), (13, 'ten times as much')) v;
INSERT INTO world.attack SELECT variant, CASE variant WHEN 11 THEN 10 ELSE 0 END, name FROM world.variant WHERE variant NOT IN (0, 10);
SELECT world.settle(:worlds);
SELECT world.put(v, 11, 'a', 'hA', 1, 45) FROM unnest(ARRAY[0, 8, 10]) v;
SELECT world.put(1, 11, 'a', 'hA', 1, 45, NULL, 0.5), world.put(1, 21, 'a', 'hA2', 1, 45, NULL, 0.5), world.put(2, 11, 'a', 'hA', 1, 45, NULL, 0.5), world.put(2, 21, 'b', 'hB', 1, 45, NULL, 0.5);
SELECT world.put(3, 11, 'a', 'hA', 1, 45, NULL, 0.5), world.put(4, 11, 'a', 'hA', 1, 45, NULL, 1, 5000000);
SELECT world.put(5, 11 + 10 * k, 'a', 'hA', 1, greatest(45, 30 + 60 * k), 60 + 60 * k) FROM generate_series(0, 5) k;
SELECT world.put(6, 11, 'a', 'hA', 1, 45, 150), world.put(6, 21, 'a', 'hA', 1, 300), world.put(7, 11, 'a', 'hA', 1, 45, 210), world.put(7, 21, 'b', 'hA', 1, 210);
UPDATE world.plan_resource SET a = 60 WHERE variant = 8 AND id = 11;
SELECT world.give(8, 11, 1, 50, NULL, 60);
SELECT world.put(9, 11, 'a', 'hA', 1, 45, NULL, 0.000000001), world.put(10, 21, 'b', 'hB', 1, 45), world.put(13, 11, 'a', 'hA', 1, 45, NULL, 10);
SELECT world.put(11, 11 + 10 * k, CASE k % 2 WHEN 0 THEN 'b' ELSE 'a' END, CASE k % 2 WHEN 0 THEN 'hB' ELSE 'hA' END, 1, greatest(45, 60 * k), 60 + 60 * k) FROM generate_series(0, 5) k;
SELECT world.put(12, 10 + k, 'a', 'hA', 1 + k % 8, greatest(45, 30 * k), 30 + 30 * k, 1, 40000, 1) FROM generate_series(1, 11) k;
SELECT world.beat(12, 360);
SELECT world.make(24, 15, '{"vesting_half_life": "60 days", "memory_half_life": "365 days", "maturity": "60 days", "freshness": "180 days", "target_fraction": 0.9}', :'policy', true);
SELECT world.run();
CREATE TEMP TABLE gain AS SELECT * FROM world.gains('{resource_gaps,resource_types,service_types,specialization}');
\o
SELECT plan(14);
SELECT diag(format('%-50s worlds %s, gain median %s %%, worst %s %%, least %s %%', name, count(*) FILTER (WHERE before > 0), round((percentile_cont(0.5) WITHIN GROUP (ORDER BY (100 * (after / nullif(before, 0) - 1))::float8))::numeric, 2),
	round(max(100 * (after / nullif(before, 0) - 1)), 2), round(min(100 * (after / nullif(before, 0) - 1)), 2))) FROM gain GROUP BY variant, name ORDER BY variant;
SELECT cmp_ok((SELECT count(*) FROM gain WHERE variant = 3 AND before > 0), '=', :worlds::bigint, 'who comes is paid in every network');
SELECT is_empty(format('SELECT * FROM gain WHERE variant = %s AND after NOT BETWEEN before - rows AND before + rows', variant), name || ' changes nothing, to a base unit a row') FROM world.variant WHERE variant IN (1, 2) ORDER BY variant;
SELECT is_empty('SELECT * FROM gain WHERE variant = 7 AND after > before + rows', 'a sale does not pay, to a base unit a row');
SELECT is_empty(format('SELECT * FROM gain WHERE variant = %s AND after >= before', variant), name || ' brings less in every network') FROM world.variant WHERE variant IN (3, 5, 6, 9, 11) ORDER BY variant;
SELECT cmp_ok((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (after / before)::float8) FROM gain WHERE variant = v.variant AND before > 0), '<=', 1::float8, name || ' does not pay in the median') FROM world.variant v WHERE variant IN (4, 12) ORDER BY variant;
SELECT is_empty('SELECT * FROM gain WHERE variant = 13 AND after <= before', 'ten times as much brings more in every network');
-- 49 units more for 15 days, one for 315
SELECT is_empty('SELECT * FROM gain WHERE variant = 8 AND (after - before) / (49 * 15) > before / 315 + 1', 'a unit and day of a flash brings less than one of what stays');
SELECT is_empty('SELECT * FROM gain WHERE variant = 9 AND world % 3 > 0 AND after > before * 1e-3', 'dust brings next to nothing, where there are price ceilings');
\if :{?components}
SELECT diag(format('%s | %s mean %s worst %s', name, component, mean, worst)) FROM world.component_gain WHERE worst <> 0 OR mean <> 0 ORDER BY variant, component;
\endif
SELECT * FROM finish();
ROLLBACK;
