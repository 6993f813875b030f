-- the face of allocate: small examples, NULLs, errors
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;

-- Hamilton: 10 over 1 : 1 : 1, the leftover unit to the earlier row
SELECT i, allocate(1, 10) OVER (ORDER BY i) AS share FROM generate_series(1, 3) i;
SELECT i, allocate(1, 10) OVER (ORDER BY i DESC) AS share FROM generate_series(1, 3) i ORDER BY i;
-- 100 over 1 : 2 : 4, with quotas 14.28…, 28.57…, 57.14…
SELECT score, allocate(score, 100) OVER (ORDER BY score) AS share, allocate(score::numeric, 100) OVER (ORDER BY score) AS exact
FROM unnest(ARRAY[1, 2, 4]::float8[]) score;
-- caps: the second gives up, the others share again; and a cap that nobody reaches
SELECT score, cap, allocate(score, 100, cap) OVER (ORDER BY score) AS share, allocate(score::numeric, 100, cap) OVER (ORDER BY score) AS exact
FROM (VALUES (1::float8, NULL::numeric), (2, 10), (4, 60), (5, 1000)) v(score, cap);
-- what nobody may take stays unallocated
SELECT i, allocate(1, 100, 7) OVER (ORDER BY i) AS share FROM generate_series(1, 3) i;
-- one cap after another is reached
SELECT cap, allocate(1, 100, cap) OVER (ORDER BY cap) AS share FROM unnest(ARRAY[1, 20, 30, 40, 41]::numeric[]) cap;
-- NULL and zero scores, no positive score, NULL and zero amounts
SELECT i, score, allocate(score, 5) OVER w AS share, allocate(score, 0) OVER w AS none, allocate(score, NULL) OVER w AS nothing
FROM (VALUES (1, NULL::float8), (2, 0), (3, 1), (4, '-0'), (5, 1)) v(i, score) WINDOW w AS (ORDER BY i);
SELECT allocate(score, 5) OVER () FROM (VALUES (NULL::float8), (0)) v(score);
SELECT allocate(score, 5) OVER () FROM (VALUES (NULL::numeric), (0), (0.000)) v(score);
-- partitions, amounts of each
SELECT pool, i, allocate(i, amount) OVER (PARTITION BY pool ORDER BY i) AS share
FROM (VALUES ('a', 1000::numeric), ('b', 99999999999999999999999999999999999999), ('c', NULL)) p(pool, amount), generate_series(1, 3) i;
-- equal amounts written in two ways are equal; a number that ends in zeros is an integer
SELECT allocate(1::float8, amount) OVER () FROM unnest(ARRAY[10, 10.00, 1e1]::numeric[]) amount;
-- no row, a frame, several windows
SELECT allocate(1, 10) OVER () FROM generate_series(1, 0);
SELECT i, allocate(i, 10) OVER (ORDER BY i ROWS BETWEEN CURRENT ROW AND CURRENT ROW) AS a, allocate(i, 10) OVER (ORDER BY -i) AS b, row_number() OVER (ORDER BY i)
FROM generate_series(1, 4) i ORDER BY i;
-- extremes of float8 and numeric
SELECT score, allocate(score, 1000000) OVER (ORDER BY i) AS share
FROM unnest(ARRAY[1.7976931348623157e308, 8.9e307, 1, 4.9e-324]::float8[]) WITH ORDINALITY u(score, i);
SELECT score, allocate(score, 1000000) OVER (ORDER BY i) AS share FROM unnest(ARRAY[4.9e-324, 1e-323, 0]::float8[]) WITH ORDINALITY u(score, i);
SELECT i, allocate(score, 1000000) OVER (ORDER BY i) AS share FROM unnest(ARRAY[1e5000, 1e5000, 1, 1e-5000]::numeric[]) WITH ORDINALITY u(score, i);
-- exact numerics tell apart what float8 does not
SELECT i, allocate(score, 3) OVER (ORDER BY i) AS share FROM unnest(ARRAY[1, 1.00000000000000000000000001]::numeric[]) WITH ORDINALITY u(score, i);

-- errors, each with its SQLSTATE
CREATE FUNCTION pg_temp.try(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; detail text; hint text;
BEGIN
    EXECUTE query INTO result;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.try(format('SELECT allocate(%L::%s, 10) OVER ()', score, type))
FROM unnest(ARRAY['-1', 'NaN', 'Infinity', '-Infinity', '-1e-30', '-1234567.25']) score, unnest(ARRAY['float8', 'numeric']) type;
SELECT pg_temp.try(format('SELECT allocate(1::%s, %L) OVER ()', type, amount))
FROM unnest(ARRAY['-1', '0.5', '1e-30', 'NaN', 'Infinity', '-Infinity', '100000000000000000000000000000000000000', '1e50', '1e131000', '99999999999999999999999999999999999999']) amount,
     unnest(ARRAY['float8', 'numeric']) type;
SELECT pg_temp.try(format('SELECT allocate(1::%s, 10, %L) OVER ()', type, cap))
FROM unnest(ARRAY['-1', '0.5', 'NaN', 'Infinity', '1e50', '0']) cap, unnest(ARRAY['float8', 'numeric']) type;
SELECT pg_temp.try('SELECT allocate(1::float8, a) OVER () FROM unnest(ARRAY[1, 2]::numeric[]) a');
SELECT pg_temp.try('SELECT allocate(1::float8, a) OVER () FROM unnest(ARRAY[1, NULL]::numeric[]) a');
SELECT pg_temp.try('SELECT allocate(1::float8, a) OVER () FROM unnest(ARRAY[NULL, 1]::numeric[]) a');
SELECT pg_temp.try('SELECT allocate(a::float8, 0) OVER () FROM unnest(ARRAY[1, -2]) a');
SELECT pg_temp.try('SELECT allocate(1::float8, 10)');
