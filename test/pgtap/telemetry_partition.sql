-- Partitions of telemetry: made ahead, found by pruning, dropped when nothing can need them any more.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL search_path = public, swarm_reward, swarm_reward_internal;
-- days are those of UTC, wherever one is
SET LOCAL timezone = 'Pacific/Auckland';
SET LOCAL datestyle = 'German';
SELECT plan(46);

-- All partitions of both.
CREATE VIEW pg_temp.part AS
SELECT t.parent, p.* FROM (VALUES ('telemetry'::regclass), ('telemetry_hour')) t (parent), telemetry_partition(t.parent) p;
-- The days that a table has partitions for, as text in UTC.
CREATE FUNCTION pg_temp.days(parent regclass) RETURNS text[] LANGUAGE sql STABLE SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
	SELECT coalesce(array_agg(format('%s..%s', lower(p.period)::date, upper(p.period)::date) ORDER BY p.period), '{}')
	FROM telemetry_partition($1) p;
$$;
-- The partitions that a query reads.
CREATE FUNCTION pg_temp.scanned(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	line text;
	found text[] := '{}';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		found := found || (SELECT array_agg(m[1]) FROM regexp_matches(line, ' on (telemetry_\d+)') m);
	END LOOP;
	RETURN (SELECT array_agg(DISTINCT f ORDER BY f) FROM unnest(found) f WHERE f IS NOT NULL);
END $$;

-- made
SELECT is(make_telemetry_partitions('2024-03-30 12:00+00', '2024-04-02 00:00+00'), 6, 'three days of each, begun and ended');
SELECT is(pg_temp.days('telemetry'), '{2024-03-30..2024-03-31,2024-03-31..2024-04-01,2024-04-01..2024-04-02}', 'from midnight to midnight in UTC');
SELECT is(pg_temp.days('telemetry_hour'), pg_temp.days('telemetry'), 'of both tables');
SELECT is(make_telemetry_partitions('2024-03-30 00:00+00', '2024-04-02 00:00+00'), 0, 'again: none');
SELECT is(make_telemetry_partitions('2024-03-29 00:00+00', '2024-04-02 00:00:00.000001+00'), 4, 'only what is missing');
SELECT is(make_telemetry_partitions('2024-03-01 00:00+00', '2024-06-01 00:00+00', '1 month'), 6, 'wide ones around them');
SELECT is((pg_temp.days('telemetry'))[1:2] || (pg_temp.days('telemetry'))[7:], '{2024-03-01..2024-03-29,2024-03-29..2024-03-30,2024-04-03..2024-05-01,2024-05-01..2024-06-01}', 'fill the gaps and no more');
SELECT set_eq($$ SELECT c.relname || ' ' || pg_get_indexdef(i.indexrelid) FROM pg_temp.part p JOIN pg_index i ON i.indrelid = p.partition JOIN pg_class c ON c.oid = i.indrelid
		WHERE lower(p.period) = '2024-03-30 00:00+00' $$,
	$$ VALUES ('telemetry_20240330 CREATE UNIQUE INDEX telemetry_20240330_pkey ON swarm_reward_internal.telemetry_20240330 USING btree (node_id, sampled_at, service_key)'),
		('telemetry_20240330 CREATE INDEX telemetry_20240330_sampled_at_idx ON swarm_reward_internal.telemetry_20240330 USING brin (sampled_at) WITH (pages_per_range=''32'')'),
		('telemetry_hour_20240330 CREATE UNIQUE INDEX telemetry_hour_20240330_pkey ON swarm_reward_internal.telemetry_hour_20240330 USING btree (node_id, hour, service_key)'),
		('telemetry_hour_20240330 CREATE INDEX telemetry_hour_20240330_hour_idx ON swarm_reward_internal.telemetry_hour_20240330 USING brin (hour) WITH (pages_per_range=''32'')') $$,
	'each with its indexes');
SELECT results_eq($$ SELECT count(*) FROM pg_temp.part p JOIN pg_constraint c ON c.conrelid = p.partition AND c.contype = 'f' GROUP BY p.partition ORDER BY 1 $$,
	$$ SELECT 2::bigint FROM pg_temp.part $$, 'and its foreign keys');
SELECT results_eq($$ SELECT count(*) FROM pg_temp.part p JOIN pg_constraint c ON c.conrelid = p.partition AND c.contype = 'c' GROUP BY p.parent, p.partition ORDER BY p.parent, p.partition $$,
	$$ SELECT (SELECT count(*) FROM pg_constraint c WHERE c.conrelid = p.parent AND c.contype = 'c') FROM pg_temp.part p ORDER BY p.parent, p.partition $$, 'and the checks of the whole');

-- found
INSERT INTO policy (name, effective_from, grid_order, supply_target, telemetry_slot, challenge_window, min_reporters)
VALUES ('partition test', '2024-03-01 00:00+00', 2, 10, '1 hour', '0', 0);
INSERT INTO provider (provider_id, name) VALUES (9001, 'partition test');
INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at)
SELECT i, 9001, 'POINT(1 1)', 100000, '2024-03-01 00:00+00' FROM generate_series(9001, 9003) i;
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
SELECT n, h, 50, true FROM generate_series(9001, 9003) n, generate_series(timestamptz '2024-03-29 00:00+00', '2024-04-02 23:00+00', '1 hour') h;
SELECT is(pg_temp.scanned($$ SELECT FROM telemetry WHERE sampled_at >= '2024-03-30 00:00+00' AND sampled_at < '2024-03-31 00:00+00' $$), '{telemetry_20240330}', 'a day reads one partition');
SELECT is(pg_temp.scanned($$ SELECT FROM telemetry WHERE node_id = 9001 AND sampled_at = '2024-03-31 23:59:59+00' $$), '{telemetry_20240331}', 'a time as well');
SELECT is(pg_temp.scanned($$ SELECT FROM telemetry WHERE sampled_at >= '2024-03-30 23:00+00' AND sampled_at < '2024-03-31 01:00+00' $$), '{telemetry_20240330,telemetry_20240331}', 'an hour before midnight and one after: two');
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE window_of (timestamptz, timestamptz) AS SELECT count(*) FROM telemetry WHERE sampled_at >= $1 AND sampled_at < $2;
SELECT is(pg_temp.scanned($$ EXECUTE window_of ('2024-03-30 00:00+00', '2024-04-01 00:00+00') $$), '{telemetry_20240330,telemetry_20240331}', 'pruned at execution too');
DEALLOCATE window_of;
RESET plan_cache_mode;

-- missing
SELECT throws_ok($$ INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (9001, '2025-01-01 00:00+00', true) $$, '23514', NULL, 'plain INSERT is strict');
CREATE TABLE stage AS SELECT 9001 AS node_id, timestamptz '2025-01-01 00:00+00' AS sampled_at, true AS ok;
SELECT lives_ok($$ SELECT ingest_telemetry('stage') $$, 'ingest is not');
SELECT is((SELECT reason FROM telemetry_reject WHERE source = 'public.stage'), 'no partition for 2025-01-01', 'the row is kept, with what is missing');
SELECT is(make_telemetry_partitions('2025-01-01', '2025-01-02') > 0, true, 'which is made');
SELECT results_eq($$ SELECT moved FROM ingest_telemetry('telemetry_reject') $$, 'VALUES (1::bigint)', 'and the row moves');
SELECT ok(EXISTS (SELECT FROM telemetry WHERE sampled_at = '2025-01-01 00:00+00'), 'to where it belongs');

-- dropped
SELECT is(drop_telemetry_partitions('1 day'), 0, 'without a final epoch nothing is dropped');
INSERT INTO epoch (epoch_id, period, budget) VALUES (9001, '[2024-03-29 00:00+00,2024-03-31 00:00+00)', 100), (9002, '[2024-03-31 00:00+00,2024-04-01 12:00+00)', 100),
	(9003, '[2024-04-01 12:00+00,2024-04-03 00:00+00)', 100);
CALL run_epoch(9001);
CALL run_epoch(9002);
SELECT is(drop_telemetry_partitions('1 day'), 0, 'nor for computed ones');
UPDATE epoch SET first_computed_at = now() WHERE epoch_id = 9001;
CALL finalize_epoch(9001);
SET LOCAL session_replication_role = replica;
INSERT INTO epoch (epoch_id, period, budget) VALUES (9000, '[2024-03-01 00:00+00,2024-03-02 00:00+00)', 100);
SELECT is(drop_telemetry_partitions('0 days'), 0, 'nothing is dropped while an epoch before the final one is not');
DELETE FROM epoch WHERE epoch_id = 9000;
SET LOCAL session_replication_role = origin;
SELECT is(drop_telemetry_partitions(now() - '2024-03-30 12:00+00'), 2, 'a final epoch lets go what is older than the retention');
SELECT is((pg_temp.days('telemetry'))[1], '2024-03-30..2024-03-31', 'from the oldest on');
SELECT is(drop_telemetry_partitions('0 days'), 0, 'without retention: nothing of the next epoch, which is computed, nor of the day before, whose last minutes it looks back at');
SELECT is((pg_temp.days('telemetry'))[1], '2024-03-30..2024-03-31', 'which is there');
SELECT results_eq($$ SELECT min(sampled_at), count(*) FROM telemetry WHERE sampled_at < '2024-12-01' $$, $$ VALUES (timestamptz '2024-03-30 00:00+00', 288::bigint) $$, 'with all rows');
SELECT lives_ok('CALL run_epoch(9002)', 'and the epoch can be computed again');
SELECT is_empty($$ SELECT check_name FROM verify_epoch(9001) WHERE NOT ok UNION ALL SELECT check_name FROM verify_epoch(9002) WHERE NOT ok $$, 'both epochs verify without the raw rows');
UPDATE epoch SET first_computed_at = now() WHERE epoch_id = 9002;
CALL finalize_epoch(9002);
SELECT is(drop_telemetry_partitions('0 days'), 2, 'of a day that two epochs share');
SELECT is((pg_temp.days('telemetry'))[1], '2024-04-01..2024-04-02', 'only the whole can go');
SELECT is((pg_temp.days('telemetry_hour'))[1], '2024-03-01..2024-03-29', 'hours are kept unless asked');
SELECT is(drop_telemetry_partitions('0 days', '0 days'), 4, 'and go when asked');
SELECT results_eq('SELECT relation::text COLLATE "default", lower(period), upper(period) FROM telemetry_dropped ORDER BY 1, 2',
	$$ VALUES ('telemetry', timestamptz '2024-03-01 00:00+00', timestamptz '2024-03-29 00:00+00'), ('telemetry', '2024-03-29 00:00+00', '2024-03-30 00:00+00'), ('telemetry', '2024-03-30 00:00+00', '2024-03-31 00:00+00'),
		('telemetry', '2024-03-31 00:00+00', '2024-04-01 00:00+00'), ('telemetry_hour', '2024-03-01 00:00+00', '2024-03-29 00:00+00'), ('telemetry_hour', '2024-03-29 00:00+00', '2024-03-30 00:00+00'),
		('telemetry_hour', '2024-03-30 00:00+00', '2024-03-31 00:00+00'), ('telemetry_hour', '2024-03-31 00:00+00', '2024-04-01 00:00+00') $$, 'what went is written down');
INSERT INTO stage VALUES (9001, '2024-03-30 12:00+00', true);
SELECT lives_ok($$ SELECT ingest_telemetry('stage') $$, 'a row of then');
SELECT is((SELECT reason FROM telemetry_reject WHERE source = 'public.stage'), 'out of retention', 'is told so');
CALL run_epoch(9003);
SELECT is((SELECT samples FROM epoch_node WHERE epoch_id = 9003 AND node_id = 9001), 36::bigint, 'the next epoch misses nothing');
SELECT throws_ok('SELECT drop_telemetry_partitions(NULL)', '22023', NULL, 'no retention');
SELECT throws_ok($$ SELECT drop_telemetry_partitions('1 day', '-1 day') $$, '22023', NULL, 'a negative one');

-- kept
SELECT results_eq('SELECT * FROM keep_telemetry_partitions()', 'VALUES (18, 0)', 'from yesterday to a week ahead');
SELECT results_eq('SELECT * FROM keep_telemetry_partitions(''10 days'', ''0 days'')', 'VALUES (6, 0)', 'made further ahead; nothing of an epoch that is not final is dropped');
\o /dev/null
DO $$ DECLARE p regclass; BEGIN FOR p IN SELECT partition FROM pg_temp.part WHERE lower(period) > now() - interval '3 days' LOOP EXECUTE format('DROP TABLE %s', p); END LOOP; END $$;
SELECT make_telemetry_partitions(now() - interval '20 days', now() - interval '19 days');
\o
SELECT is((SELECT made FROM keep_telemetry_partitions('0 days')), 38, 'days are not left out when nobody called for a while: 18 and today');

-- by hand: without a bound, and divided further
CREATE TABLE public.ancient (LIKE telemetry INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS);
CREATE TABLE public.future (LIKE telemetry INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS);
\o /dev/null
SELECT attach_telemetry_partition('public.ancient', 'telemetry', '(,2000-01-01 00:00+00)'), attach_telemetry_partition('public.future', 'telemetry', '[2300-01-01 00:00+00,)');
\o
SELECT results_eq($$ SELECT partition, lower(period), upper(period), watched FROM pg_temp.part WHERE lower_inf(period) OR upper_inf(period) ORDER BY 2 $$,
	$$ VALUES ('public.future'::regclass, timestamptz '2300-01-01 00:00+00', NULL::timestamptz, true), ('public.ancient', NULL, '2000-01-01 00:00+00', true) $$, 'what has no bound is attached so, and marks hours');
CREATE TABLE public.century PARTITION OF telemetry FOR VALUES FROM ('2200-01-01 00:00+00') TO ('2300-01-01 00:00+00') PARTITION BY RANGE (sampled_at);
CREATE TABLE public.decade PARTITION OF public.century FOR VALUES FROM ('2200-01-01 00:00+00') TO ('2210-01-01 00:00+00');
SELECT lives_ok($$ SELECT watch_telemetry_partition(t) FROM unnest('{public.century,public.decade}'::regclass[]) t $$, 'a partition of partitions may be watched');
INSERT INTO public.century (node_id, sampled_at, ok) VALUES (9001, '2200-01-01 01:00+00', true);
INSERT INTO public.decade (node_id, sampled_at, ok) VALUES (9001, '2200-01-01 02:00+00', true);
SELECT results_eq($$ SELECT since, sum(came) FROM telemetry_dirty WHERE since > '2200-01-01 00:00+00' GROUP BY 1 ORDER BY 1 $$,
	$$ VALUES (timestamptz '2200-01-01 01:00+00', 1::numeric), ('2200-01-01 02:00+00', 1) $$, 'and each row marks its hour once');
SELECT * FROM finish();
ROLLBACK;
