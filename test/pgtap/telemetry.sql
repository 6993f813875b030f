-- telemetry_summary against exact SQL, in any order and any plan.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET LOCAL search_path = public, swarm_reward;
SET LOCAL timezone = 'UTC';
SELECT plan(45);
SELECT setseed(0.5);

-- 60 nodes with all kinds of latencies; odd times, duplicates, gaps, errors, NULLs; before 1970 too
CREATE TABLE beat AS
SELECT i, node,
       CASE WHEN node % 10 = 9 THEN timestamptz '1969-12-31 18:00:00.5+00' ELSE timestamptz '2026-03-01 00:00+00' END
         + floor(random() * 43200) * interval '1 second' + floor(random() * 3) * interval '0.4 second' AS at,
       CASE WHEN random() < 0.03 THEN NULL
            WHEN node % 6 = 0 THEN random() * 200
            WHEN node % 6 = 1 THEN exp(random() * 22 - 6.9)
            WHEN node % 6 = 2 THEN 20 + floor(random() * 5)
            WHEN node % 6 = 3 THEN CASE WHEN random() < 0.2 THEN 0 WHEN random() < 0.1 THEN 5e6 + i ELSE random() END
            WHEN node % 6 = 4 THEN random() / 2000
            ELSE 0.001 * power(1.02::float8, floor(random() * 1111)) END AS latency,
       random() < 0.8 AS ok
FROM (SELECT i, i % 60 AS node FROM generate_series(1, 60000) i) s;
-- few rows, equal rows, no latency, no ok
INSERT INTO beat VALUES
    (0, 100, '2026-03-01 00:00:59.999999+00', 12.5, true), (0, 101, '2026-03-01 00:00+00', 3, false),
    (0, 102, '2026-03-01 00:00+00', NULL, true), (0, 102, '2026-03-01 00:01+00', NULL, true),
    (0, 103, '2026-03-01 00:00+00', 0, true), (0, 104, '2026-03-01 00:00+00', 1e9, true), (0, 104, '2026-03-01 00:00+00', 1e8, true);
INSERT INTO beat SELECT 0, 105, '2026-03-01 00:00+00', 7, true FROM generate_series(1, 70000);
INSERT INTO beat VALUES (0, 100, NULL, 1, true), (0, 100, '2026-03-01 03:00+00', 1, NULL), (0, 106, NULL, NULL, NULL);
ANALYZE beat;

CREATE TABLE summary AS SELECT node, telemetry_agg(at, latency, ok) AS s FROM beat GROUP BY node;
CREATE TABLE exact AS
SELECT node, count(*) AS samples, count(*) FILTER (WHERE NOT ok) AS errors,
       count(DISTINCT date_trunc('minute', at)) FILTER (WHERE ok) AS slots
FROM beat WHERE at IS NOT NULL AND ok IS NOT NULL GROUP BY node;

-- counts
SELECT is_empty('SELECT node FROM summary FULL JOIN exact USING (node)
                 WHERE (samples(s), errors(s)) IS DISTINCT FROM (samples, errors)', 'samples and errors: exact');
SELECT is_empty('SELECT node FROM summary JOIN exact USING (node)
                 WHERE error_rate(s) <> errors::float8 / samples', 'error_rate: exact');
SELECT is((SELECT s FROM summary WHERE node = 106), NULL::telemetry_summary, 'no counted row gives NULL');
SELECT is((SELECT telemetry_agg(at, latency, ok) FROM beat WHERE false), NULL::telemetry_summary, 'no row gives NULL');

-- uptime
CREATE TABLE period AS
SELECT tstzrange(a, b, bounds) AS period
FROM (SELECT t + i * interval '61 minutes' + CASE WHEN i % 3 = 0 THEN interval '0' ELSE random() * interval '1 hour' END AS a,
             t + i * interval '61 minutes' + CASE WHEN i % 2 = 0 THEN interval '90 minutes' ELSE random() * interval '5 hours' + interval '61 minutes' END AS b,
             (ARRAY['[)', '[]', '()', '(]'])[1 + (i + 4) % 4] AS bounds
      FROM generate_series(-2, 13) i, unnest(ARRAY[timestamptz '2026-03-01', timestamptz '1969-12-31 18:00']) t) s;
INSERT INTO period VALUES ('[2026-03-01 00:00, 2026-03-01 12:00]'), ('[2026-03-01 00:00, 2026-03-01 00:00]'), ('(1969-12-31 23:59, 1970-01-01 00:01)');
SELECT is_empty($$
    SELECT p.period, node, uptime(s, p.period), want.share FROM period p, summary,
    LATERAL (SELECT (SELECT count(DISTINCT date_trunc('minute', at)) FROM beat b
                     WHERE b.node = summary.node AND ok AND date_trunc('minute', at) <@ p.period)::float8
                  / (SELECT count(*) FROM generate_series(date_trunc('minute', lower(p.period)) - interval '1 minute',
                                                          upper(p.period) + interval '1 minute', '1 minute') g
                     WHERE g <@ p.period) AS share) want
    WHERE node < 20 AND uptime(s, p.period) <> want.share$$, 'uptime: count(DISTINCT minute) in the period, all kinds of bounds, also before 1970');
SELECT is_empty('SELECT node FROM summary JOIN exact USING (node) WHERE
                 uptime(s, ''[1969-12-31, 1969-12-31 00:10)'') <> 0', 'uptime outside the data is 0');
SELECT is_empty($$SELECT node FROM summary JOIN exact USING (node)
                  WHERE uptime(s, '[1969-12-31, 2026-04-01)') <> slots::float8 / (EXTRACT(epoch FROM timestamptz '2026-04-01' - timestamptz '1969-12-31') / 60)::float8$$,
                'uptime over everything counts every slot');
SELECT is((SELECT count(*) FROM unnest(ARRAY['1 second', '7 seconds', '90 seconds', '1 hour', '1 day', '11 days 03:04:05.000006']::interval[]) slot,
                  LATERAL (SELECT node, telemetry_agg(at, latency, ok, slot) s FROM beat WHERE node IN (8, 9) GROUP BY node) a,
                  LATERAL (SELECT count(DISTINCT floor(EXTRACT(epoch FROM at) / EXTRACT(epoch FROM slot))) n
                           FROM beat b WHERE b.node = a.node AND ok) want,
                  LATERAL (SELECT count(*) total FROM generate_series(
                               floor(EXTRACT(epoch FROM timestamptz '1969-12-01') / EXTRACT(epoch FROM slot)) * EXTRACT(epoch FROM slot),
                               EXTRACT(epoch FROM timestamptz '1970-02-01'), EXTRACT(epoch FROM slot)) g
                           WHERE g >= EXTRACT(epoch FROM timestamptz '1969-12-01')) slots
           WHERE node = 9 AND uptime(s, '[1969-12-01, 1970-02-01]') = n::float8 / total), 6::bigint,
          'slots of every length are aligned to the Unix epoch');

-- response times
CREATE TABLE quantile(q) AS VALUES (0::float8), (0.001), (0.05), (0.25), (0.5), (0.75), (0.9), (0.95), (0.99), (0.999), (1);
CREATE TABLE exact_quantile AS
SELECT node, q, percentile_disc(q) WITHIN GROUP (ORDER BY latency) AS want, min(latency) AS least, max(latency) AS greatest
FROM beat, quantile WHERE ok AND at IS NOT NULL GROUP BY node, q;
SELECT is_empty('SELECT node, q, response_time(s, q), want FROM summary JOIN exact_quantile USING (node)
                 WHERE want BETWEEN 0.001 AND 3600000 AND NOT (abs(response_time(s, q) / want - 1) <= 0.01)',
                'response_time: within 1 % of percentile_disc');
SELECT cmp_ok((SELECT count(*) FROM exact_quantile WHERE want BETWEEN 0.001 AND 3600000), '>', 450::bigint, '… for many quantiles');
SELECT is_empty('SELECT node FROM summary JOIN exact_quantile USING (node)
                 WHERE want < 0.001 AND NOT (response_time(s, q) BETWEEN least AND 0.001)', 'below 1 microsecond: next to nothing');
SELECT is_empty('SELECT node FROM summary JOIN exact_quantile USING (node)
                 WHERE want > 3600000 AND response_time(s, q) <> greatest', 'above an hour: the greatest');
SELECT is_empty('SELECT node FROM summary JOIN exact_quantile USING (node)
                 WHERE response_time(s, q) NOT BETWEEN least AND greatest', 'never outside the extremes');
SELECT is_empty('SELECT node FROM summary JOIN exact_quantile USING (node) WHERE want IS NULL AND response_time(s, q) IS NOT NULL',
                'no latency, no response time');
SELECT is((SELECT response_time(s, 0.5) FROM summary WHERE node = 100), 12.5::float8, 'one sample: exact');
SELECT is((SELECT response_time(s, 0.5) FROM summary WHERE node = 105), 7::float8, 'equal samples: exact, beyond 65535 in a bucket');

-- the same bits in any order and any plan
SELECT is_empty('SELECT node FROM summary JOIN (SELECT node, telemetry_agg(at, latency, ok ORDER BY random()) s FROM beat GROUP BY node) r
                 USING (node) WHERE summary.s <> r.s OR summary.s::text <> r.s::text', 'shuffled rows');
SELECT is_empty('SELECT node FROM summary JOIN (SELECT node, telemetry_agg(at, latency, ok, ''1 minute'') s FROM beat GROUP BY node) r
                 USING (node) WHERE summary.s <> r.s', 'the default slot is a minute');
SELECT is_empty('SELECT node FROM summary JOIN (SELECT node, rollup(s) s FROM (SELECT node, telemetry_agg(at, latency, ok) s
                 FROM beat GROUP BY node, date_trunc(''hour'', at)) h GROUP BY node) r
                 USING (node) WHERE summary.s <> r.s OR swarm_reward_internal.telemetry_summary_send(summary.s) <> swarm_reward_internal.telemetry_summary_send(r.s)', 'hours rolled into days');
SELECT is_empty('SELECT node FROM summary JOIN (SELECT node, rollup(s ORDER BY random()) s FROM (SELECT node, telemetry_agg(at, latency, ok) s
                 FROM beat GROUP BY node, i % 7) h GROUP BY node) r USING (node) WHERE summary.s <> r.s', 'shards rolled into one, in any order');

CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line || E'\n'; END LOOP;
    RETURN plan;
END
$$;
CREATE TABLE hour AS SELECT node, date_trunc('hour', at) AS hour, telemetry_agg(at, latency, ok) AS s FROM beat GROUP BY node, 2;
ANALYZE hour;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 3;
CREATE FUNCTION pg_temp.parallel(query text) RETURNS boolean LANGUAGE sql AS $$
    SELECT pg_temp.plan_of(query) ~ 'Gather' AND pg_temp.plan_of(query) ~ 'Partial (Hash|Group)?Aggregate'
$$;
SELECT ok(pg_temp.parallel('SELECT node, telemetry_agg(at, latency, ok) AS s FROM beat GROUP BY node'), 'telemetry_agg runs in parallel');
CREATE TABLE parallel_summary AS SELECT node, telemetry_agg(at, latency, ok) AS s FROM beat GROUP BY node;
SELECT ok(pg_temp.parallel('SELECT node, rollup(s) AS s FROM hour GROUP BY node'), 'rollup runs in parallel');
CREATE TABLE parallel_rollup AS SELECT node, rollup(s) AS s FROM hour GROUP BY node;
SELECT ok(pg_temp.parallel('SELECT telemetry_agg(at, latency, ok) AS s FROM beat'), 'and without groups');
CREATE TABLE parallel_total AS SELECT telemetry_agg(at, latency, ok) AS s FROM beat;
-- summaries of work have no slots
CREATE TABLE work AS SELECT node, swarm_reward_internal.work_summary(latency, 3, '1 minute') AS s FROM beat;
ANALYZE work;
SELECT ok(pg_temp.parallel('SELECT node, rollup(s) AS s FROM work GROUP BY node'), 'rollup of work runs in parallel');
CREATE TABLE parallel_work AS SELECT node, rollup(s) AS s FROM work GROUP BY node;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT ok(NOT pg_temp.parallel('SELECT node, telemetry_agg(at, latency, ok) AS s FROM beat GROUP BY node'), 'the other plan is serial');
SELECT is_empty('SELECT node FROM summary FULL JOIN parallel_summary p USING (node) WHERE summary.s IS DISTINCT FROM p.s', 'parallel: the same bits');
SELECT is_empty('SELECT node FROM summary FULL JOIN parallel_rollup p USING (node) WHERE summary.s IS DISTINCT FROM p.s', 'parallel rollup: the same bits');
SELECT ok((SELECT p.s = (SELECT telemetry_agg(at, latency, ok) FROM beat) AND p.s = (SELECT rollup(s) FROM summary) FROM parallel_total p),
          'parallel without groups: the same bits');
SELECT is_empty('SELECT node FROM (SELECT node, rollup(s) AS s FROM work GROUP BY node) w FULL JOIN parallel_work p USING (node) WHERE w.s IS DISTINCT FROM p.s', 'parallel rollup of work: the same bits');
SELECT is_empty('SELECT node FROM parallel_work WHERE s::text::telemetry_summary IS DISTINCT FROM s', 'which can be written and read');

-- partition by partition, each with a state of its own, as shards have them
CREATE TABLE part_beat (LIKE beat) PARTITION BY HASH (i);
CREATE TABLE part_beat_0 PARTITION OF part_beat FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE part_beat_1 PARTITION OF part_beat FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE part_beat_2 PARTITION OF part_beat FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO part_beat SELECT * FROM beat;
ANALYZE part_beat;
SET LOCAL enable_partitionwise_aggregate = on;
SELECT ok(pg_temp.plan_of('SELECT node, telemetry_agg(at, latency, ok) AS s FROM part_beat GROUP BY node') ~ 'Append(.|\n)*Partial (Hash|Group)?Aggregate', 'telemetry_agg runs partition by partition');
CREATE TABLE part_summary AS SELECT node, telemetry_agg(at, latency, ok) AS s FROM part_beat GROUP BY node;
RESET enable_partitionwise_aggregate;
SELECT is_empty('SELECT node FROM summary FULL JOIN part_summary p USING (node) WHERE summary.s IS DISTINCT FROM p.s', 'partition by partition: the same bits');

-- as a window aggregate the state is read many times
SELECT is_empty('SELECT 1 FROM (SELECT telemetry_agg(at, latency, ok) OVER (ORDER BY at, i) AS s,
                    count(*) OVER (ORDER BY at, i) AS n FROM beat WHERE node = 7) w WHERE samples(s) <> n', 'the final function leaves the state as it is');

-- input and output
SELECT is_empty('SELECT node FROM summary WHERE s <> s::text::telemetry_summary', 'text round trip');
SELECT is_empty($$SELECT node FROM summary WHERE s IS NOT NULL AND s::text::json ->> 'samples' <> samples(s)::text$$, 'the text is JSON');
SELECT is((SELECT count(*) FROM (SELECT s FROM summary UNION ALL SELECT s FROM parallel_summary) u JOIN summary USING (s)), 132::bigint,
          'equal summaries find each other by hash');
SELECT is((SELECT count(*) FROM (SELECT s FROM (SELECT s FROM summary UNION ALL SELECT s FROM parallel_summary) u GROUP BY s) g), 67::bigint,
          'and group as one');

-- damaged binary values are refused or are some other value, exactly; never anything else
CREATE FUNCTION pg_temp.copy_in(image bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE file text := current_setting('data_directory') || '/swarm_reward_telemetry_fuzz'; o oid; result bytea;
BEGIN
    o := lo_from_bytea(0, '\x5047434f50590aff0d0a0000000000000000000001'::bytea || int4send(length(image)) || image || '\xffff');
    PERFORM lo_export(o, file);
    PERFORM lo_unlink(o);
    DELETE FROM received;
    EXECUTE format('COPY received FROM %L (FORMAT binary)', file);
    SELECT swarm_reward_internal.telemetry_summary_send(s) INTO result FROM received WHERE s = s::text::telemetry_summary;
    RETURN result;
EXCEPTION WHEN invalid_binary_representation OR protocol_violation THEN
    RETURN NULL;
END
$$;
CREATE TABLE received (s telemetry_summary);
CREATE TABLE image AS SELECT node, swarm_reward_internal.telemetry_summary_send(s) AS image FROM summary WHERE s IS NOT NULL;
SELECT is_empty('SELECT node FROM image WHERE pg_temp.copy_in(image) IS DISTINCT FROM image', 'binary round trip');
CREATE TABLE damaged AS
SELECT node, CASE i % 4 WHEN 0 THEN substr(image, 1, floor(random() * length(image))::int)
                        WHEN 1 THEN image || '\x00'
                        WHEN 2 THEN set_byte(image, floor(random() * least(40, length(image)))::int, floor(random() * 256)::int)
                        ELSE set_bit(image, floor(random() * length(image) * 8)::bigint, i % 8 / 4) END AS image
FROM image, generate_series(1, 40) i WHERE node % 7 = 2 OR node >= 100;
SELECT is_empty('SELECT node, image FROM (SELECT node, image, pg_temp.copy_in(image) AS got FROM damaged) d WHERE got <> image',
                'damaged binary values are refused, or read exactly');
COPY (SELECT WHERE false) TO PROGRAM 'rm -f swarm_reward_telemetry_fuzz';

-- size: a day of minute heartbeats in at most 1 KB, whatever happens in it
SELECT cmp_ok((SELECT max(pg_column_size(s)) FROM (
    SELECT telemetry_agg(timestamptz '2026-01-01' + i * interval '1 minute',
                         CASE kind % 2 WHEN 0 THEN exp(random() * 22 - 6.9) ELSE 0.00101 * power(1.02::float8, i * (1 + kind % 3) % 1100) END,
                         CASE WHEN kind < 3 THEN i % 2 = 0 WHEN kind < 6 THEN random() < 0.5 ELSE true END) AS s
    FROM generate_series(0, 1439) i, generate_series(0, 8) kind GROUP BY kind) d), '<=', 1024, 'a day of minutes: at most 1 KB');
SELECT cmp_ok((SELECT pg_column_size(telemetry_agg(timestamptz '2026-01-01' + i * interval '1 minute', 20 + i % 3, true))
               FROM generate_series(0, 43199) i), '<=', 100, 'a month of perfect uptime: 100 bytes');

-- the Wilson bound against its defining equation: p is the upper bound when the observed rate is z standard errors below it
SELECT is_empty($$
    SELECT n, e, u FROM (
        SELECT n, e, z, error_rate_upper(telemetry_agg(now(), NULL, i > e), confidence) AS u
        FROM (VALUES (0.95::float8, 1.6448536269514722::float8), (0.9, 1.2815515655446004), (0.999, 3.090232306167813), (0.5, 0)) c(confidence, z),
             (VALUES (1, 0), (1, 1), (10, 0), (10, 3), (10, 10), (1000, 1), (1000, 999)) s(n, e), generate_series(1, n) i
        GROUP BY n, e, z, confidence) w
    WHERE abs((u - e::float8 / n) - z * sqrt(u * (1 - u) / n)) > 1e-12 OR u > 1 OR u < e::float8 / n$$, 'error_rate_upper solves the Wilson equation');
SELECT is_empty('SELECT node FROM summary WHERE error_rate_upper(s) <> error_rate_upper(s, 0.95)', 'the default confidence is 0.95');
SELECT is_empty('SELECT node FROM summary WHERE error_rate_upper(s) <= error_rate(s) AND error_rate(s) < 1', 'and lies above the observed rate');
SELECT ok((SELECT error_rate_upper(telemetry_agg(now(), 1, true)) > 0.7 FROM generate_series(1, 1)), 'one good sample proves little');

SELECT * FROM finish();
ROLLBACK;
