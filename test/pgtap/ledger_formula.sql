-- The formulas in C against the same in SQL, and digests of sets.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT plan(93);

-- uniform in [0, 1), the same on every machine
CREATE FUNCTION pg_temp.r(what text, i bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || substr(md5(what || ' ' || i), 1, 8))::bit(32)::bigint / 4294967296.0::float8 $$;

-- ramp
SELECT is_empty($$ SELECT x, a, b, ramp(x, a, b) FROM generate_series(1, 3000) i, LATERAL (SELECT round(10 * pg_temp.r('x', i)) AS x, round(10 * pg_temp.r('a', i)) AS a, round(10 * pg_temp.r('b', i)) AS b) v
	WHERE ramp(x, a, b) IS DISTINCT FROM CASE WHEN a < b THEN CASE WHEN x <= a THEN 0 WHEN x >= b THEN 1 ELSE (x - a) / (b - a) END
		WHEN a > b THEN CASE WHEN x >= a THEN 0 WHEN x <= b THEN 1 ELSE (a - x) / (a - b) END ELSE CASE WHEN x < a THEN 0 ELSE 1 END END $$, 'ramp up, down and at its ends');
SELECT is(ARRAY[ramp(0, -1.5e308, 1.5e308), ramp(0.75e308, -1.5e308, 1.5e308), ramp(0, 1.5e308, -1.5e308)], ARRAY[0.5, 0.75, 0.5]::float8[], 'ramp between ends whose distance is beyond float8');
SELECT throws_ok(format('SELECT ramp(%s)', args), '22023', format('cannot ramp %s', shown), 'ramp refuses ' || shown)
FROM (VALUES ($$0, '-Infinity', 1$$, '0 from -Infinity to 1'), ($$0, 1, 'Infinity'$$, '0 from 1 to Infinity'), ($$0, 'NaN', 1$$, '0 from NaN to 1'), ($$'NaN', 0, 0.1$$, 'NaN from 0 to 0.1')) v (args, shown);
SELECT is(ARRAY[ramp(NULL, 0, 1), ramp(0, NULL, 1), ramp(0, 1, NULL)], ARRAY[NULL, NULL, NULL]::float8[], 'NULL for NULL');

-- exact_numeric
SELECT is_empty($$ SELECT x FROM generate_series(1, 2000) i, LATERAL (SELECT (pg_temp.r('e', i) - 0.5) * power(10, trunc(600 * pg_temp.r('p', i)::numeric) - 300)::float8 AS x) v
	WHERE exact_numeric(x)::float8 <> x OR exact_numeric(x) <> x::text::numeric $$, 'exact_numeric reads back, and is what the shortest text says');
SELECT is(ARRAY[exact_numeric('-0'), exact_numeric(1e22), exact_numeric(0.1)]::text[], '{0,10000000000000000000000,0.1}', 'exact_numeric by hand');
SELECT throws_ok(format('SELECT exact_numeric(%L)', x), '22003', format('cannot take %s as a number', x), 'exact_numeric refuses ' || x) FROM unnest(ARRAY['NaN', 'Infinity', '-Infinity']) x;

-- overlap_seconds
CREATE FUNCTION pg_temp.plain(a tstzrange, b tstzrange) RETURNS numeric LANGUAGE sql AS
$$ SELECT CASE WHEN isempty(a * b) THEN 0 ELSE extract(epoch FROM upper(a * b) - lower(a * b)) END $$;
CREATE FUNCTION pg_temp.range(what text, i bigint) RETURNS tstzrange LANGUAGE sql AS $$
	SELECT CASE WHEN pg_temp.r(what || 'empty', i) < 0.05 THEN 'empty' ELSE
		tstzrange(CASE WHEN pg_temp.r(what || 'from', i) > 0.1 THEN t END, CASE WHEN pg_temp.r(what || 'to', i) > 0.1 THEN t + round(4 * pg_temp.r(what || 'l', i)) * interval '1 day 3.000001 seconds' END,
			(ARRAY['[)', '[]', '(]', '()'])[1 + trunc(4 * pg_temp.r(what || 'b', i))::int]) END
	FROM (SELECT timestamptz '2024-01-01' + round(5 * pg_temp.r(what || 't', i)) * interval '1 day' AS t) x $$;
SELECT is_empty($$ SELECT a, b, overlap_seconds(a, b), pg_temp.plain(a, b) FROM generate_series(1, 2000) i, LATERAL (SELECT pg_temp.range('a', i) AS a, pg_temp.range('b', i) AS b) v
	WHERE overlap_seconds(a, b)::text IS DISTINCT FROM pg_temp.plain(a, b)::text $$, 'overlap_seconds, digits behind the point included');
SELECT ok((SELECT count(*) FILTER (WHERE s IS NULL) > 10 AND count(*) FILTER (WHERE s = 0) > 100 AND count(*) FILTER (WHERE s > 0) > 500
	FROM generate_series(1, 2000) i, overlap_seconds(pg_temp.range('a', i), pg_temp.range('b', i)) s), 'of every sort');
SELECT is(overlap_seconds('[2024-01-01,infinity)', '[2024-01-02,2024-01-03)'), 86400.000000, 'a time that ends at infinity');
SELECT throws_ok($$ SELECT overlap_seconds('[2024-01-01,infinity)', '[2024-01-02,)') $$, '22008', NULL, 'which has no length');
SELECT throws_ok($$ SELECT overlap_seconds('[4713-01-01 BC,294276-01-01)', '(,)') $$, '22008', NULL, 'nor has one that no interval can hold');

-- row_sha256, sha256_agg
CREATE TEMP TABLE thing AS SELECT i, 'text "' || i || ', \' AS t, i / 7.0 AS n, i / 7.0::float8 AS f, CASE WHEN i % 3 = 0 THEN i END AS z, ARRAY[i, NULL] AS a, tstzrange(now(), NULL) AS r FROM generate_series(1, 5000) i;
SELECT is_empty('SELECT i FROM thing x WHERE row_sha256(ROW(i, t, n, f, z, a, r)) <> sha256(convert_to(ROW(i, t, n, f, z, a, r)::text, ''UTF8''))', 'row_sha256 is the SHA-256 of the text of a row');
SELECT is_empty('SELECT i FROM thing x WHERE row_sha256(x) <> sha256(convert_to(x::text, ''UTF8''))', 'of a table''s row too');
SELECT isnt(row_sha256(ROW(NULL::int)), NULL, 'a row of NULLs is a row');
CREATE FUNCTION pg_temp.slowly(lim int) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256(coalesce(string_agg(g.h, '' ORDER BY g.k), ''))
	FROM (SELECT get_byte(r.h, 0) AS k, sha256(string_agg(r.h, '' ORDER BY r.h)) AS h FROM (SELECT row_sha256(x) AS h FROM thing x WHERE i <= lim) r GROUP BY 1) g $$;
SELECT is((SELECT sha256_agg(row_sha256(x)) FROM thing x WHERE i <= many), pg_temp.slowly(many), 'sha256_agg against SQL: ' || many) FROM unnest(ARRAY[0, 1, 2, 300, 5000]) many;
SELECT is((SELECT sha256_agg(h) FROM (SELECT row_sha256(x) AS h FROM thing x ORDER BY md5(i::text)) s), (SELECT sha256_agg(h) FROM (SELECT row_sha256(x) AS h FROM thing x UNION ALL SELECT NULL) s), 'in any order, NULL left out');
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
CREATE TABLE lasting_thing AS SELECT * FROM thing; ANALYZE lasting_thing;	-- a temporary one is not read in parallel
CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql AS
$$ DECLARE l text; p text := ''; BEGIN FOR l IN EXECUTE 'EXPLAIN ' || query LOOP p := p || l; END LOOP; RETURN p; END $$;
SELECT matches(pg_temp.plan('SELECT sha256_agg(row_sha256(x)) FROM lasting_thing x'), 'Partial Aggregate', 'workers hash rows');
CREATE TEMP TABLE got AS SELECT sha256_agg(row_sha256(x)) AS digest FROM lasting_thing x;	-- by itself: other functions would keep workers away
SELECT is((SELECT digest FROM got), pg_temp.slowly(5000), 'and what they hash is put together');
SELECT throws_ok($$ SELECT sha256_agg('\x00') $$, '22023', '1 bytes are not a SHA-256', 'what is no SHA-256');
-- what a hand may type, and no checked column holds
SELECT throws_ok(q, '22023', m, q) FROM (VALUES
	('SELECT region_multiplier(1, 2, 0, 3)', 'target_fraction is 0'), ($$ SELECT region_multiplier(1, 2, 'NaN', 3) $$, 'target_fraction is NaN'),
	('SELECT next_price(1, -1, 1, 0.5, 0.1, 0.1, 8)', 'demand is -1'), ($$ SELECT next_price(1, 1, 'NaN', 0.5, 0.1, 0.1, 8) $$, 'supply is NaN'),
	('SELECT freshness(1, 0)', 'freshness_epochs is 0'), ('SELECT freshness(1, -4)', 'freshness_epochs is -4'), ('SELECT freshness(a, k) FROM (VALUES (1, 2), (1, 0)) v (a, k)', 'freshness_epochs is 0'),
	($$ SELECT slot_count('[2021-01-01, 2021-01-02)', '0') $$, 'slot in seconds is 0.000000'), ($$ SELECT slot_count('[2021-01-01, 2021-01-02)', '-1 minute') $$, 'slot in seconds is -60.000000'),
	($$ SELECT slot_count('[2021-01-01, 2021-01-02)', '-1 year 365 days 6 hours') $$, 'slot in seconds is 0.000000'),
	('SELECT service_pot(1, -1, 0.5)', 'work is -1'), ($$ SELECT service_pot(1, 'Infinity', 0.5) $$, 'work is Infinity')) v (q, m);
SELECT is(freshness(a, k)::text, round(greatest(0, 1 - a::numeric / k), 12)::text, format('freshness(%s, %s)', a, k))
FROM unnest(ARRAY[-3, 0, 1, 2, 3, 6, 7, 1000000, 2147483646]) a, unnest(ARRAY[1, 3, 7, 2147483647]) k;
SELECT is(slot_count(p::tstzrange, s::interval), c::bigint, format('slot_count(%s, %s)', p, s)) FROM (VALUES
	('[2021-01-01 00:00+00, 2021-01-02 00:00+00)', '1 minute', 1440), ('[2021-01-01 00:00:01+00, 2021-01-01 00:01:01+00)', '1 minute', 1), ('[2021-01-01 00:00+00, 2021-01-01 00:00:30+00)', '7 hours', 0),
	('[1969-12-31 23:00+00, 1970-01-01 01:00+00)', '25 minutes', 5), ('[2021-01-01,)', '1 minute', NULL), ('(,)', '1 minute', NULL), ('empty', '1 minute', NULL), ('[2021-01-01, 2021-01-02)', NULL, NULL), (NULL, '1 minute', NULL)) v (p, s, c);
SELECT is(freshness(NULL, 2), NULL, 'no age');
SELECT is(freshness(2, NULL), NULL, 'no K');
SELECT is(slot_count(NULL, NULL), NULL, 'nothing');
SELECT unalike(pg_temp.plan('VERBOSE SELECT freshness(i, i), slot_count(tstzrange(d, d), d - d) FROM (SELECT i, now() AS d FROM thing OFFSET 0) x'), e, 'both become part of the query') FROM unnest(ARRAY['%freshness(%', '%slot_count(%']) e;
SELECT throws_ok('SELECT derive_scenario_function(NULL)', '42883', 'there is no function NULL to derive a twin from', 'nothing to derive from');
SELECT throws_ok('SELECT derive_scenario_function(0)', '42883', 'there is no function - to derive a twin from', 'no function to derive from');
SELECT * FROM finish();
ROLLBACK;
