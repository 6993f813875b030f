-- the face of telemetry_summary: small examples, input and output, errors
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SET timezone = 'UTC';
SET intervalstyle = postgres;

CREATE TEMP TABLE beat (at timestamptz, latency float8, ok boolean);
INSERT INTO beat VALUES
    ('2026-01-01 00:00:00', 10, true), ('2026-01-01 00:00:30', 20, true), ('2026-01-01 00:01:59.999999', 30, true),
    ('2026-01-01 00:02:00', 999, false), ('2026-01-01 00:03:00', NULL, true), ('2026-01-01 00:05:00', 0, true),
    (NULL, 1, true), ('2026-01-01 00:09:00', 1, NULL);

SELECT telemetry_agg(at, latency, ok) FROM beat;
SELECT telemetry_agg(at, latency, ok, '2 minutes') FROM beat;
SELECT slot(s), samples(s), errors(s), error_rate(s), error_rate_upper(s), error_rate_upper(s, 0.99),
       uptime(s, '[2026-01-01 00:00, 2026-01-01 00:10)'), response_time(s, 0.5), response_time(s, 0.95), response_time(s, 0), response_time(s, 1)
FROM (SELECT telemetry_agg(at, latency, ok) AS s FROM beat) x;
-- bounds of the period: slots that start at them count as the bounds say
SELECT p, uptime(s, p)
FROM (SELECT telemetry_agg(at, latency, ok) AS s FROM beat) x,
     unnest(ARRAY['[2026-01-01 00:00, 2026-01-01 00:02]', '[2026-01-01 00:00, 2026-01-01 00:02)', '(2026-01-01 00:00, 2026-01-01 00:02]',
                  '(2026-01-01 00:00, 2026-01-01 00:02)', '[2026-01-01 00:00:01, 2026-01-01 00:01:30)', '[2026-01-01 00:05, 2026-01-01 00:05]']::tstzrange[]) p;
-- NULL in, NULL out; no row, no latency
SELECT samples(NULL) IS NULL, uptime(NULL, '[2026-01-01, 2026-01-02)') IS NULL, error_rate_upper(NULL) IS NULL;
SELECT telemetry_agg(at, latency, ok), rollup(NULL::telemetry_summary) FROM beat WHERE at IS NULL;
SELECT telemetry_agg(at, NULL, ok), response_time(telemetry_agg(at, NULL, ok), 0.5) FROM beat;
-- all kinds of latency
SELECT telemetry_agg('2026-01-01', l, true) FROM unnest(ARRAY[0, '-0', 1e-320, 0.000999, 0.001, 1, 3600000, 3600000.1, 1e300]::float8[]) l;
SELECT response_time(telemetry_agg('2026-01-01', l, true), 0.9) FROM unnest(ARRAY[1, 4e6, 1e300]::float8[]) l;
-- the whole range of timestamps, slots of a microsecond and of centuries
SELECT telemetry_agg(t, 1, true, i), telemetry_agg(t, 1, true, i) = telemetry_agg(t, 1, true, i)::text::telemetry_summary AS same FROM unnest(ARRAY['4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00']::timestamptz[]) t,
       unnest(ARRAY['1 microsecond', '1 minute', '100000 days', '100000000 days']::interval[]) i GROUP BY i ORDER BY i;
-- merging
SELECT rollup(s) = (SELECT telemetry_agg(at, latency, ok) FROM beat) AS same
FROM (SELECT telemetry_agg(at, latency, ok) AS s FROM beat GROUP BY date_trunc('minute', at)) x;

-- text input: what the output writes, with white space, slots put together
SELECT telemetry_summary ' { "slot_us" : 60000000 , "samples" : 200 , "errors" : 0 , "up" : [ [ -3 , 2 ] , [ -1 , 131 ] , [ 1000000 , 1 ] ] , "latency" : null } ';
SELECT telemetry_summary '{"slot_us":60000000,"samples":2,"errors":0,"up":[[5,1]],"latency":{"zero":0,"overflow":0,"min":1,"max":10,"buckets":[[348,1],[465,1]]}}';

-- a table of them, compressed or not, and COPY in both formats
CREATE TEMP TABLE stored (id int, s telemetry_summary);
INSERT INTO stored SELECT 1, telemetry_agg(at, latency, ok) FROM beat;
INSERT INTO stored SELECT 2, telemetry_agg(timestamptz '2026-01-01' + i * interval '1 minute', i % 900 + i / 7.0, i % 3 > 0) FROM generate_series(1, 30000) i;
CREATE TEMP TABLE loaded (LIKE stored);
DO $$
DECLARE file text := current_setting('data_directory') || '/swarm_reward_telemetry_test';
BEGIN
    EXECUTE format('COPY stored TO %L (FORMAT binary)', file);
    EXECUTE format('COPY loaded FROM %L (FORMAT binary)', file);
    EXECUTE format('COPY stored TO %L', file);
    EXECUTE format('COPY loaded FROM %L', file);
    EXECUTE format('COPY (SELECT WHERE false) TO PROGRAM %L', format('rm "%s"', file));
END $$;
SELECT id, count(*), bool_and(stored.s = loaded.s) AS same, bool_or(stored.s <> loaded.s) AS different FROM stored JOIN loaded USING (id) GROUP BY id ORDER BY id;

-- errors, each with its SQLSTATE
\set VERBOSITY default
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
SELECT pg_temp.try('SELECT telemetry_agg(now(), ' || quote_literal(l) || '::float8, ' || ok || ')')
FROM unnest(ARRAY['NaN', 'Infinity', '-Infinity', '-1', '-1e-320']) l, unnest(ARRAY[true, false]) ok;
SELECT pg_temp.try('SELECT telemetry_agg(' || quote_literal(t) || '::timestamptz, 1, true)') FROM unnest(ARRAY['infinity', '-infinity']) t;
SELECT pg_temp.try('SELECT telemetry_agg(now(), 1, true, ' || quote_nullable(i) || '::interval)')
FROM unnest(ARRAY[NULL, '0', '-1 minute', '1 day -24 hours', '1 month', '1 year -12 months', '2147483647 days 2562047788:00:54.775807']) i;
SELECT pg_temp.try('SELECT telemetry_agg(now(), 1, true, i) FROM unnest(ARRAY[interval ''1 minute'', ''5 minutes'']) i');
SELECT pg_temp.try('SELECT rollup(s) FROM (SELECT telemetry_agg(now(), 1, true, i) AS s FROM unnest(ARRAY[interval ''1 day'', ''1 hour'']) i GROUP BY i ORDER BY i) x');
SELECT pg_temp.try('SELECT uptime(telemetry_agg(timestamptz ''2026-01-01'', 1, true), ' || quote_literal(p) || ')')
FROM unnest(ARRAY['empty', '(,)', '[2026-01-01,)', '(,2026-01-01]', '[-infinity,2026-01-01]', '[2026-01-01,infinity)',
                  '(2026-01-01 00:00, 2026-01-01 00:01)', '[2026-01-01 00:00:01, 2026-01-01 00:00:59]',
                  '[4714-11-24 00:00:00+00 BC, 294276-12-31 23:59:59.999999+00]']) p;
SELECT pg_temp.try('SELECT response_time(telemetry_agg(now(), 1, true), ' || quote_literal(q) || ')') FROM unnest(ARRAY['NaN', '-0.1', '1.1', '1.0000000000000002', 'Infinity']) q;
SELECT pg_temp.try('SELECT error_rate_upper(telemetry_agg(now(), 1, true), ' || quote_literal(q) || ')') FROM unnest(ARRAY['NaN', '0', '1', '-1']) q;

-- hostile text
SELECT pg_temp.try('SELECT ' || quote_literal(t) || '::telemetry_summary')
FROM unnest(ARRAY[
    '', '{', '{}', 'null', '{"slot_us":60000000,"samples":1}',
    '{"slot_us":0,"samples":1,"errors":1,"up":[],"latency":null}',
    '{"slot_us":99999999999999999999,"samples":1,"errors":1,"up":[],"latency":null}',
    '{"slot_us":60000000,"samples":0,"errors":0,"up":[],"latency":null}',
    '{"slot_us":60000000,"samples":1,"errors":2,"up":[],"latency":null}',
    '{"slot_us":60000000,"samples":1,"errors":-1,"up":[[0,1]],"latency":null}',
    '{"slot_us":60000000,"samples":1,"errors":1,"up":[[0,1]],"latency":null}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,2]],"latency":null}',
    '{"slot_us":60000000,"samples":9,"errors":0,"up":[[0,2],[1,1]],"latency":null}',
    '{"slot_us":60000000,"samples":9,"errors":0,"up":[[3,1],[1,1]],"latency":null}',
    '{"slot_us":60000000,"samples":9,"errors":0,"up":[[0,0]],"latency":null}',
    '{"slot_us":1,"samples":9,"errors":0,"up":[[9223372036854775807,1]],"latency":null}',
    '{"slot_us":60000000,"samples":9,"errors":0,"up":[[9223372036854775807,9223372036854775807]],"latency":null}',
    '{"slot_us":60000000,"samples":9,"errors":0,"up":[[-9223372036854775808,1]],"latency":null}',
    '{"slot_us":60000000,"samples":9,"errors":0,"up":[[1000000000000,1]],"latency":null}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":null} x',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":0,"min":1,"max":1,"buckets":[]}}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":0,"min":1,"max":1,"buckets":[[348,2]]}}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":0,"min":1,"max":1,"buckets":[[347,1]]}}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":0,"min":1,"max":1.001,"buckets":[[348,1]]}}',
    '{"slot_us":60000000,"samples":2,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":0,"min":1,"max":0.999,"buckets":[[348,2]]}}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":0,"min":nan,"max":1,"buckets":[[348,1]]}}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":1,"overflow":0,"min":-0,"max":0,"buckets":[]}}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":1,"min":1e999,"max":1e999,"buckets":[]}}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":1,"min":1,"max":1,"buckets":[]}}',
    '{"slot_us":60000000,"samples":1,"errors":0,"up":[[0,1]],"latency":{"zero":0,"overflow":0,"min":1,"max":1,"buckets":[[1112,1]]}}',
    '{"slot_us":60000000,"samples":9,"errors":0,"up":[[0,1]],"latency":{"zero":9223372036854775807,"overflow":9223372036854775807,"min":0,"max":1e9,"buckets":[[3,9223372036854775807]]}}'
    ]) t;
-- a summary that claims more slots than memory holds is one small value, and merging it is an error
SELECT pg_temp.try('SELECT uptime(s, ''[2026-01-01, 2026-01-02)'') FROM (SELECT telemetry_summary ''{"slot_us":1,"samples":9000000000000000001,"errors":0,"up":[[0,9000000000000000001]],"latency":null}'' AS s) x');
SELECT pg_temp.try('SELECT rollup(s) FROM (SELECT telemetry_summary ''{"slot_us":1,"samples":4000000000000000001,"errors":0,"up":[[0,4000000000000000001]],"latency":null}'' AS s FROM generate_series(1, 2)) x');
SELECT pg_temp.try('SELECT rollup(s) FROM (SELECT telemetry_summary ''{"slot_us":1000000,"samples":9000000000000000000,"errors":0,"up":[[0,1]],"latency":null}'' AS s FROM generate_series(1, 2)) x');
