-- exact_sum: the sum of the shortest decimals, as sum(exact(x)) gives it, for whatever floats, in whatever order, by however many workers.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SELECT plan(10);
SET search_path = swarm_reward_internal, swarm_reward, public;

CREATE TABLE some_float AS
SELECT i, CASE i % 9 WHEN 0 THEN 0 WHEN 1 THEN i WHEN 2 THEN -i / 3::float8 WHEN 3 THEN (i + 1) * 1e300 WHEN 4 THEN (i + 1) * 1e-310 WHEN 5 THEN sqrt(i) WHEN 6 THEN exp(-(i % 700))
	WHEN 7 THEN 1e22 ELSE '-0'::float8 END AS x
FROM generate_series(0, 39999) i;
ANALYZE some_float;

SELECT is_empty($$SELECT i % 5000 FROM some_float GROUP BY 1 HAVING exact_sum(x) IS DISTINCT FROM sum(exact(x)) OR scale(exact_sum(x)) <> scale(sum(exact(x)))$$, 'a few rows each');
SELECT is_empty($$SELECT i FROM some_float GROUP BY i HAVING exact_sum(x) IS DISTINCT FROM sum(exact(x)) OR exact_total(x) IS DISTINCT FROM sum(exact(x))::float8$$, 'one row each');
SELECT is_empty($$SELECT i / 9 FROM some_float WHERE x IN (0, i) OR abs(x) < 1 GROUP BY 1 HAVING exact_sum(x) IS DISTINCT FROM sum(exact(x)) OR exact_total(x) IS DISTINCT FROM sum(exact(x))::float8
	OR scale(exact_sum(x)) <> scale(sum(exact(x)))$$, 'zeros before, beside and after others');
SELECT is(exact_sum(x), sum(exact(x)), 'all of them') FROM some_float;
SELECT is(exact_total(x ORDER BY i DESC), sum(exact(x))::float8, 'the other way round') FROM some_float WHERE abs(x) < 1e10;
SELECT ok(NOT EXISTS (SELECT FROM (SELECT exact_sum(x) OVER (PARTITION BY i % 7 ORDER BY i) AS a, sum(exact(x)) OVER (PARTITION BY i % 7 ORDER BY i) AS b FROM some_float WHERE i < 500) w WHERE a <> b),
	'as a window function');
SELECT is((SELECT concat_ws(' ', exact_sum(x), exact_total(x)) FROM (VALUES (1e22::float8), (NULL), (0.1), (-1e22)) v (x)), '0.1 0.1', 'nothing is lost beside large values; NULL is skipped');
SELECT ok((SELECT exact_sum(x) IS NULL AND exact_total(x) IS NULL FROM some_float WHERE i < 0) AND (SELECT exact_sum(NULL) IS NULL), 'no row gives NULL');
SELECT throws_ok(format('SELECT exact_sum(%L)', x), '22003', format('cannot take %s as a number', x)) FROM (VALUES ('NaN')) v (x);

SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 4;
SELECT is((SELECT array_agg(s) FROM (SELECT exact_sum(x) AS s FROM some_float GROUP BY i % 3 ORDER BY i % 3) p), (SELECT array_agg(s) FROM (SELECT sum(exact(x)) AS s FROM some_float GROUP BY i % 3 ORDER BY i % 3) p),
	'in parallel');
SELECT * FROM finish();
ROLLBACK;
