-- ingest_telemetry: every row of the source is afterwards in exactly one place, and the right one;
-- nothing that came with it runs with anybody else's rights.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL search_path = public, swarm_reward;
-- what a text means must not depend on these
SET LOCAL timezone = 'Asia/Kolkata';
SET LOCAL datestyle = 'SQL, DMY';
-- everything spills to disk
SET LOCAL work_mem = '64kB';
SELECT plan(112);
SELECT setseed(0.25);
\o /dev/null
INSERT INTO provider (provider_id, name) VALUES (9001, 'ingest test');
INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at)
SELECT i, 9001, 'POINT(1 1)', 1000, '0001-01-01 00:00+00' FROM generate_series(9001, 9050) i;
UPDATE node SET joined_at = '2024-01-02 06:00:01+00', left_at = '2024-01-03 12:00:01+00' WHERE node_id > 9040;
INSERT INTO service_type (code) VALUES ('inference'), ('storage');
SELECT make_telemetry_partitions('2024-01-01 00:00+00', '2024-01-04 00:00+00');
SELECT make_telemetry_partitions(now(), now() + interval '1 day');
\o

-- ---------- an independent oracle ----------

-- A value by the server's own cast; NULL where that fails.
CREATE FUNCTION pg_temp.try(value text, type text, OUT parsed text, OUT good boolean) LANGUAGE plpgsql SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
BEGIN
	EXECUTE format('SELECT (%L::%s)::text', value, type) INTO parsed;
	good := true;
EXCEPTION WHEN data_exception THEN
	good := false;
END $$;

-- What should become of each row, from the rules alone, row against row. seq: number of the row.
CREATE FUNCTION pg_temp.expected(source regclass, OUT seq bigint, OUT fate text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH v AS (
			SELECT s.seq, n.good AND t.good AND l.good AND o.good AND w.good AND f.good AND e.good AND s.node_id IS NOT NULL AND s.sampled_at IS NOT NULL AND s.ok IS NOT NULL
				-- of what the server reads, only what is the same everywhere
				AND s.sampled_at ~* '^\s*([+-]?infinity|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)?)\s*$'
				AND coalesce(s.latency_ms, '') !~* 'x' AND coalesce(s.fee, '0') ~ '^\s*[+-]?\d+(\.0*)?\s*$' AND length(ltrim(split_part(coalesce(s.fee, '0'), '.', 1), ' +-0')) <= 38 AS readable,
				CASE WHEN n.good THEN n.parsed::bigint END AS node_id, s.service_type, CASE WHEN t.good THEN t.parsed::timestamptz END AS sampled_at,
				CASE WHEN l.good THEN l.parsed::float8 END AS latency_ms, CASE WHEN o.good THEN o.parsed::boolean END AS ok,
				CASE WHEN w.good THEN w.parsed::bigint END AS work, CASE WHEN f.good THEN f.parsed::numeric END AS fee, CASE WHEN e.good THEN e.parsed::bigint END AS energy_mwh
			FROM %s s, pg_temp.try(s.node_id, 'bigint') n, pg_temp.try(s.sampled_at, 'timestamptz') t, pg_temp.try(s.latency_ms, 'float8') l,
				pg_temp.try(s.ok, 'boolean') o, pg_temp.try(s.work, 'bigint') w, pg_temp.try(s.fee, 'numeric') f, pg_temp.try(s.energy_mwh, 'bigint') e
		), c AS (
			SELECT v.*, v.readable AND isfinite(v.sampled_at) AND v.sampled_at <= now() + interval '5 minutes'
				AND (v.latency_ms IS NULL OR (v.latency_ms >= 0 AND v.latency_ms < 'Infinity'))
				AND coalesce(v.work, 0) BETWEEN 0 AND 1000000000000000 AND coalesce(v.fee, 0) >= 0 AND coalesce(v.energy_mwh, 0) >= 0 AND (coalesce(v.work, 0) = 0 OR v.service_type IS NOT NULL)
				AND (v.sampled_at >= '2024-01-01 00:00+00' AND v.sampled_at < '2024-01-04 00:00+00')
				AND EXISTS (SELECT FROM node n WHERE n.node_id = v.node_id AND v.sampled_at <@ tstzrange(n.joined_at, n.left_at))
				AND (v.service_type IS NULL OR EXISTS (SELECT FROM service_type t WHERE t.code = v.service_type)) AS good
			FROM v
		), r AS (	-- the worst for the node first
			SELECT c.*, first_value(c.seq) OVER k AS first_seq
			FROM c WHERE c.good
			WINDOW k AS (PARTITION BY c.node_id, c.sampled_at, c.service_type
				ORDER BY c.ok, c.latency_ms DESC, coalesce(c.work, 0), coalesce(c.fee, 0), c.energy_mwh DESC, c.work NULLS FIRST, c.fee NULLS FIRST, c.seq)
		)
		SELECT c.seq, CASE WHEN NOT c.good OR c.good IS NULL THEN 'reject'
				WHEN t.node_id IS NOT NULL THEN
					CASE WHEN (t.ok, t.latency_ms, coalesce(t.work, 0), coalesce(t.fee, 0), t.energy_mwh) IS NOT DISTINCT FROM (c.ok, c.latency_ms, coalesce(c.work, 0), coalesce(c.fee, 0), c.energy_mwh)
						THEN 'duplicate' ELSE 'reject' END
				WHEN r.first_seq = c.seq THEN 'move'
				WHEN (f.ok, f.latency_ms, coalesce(f.work, 0), coalesce(f.fee, 0), f.energy_mwh) IS NOT DISTINCT FROM (c.ok, c.latency_ms, coalesce(c.work, 0), coalesce(c.fee, 0), c.energy_mwh)
					THEN 'duplicate' ELSE 'reject' END
		FROM c LEFT JOIN r ON r.seq = c.seq LEFT JOIN c f ON f.seq = r.first_seq
			LEFT JOIN telemetry t ON t.node_id = c.node_id AND t.sampled_at = c.sampled_at AND t.service_type IS NOT DISTINCT FROM c.service_type
		$q$, source);
END $$;

-- Rows of all kinds. Few nodes, times and values, so that rows meet.
CREATE FUNCTION pg_temp.make_stage(name text, count int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (seq bigint GENERATED ALWAYS AS IDENTITY, note text, node_id text, service_type text, sampled_at text, latency_ms text, ok text, work text, fee text, energy_mwh text)', name);
	EXECUTE format($q$
		INSERT INTO %I (note, node_id, service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh)
		SELECT CASE WHEN random() < 0.5 THEN 'note ' || i END,
			CASE WHEN random() < 0.03 THEN (ARRAY[NULL, '', 'x', '9060', '-1', '9e3', '99999999999999999999', ' 9001 ', '+9002'])[1 + floor(random() * 9)::int]
				ELSE (9001 + floor(random() * 50))::text END,
			CASE WHEN random() < 0.6 THEN NULL WHEN random() < 0.05 THEN (ARRAY['nothing', '', ' inference', 'Inference'])[1 + floor(random() * 4)::int]
				ELSE (ARRAY['inference', 'storage'])[1 + floor(random() * 2)::int] END,
			CASE WHEN random() < 0.05 THEN (ARRAY[NULL, '', 'yesterday at noon', 'infinity', '-infinity', '2024-02-30 00:00Z', '2024-13-01 00:00Z', '2023-12-31 23:59:59.999999Z',
					'2024-01-04T00:00Z', '2999-01-01 00:00Z', '2024-01-01 00:00:61Z', '2024-01-02T25:00Z', '2024-01-02 00:00 Mars/Phobos', '20240102'])[1 + floor(random() * 14)::int]
				ELSE to_char(timestamp '2024-01-01' + floor(random() * 72) * interval '1 hour' + floor(random() * 2) * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS')
					|| (ARRAY['Z', '+00', '+00:00', '', '-0000', '.000Z'])[1 + floor(random() * 6)::int] END,
			CASE WHEN random() < 0.06 THEN (ARRAY[NULL, '', 'NaN', 'Infinity', '-inf', '-1', '-0', '1e999', '1e-999', '12,5', '0x10', '.5', '5.', ' 7 '])[1 + floor(random() * 14)::int]
				ELSE floor(random() * 2)::text END,
			CASE WHEN random() < 0.03 THEN (ARRAY[NULL, '', 'maybe', '2', 'o', 'yes', 'OFF', ' t ', 'fals'])[1 + floor(random() * 9)::int] ELSE (random() < 0.8)::text END,
			CASE WHEN random() < 0.7 THEN NULL WHEN random() < 0.1 THEN (ARRAY['', '-5', '1.5', '1000000000000001', '1000000000000000'])[1 + floor(random() * 5)::int]
				ELSE floor(random() * 2)::text END,
			CASE WHEN random() < 0.9 THEN NULL WHEN random() < 0.2 THEN (ARRAY['', '-5', '-0', '1.5', '1e3', 'NaN', '00012.00', '99999999999999999999999999999999999999', '100000000000000000000000000000000000000'])[1 + floor(random() * 9)::int]
				ELSE (floor(random() * 2) * 1e30)::numeric::text END,
			CASE WHEN random() < 0.8 THEN NULL WHEN random() < 0.1 THEN (ARRAY['', '-5', 'many'])[1 + floor(random() * 3)::int] ELSE '7' END
		FROM generate_series(1, %s) i $q$, name, count);
END $$;

SELECT pg_temp.make_stage('stage_one', 6000);
CREATE TABLE one_before AS SELECT * FROM stage_one;
CREATE TABLE one_expected AS SELECT * FROM pg_temp.expected('stage_one');
SELECT ok((SELECT count(*) FILTER (WHERE fate = 'move') > 1500 AND count(*) FILTER (WHERE fate = 'duplicate') > 50 AND count(*) FILTER (WHERE fate = 'reject') > 1000 FROM one_expected),
	'the rows are of all kinds');
SELECT results_eq('SELECT moved, duplicates, rejected FROM ingest_telemetry(''stage_one'')',
	$$ SELECT count(*) FILTER (WHERE fate = 'move'), count(*) FILTER (WHERE fate = 'duplicate'), count(*) FILTER (WHERE fate = 'reject') FROM one_expected $$,
	'as many moved, dropped and rejected as the rules say');
SELECT is_empty('SELECT * FROM stage_one', 'all have left the source');
SELECT results_eq($$ SELECT ("row" ->> 'seq')::bigint FROM telemetry_reject WHERE source = 'public.stage_one' ORDER BY 1 $$,
	$$ SELECT seq FROM one_expected WHERE fate = 'reject' ORDER BY 1 $$, 'and just those are rejected');
SELECT is_empty($$ SELECT b FROM one_before b JOIN telemetry_reject r ON ("row" ->> 'seq')::bigint = seq
	WHERE jsonb_build_object('seq', b.seq::text, 'note', b.note, 'node_id', b.node_id, 'service_type', b.service_type, 'sampled_at', b.sampled_at,
		'latency_ms', b.latency_ms, 'ok', b.ok, 'work', b.work, 'fee', b.fee, 'energy_mwh', b.energy_mwh) <> r."row" $$,
	'with all their values as they were, those of other columns too');
CREATE FUNCTION pg_temp.moved_rows(before regclass, wanted regclass) RETURNS TABLE (node_id bigint, service_type text, sampled_at timestamptz, latency_ms float8, ok boolean, work bigint, fee numeric, energy_mwh bigint)
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT b.node_id::bigint, b.service_type, b.sampled_at::timestamptz, b.latency_ms::float8, b.ok::boolean, b.work::bigint, trunc(b.fee::numeric), b.energy_mwh::bigint
		FROM %s b JOIN %s USING (seq) WHERE fate = ''move'' ORDER BY 1, 3, 2', before, wanted);
END $$;
CREATE VIEW seen AS SELECT node_id, service_type::text COLLATE "default" AS service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh FROM telemetry ORDER BY 1, 3, 2;
SELECT results_eq('SELECT * FROM seen', $$ SELECT * FROM pg_temp.moved_rows('one_before', 'one_expected') $$, 'telemetry holds the others, value by value');
CREATE TABLE once AS SELECT * FROM seen;

INSERT INTO stage_one OVERRIDING SYSTEM VALUE SELECT * FROM one_before;
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_one'')',
	$$ SELECT 0::bigint, (SELECT count(*) FROM one_expected WHERE fate <> 'reject'), (SELECT count(*) FROM one_expected WHERE fate = 'reject') $$,
	'again: nothing is moved twice');
SELECT results_eq('SELECT * FROM seen', 'TABLE once', 'and telemetry is as it was');

-- the order of rows, and how they are joined, change nothing
TRUNCATE telemetry, telemetry_reject;
INSERT INTO stage_one OVERRIDING SYSTEM VALUE SELECT * FROM one_before ORDER BY md5(seq::text);
SELECT lives_ok('SELECT ingest_telemetry(''stage_one'')', 'the same rows in another order');
SELECT results_eq('SELECT * FROM seen', 'TABLE once', 'give the same telemetry');

-- more rows over what is there: conflicts with old rows
SELECT pg_temp.make_stage('stage_two', 3000);
CREATE TABLE two_before AS SELECT * FROM stage_two;
CREATE TABLE two_expected AS SELECT * FROM pg_temp.expected('stage_two');
SELECT results_eq('SELECT moved, duplicates, rejected FROM ingest_telemetry(''stage_two'')',
	$$ SELECT count(*) FILTER (WHERE fate = 'move'), count(*) FILTER (WHERE fate = 'duplicate'), count(*) FILTER (WHERE fate = 'reject') FROM two_expected $$,
	'rows that meet older ones: as the rules say');
SELECT results_eq($$ SELECT ("row" ->> 'seq')::bigint FROM telemetry_reject WHERE source = 'public.stage_two' ORDER BY 1 $$,
	$$ SELECT seq FROM two_expected WHERE fate = 'reject' ORDER BY 1 $$, 'and just those are rejected');
SELECT results_eq('SELECT * FROM seen', $$ SELECT * FROM (TABLE once UNION ALL SELECT * FROM pg_temp.moved_rows('two_before', 'two_expected')) u ORDER BY 1, 3, 2 $$,
	'older rows stay as they are');
-- a few rows against many are looked up by the index
CREATE TABLE stage_few AS SELECT node_id::text, service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh FROM once LIMIT 7;
UPDATE stage_few SET latency_ms = 17.5 WHERE ctid = '(0,3)';
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_few'')', 'VALUES (0::bigint, 6::bigint, 1::bigint)', 'few rows against many');

-- ---------- times ----------

-- Whatever is accepted means what the server says it means, in UTC.
CREATE TABLE time_form (seq int GENERATED ALWAYS AS IDENTITY, form text);
INSERT INTO time_form (form)
SELECT to_char(at, date || sep || clock) || frac || zone
FROM (SELECT timestamp '1999-12-01' + i * interval '17 days 5 hours 7 minutes 11 seconds' AS at FROM generate_series(1, 3) i) a,
	unnest(ARRAY['YYYY-MM-DD', 'YYYYMMDD', 'DD.MM.YYYY', 'YYYY-MM', 'YY-MM-DD', 'YYYY/MM/DD', 'YYYY-DDD', 'IYYY-"W"IW-ID']) date,
	unnest(ARRAY['"T"', '"t"', ' ', '  ', '_']) sep,
	unnest(ARRAY['HH24:MI:SS', 'HH24:MI', 'HH24MISS', 'HH12:MI:SS AM']) clock,
	unnest(ARRAY['', '.1', '.123456', '.1234567', '.12345650001', '.0000005', '.0000015', '.9999999', '.', ',5']) frac,
	unnest(ARRAY['', 'Z', 'z', '+00', '-05', '+05:30', '+0530', '+5', '+16', '-15:59', ' UTC', ' +01', 'CET', ' America/New_York', '+05:30:15', '+05:60']) zone;
INSERT INTO time_form (form) VALUES ('0001-01-01 00:00Z'), ('0000-01-01 00:00Z'), ('9999-12-31 23:59:59Z'), ('12024-01-01 00:00Z'), ('2024-01-01 00:00Z BC'),
	('2024-02-29 24:00Z'), ('2024-02-29 24:00:01Z'), ('2023-02-29 12:00Z'), ('1900-02-29 12:00Z'), ('2000-02-29 12:00Z'), ('2024-06-30 23:59:60Z'), ('now'), ('epoch'),
	('2024-01-01'), ('12:00'), ('2024-01-01T'), ('2024-01-01T12'), ('1704067200'), ('  2024-01-01 00:00Z  '), (E'2024-01-01\n00:00Z'), ('٢٠٢٤-01-01 00:00Z'), ('2024-1-1 00:00Z'), ('2024-00-01 00:00Z'),
	('2024-01-00 00:00Z'), ('2024-01-32 00:00Z'), ('2024-01-01 00:60Z'), ('2024-01-01 00:00:00.Z'), ('2024-01-01 00:00:00.12345678901234567890123456789Z'), ('-2024-01-01 00:00Z'), ('NaN'), ('');
CREATE TABLE stage_time AS SELECT 9001 AS node_id, form AS sampled_at, true AS ok, seq FROM time_form;
\o /dev/null
SELECT make_telemetry_partitions('0001-01-01 00:00+00', '2000-01-01 00:00+00', '3000 years');
SELECT make_telemetry_partitions('2000-01-02 00:00+00', '2024-01-01 00:00+00', '30 years');
SELECT make_telemetry_partitions('2024-01-04 00:00+00', '2024-12-01 00:00+00', '1 year');
TRUNCATE telemetry, telemetry_reject;
SELECT ingest_telemetry('stage_time');
\o
CREATE TABLE time_read AS
SELECT f.*, r.reason, CASE WHEN r.reason IS NULL THEN (pg_temp.try(f.form, 'timestamptz')).parsed END AS meant
FROM time_form f LEFT JOIN telemetry_reject r ON (r."row" ->> 'seq')::int = f.seq AND r.source = 'public.stage_time';
SELECT is_empty('SELECT form FROM time_read WHERE reason IS NULL AND meant IS NULL', 'no time is accepted that the server would not');
SELECT results_eq('SELECT sampled_at FROM telemetry ORDER BY 1', 'SELECT DISTINCT meant::timestamptz FROM time_read WHERE reason IS NULL ORDER BY 1', 'and those accepted are the same to the microsecond');
SELECT cmp_ok((SELECT count(*) FROM time_read WHERE reason IS NULL), '>', 200::bigint, 'many are accepted');
SELECT is_empty($$ SELECT form FROM time_read WHERE reason IS NULL AND form !~* '^\s*\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|UTC|[+-]\d\d(:?\d\d)?)?\s*$' $$, 'all of one form');
SELECT is_empty($$ SELECT form FROM time_read WHERE reason = 'sampled_at is not an ISO 8601 time'
	AND form ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:\d\d)?)?$' AND (pg_temp.try(form, 'timestamptz')).good $$, 'and none of that form is refused that the server reads');
SELECT set_eq($$ SELECT form, reason FROM time_read WHERE form IN ('NaN', '2024-01-01', '2023-02-29 12:00Z', '9999-12-31 23:59:59Z', '2024-02-29 24:00:01Z') $$,
	$$ VALUES ('NaN', 'sampled_at is not an ISO 8601 time'), ('2024-01-01', 'sampled_at is not an ISO 8601 time'), ('2023-02-29 12:00Z', 'sampled_at is out of range'),
		('9999-12-31 23:59:59Z', 'sampled_at is in the future'), ('2024-02-29 24:00:01Z', 'sampled_at is out of range') $$, 'with the reason');

-- ---------- reasons ----------

CREATE FUNCTION pg_temp.reason(VARIADIC v text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
	n bigint;
BEGIN
	CREATE TABLE pg_temp.one AS SELECT v[1] AS node_id, v[2] AS service_type, v[3] AS sampled_at, v[4] AS latency_ms, v[5] AS ok, v[6] AS work, v[7] AS energy_mwh, v[8] AS fee;
	SELECT i.rejected INTO n FROM ingest_telemetry('pg_temp.one') i;
	SELECT r.reason INTO found FROM telemetry_reject r ORDER BY reject_id DESC LIMIT 1;
	DROP TABLE pg_temp.one;
	RETURN CASE n WHEN 1 THEN found END;
END $$;
\o /dev/null
DROP TABLE swarm_reward_internal.telemetry_20240101, swarm_reward_internal.telemetry_hour_20240101;
SELECT make_telemetry_partitions('2024-01-01 00:00+00', '2024-01-02 00:00+00');
TRUNCATE telemetry, telemetry_reject;
\o
SELECT is(pg_temp.reason('9001', NULL, '2024-01-01 00:00Z', '1', 't', NULL, NULL), NULL, 'a good row');
SELECT is(pg_temp.reason(NULL, NULL, NULL, NULL, NULL, NULL, NULL), 'sampled_at is missing; ok is missing; node_id is missing', 'nothing');
SELECT is(pg_temp.reason('x', NULL, 'x', 'x', 'x', 'x', 'x'),
	'node_id is not a whole number; sampled_at is not an ISO 8601 time; latency_ms is not a number; ok is not true or false; work is not a whole number; energy_mwh is not a whole number', 'rubbish');
SELECT is(pg_temp.reason('9223372036854775808', NULL, '2024-01-01 00:61Z', '1e400', 't', '-9223372036854775809', '1e1'),
	'node_id is out of range; sampled_at is out of range; latency_ms is out of range; work is out of range; energy_mwh is not a whole number', 'too large');
SELECT is(pg_temp.reason('9001', 'inference', 'infinity', 'inf', 't', '1', '1'), 'sampled_at is infinite; latency_ms is infinite', 'infinite');
SELECT is(pg_temp.reason('9001', 'inference', '2024-01-01 00:01Z', 'nan', 't', '1', '1'), 'latency_ms is NaN', 'NaN');
SELECT is(pg_temp.reason('9001', 'inference', '2024-01-01 00:01Z', '-1e-9', 't', '-1', '-1'), 'latency_ms is negative; work is negative; energy_mwh is negative', 'negative');
SELECT is(pg_temp.reason('9001', NULL, '2024-01-01 00:01Z', '1', 't', '1', NULL), 'work without service_type', 'work of no service');
SELECT is(pg_temp.reason('9001', 'x', '2024-01-01 00:01Z', '1', 't', '1', NULL), 'unknown service type', 'unknown service');
SELECT is(pg_temp.reason('-9', NULL, '2024-01-01 00:01Z', '1', 't', NULL, NULL), 'unknown node', 'unknown node');
SELECT is(pg_temp.reason('-9', 'x', '2024-01-01 00:01Z', '1', 't', NULL, NULL), 'unknown node; unknown service type', 'unknown both');
SELECT is(pg_temp.reason('9001', NULL, '2024-01-01 00:00Z', '2', 't', NULL, NULL), 'another row of the same node, time and service says something else', 'another row of the same key');
SELECT is(pg_temp.reason('9001', NULL, '1066-10-14 09:00Z', '-0', 't', NULL, NULL), NULL, 'long ago');
SELECT is((SELECT latency_ms::text FROM telemetry WHERE sampled_at < '1067-01-01 00:00+00'), '0', 'and 0 is 0, not -0');
\o /dev/null
DROP TABLE swarm_reward_internal.telemetry_00010101, swarm_reward_internal.telemetry_hour_00010101;
\o
SELECT is(pg_temp.reason('9001', NULL, '1066-10-14 09:00Z', '2', 't', NULL, NULL), 'no partition for 1066-10-14', 'no partition');
INSERT INTO swarm_reward_internal.telemetry_dropped (relation, period, bytes) VALUES ('telemetry', '[1066-10-14 00:00+00, 1066-10-15 00:00+00)', 1), ('telemetry', '[1066-12-01 00:00+00, 1067-01-01 00:00+00)', 1),
	('telemetry_hour', '[1000-12-01 00:00+00, 1200-01-01 00:00+00)', 1);
SELECT is(pg_temp.reason('9001', NULL, '1066-10-14 23:59:59.999999Z', '2', 't', NULL, NULL), 'out of retention', 'a day that was dropped');
SELECT is(pg_temp.reason('9001', NULL, '1066-10-15 00:00Z', '2', 't', NULL, NULL), 'no partition for 1066-10-15', 'and the next, which was not');
SELECT is(pg_temp.reason('9001', NULL, '1066-12-25 12:00Z', '2', 't', NULL, NULL), 'out of retention', 'another that was dropped');
SELECT is(pg_temp.reason('9001', NULL, to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '4 minutes', 'YYYY-MM-DD HH24:MI:SS"Z"'), '2', 't', NULL, NULL), NULL, 'a clock a little ahead');
SELECT is(pg_temp.reason('9001', NULL, to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '6 minutes', 'YYYY-MM-DD HH24:MI:SS"Z"'), '2', 't', NULL, NULL), 'sampled_at is in the future', 'a clock too far ahead');
CREATE TABLE stage_ahead AS SELECT 9001 AS node_id, clock_timestamp() + make_interval(mins => m) AS sampled_at, true AS ok FROM generate_series(1, 9, 2) m;
SELECT results_eq($$ SELECT moved, rejected FROM ingest_telemetry('stage_ahead', '2 minutes') $$, 'VALUES (1::bigint, 4::bigint)', 'as far as it is told');

-- partitions that people made by hand
CREATE TABLE swarm_reward.telemetry_ancient PARTITION OF telemetry FOR VALUES FROM (MINVALUE) TO ('0900-01-01 00:00+00');
SELECT is(pg_temp.reason('9001', NULL, '0500-01-01 00:00Z', '2', 't', NULL, NULL), NULL, 'a partition without a beginning');
SELECT is(pg_temp.reason('9001', NULL, '0900-01-01 00:00Z', '2', 't', NULL, NULL), 'no partition for 0900-01-01', 'ends where it says');
CREATE TABLE swarm_reward.telemetry_rest PARTITION OF telemetry DEFAULT;
SELECT is(pg_temp.reason('9001', NULL, '0900-01-01 00:00Z', '2', 't', NULL, NULL), NULL, 'a default partition takes the rest');
DROP TABLE swarm_reward.telemetry_ancient, swarm_reward.telemetry_rest;

-- rejected rows are taken up again
TRUNCATE telemetry, telemetry_reject;
CREATE TABLE stage_retry AS SELECT n AS node_id, '2024-03-01 00:00Z' AS sampled_at, 'yes' AS ok, 0.1 AS other FROM (VALUES ('9001'), ('9002'), ('9999')) v (n);
\o /dev/null
DELETE FROM swarm_reward_internal.telemetry_dropped;
DROP TABLE swarm_reward_internal.telemetry_20240104, swarm_reward_internal.telemetry_hour_20240104;
SELECT ingest_telemetry('stage_retry');
SELECT make_telemetry_partitions('2024-03-01 00:00+00', '2024-03-02 00:00+00');
\o
SELECT results_eq($$ SELECT * FROM ingest_telemetry('telemetry_reject') $$, 'VALUES (2::bigint, 0::bigint, 1::bigint)', 'after the partition was made they are moved');
SELECT results_eq($$ SELECT source, "row", reason FROM telemetry_reject $$,
	$$ VALUES ('public.stage_retry', '{"node_id": "9999", "sampled_at": "2024-03-01 00:00Z", "ok": "yes", "other": "0.1"}'::jsonb, 'unknown node') $$,
	'those that cannot be are rejected as they came, with their new reason');
INSERT INTO telemetry_reject ("row", reason) VALUES ('[1]', 'by hand'), ('3', 'by hand'), ('{"node_id": 9003, "sampled_at": "2024-03-01T00:00Z", "ok": true, "latency_ms": 1.5}', 'by hand');
SELECT results_eq($$ SELECT * FROM ingest_telemetry('telemetry_reject') $$, 'VALUES (1::bigint, 0::bigint, 3::bigint)', 'also what people put there');

-- ---------- fees, stays, keys of one's own ----------

CREATE TABLE stage_fee (node_id int, sampled_at text, ok bool, service_type text, fee numeric);
INSERT INTO stage_fee SELECT 9001, format('2024-01-02 0%s:00Z', i), true, 'inference', f
FROM unnest('{0, 12.000, 99999999999999999999999999999999999999, 1e38, 0.5, -1, NaN, Infinity}'::numeric[]) WITH ORDINALITY u (f, i);
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_fee'')', 'VALUES (3::bigint, 0::bigint, 5::bigint)', 'fees');
SELECT results_eq($$ SELECT fee FROM telemetry WHERE sampled_at BETWEEN '2024-01-02 00:00+00' AND '2024-01-03 00:00+00' ORDER BY sampled_at $$, $$ VALUES (0::numeric), (12), (99999999999999999999999999999999999999) $$, 'are exact');
SELECT results_eq($$ SELECT reason FROM telemetry_reject WHERE source = 'public.stage_fee' ORDER BY "row" ->> 'sampled_at' $$,
	$$ VALUES ('fee is out of range'), ('fee is not a whole number'), ('fee is negative'), ('fee is not a whole number'), ('fee is not a whole number') $$, 'or rejected');
INSERT INTO stage_fee VALUES (9001, '2024-01-02 09:30Z', true, 'inference', 5), (9001, '2024-01-02 09:30Z', true, 'inference', 4), (9001, '2024-01-02 01:00Z', true, 'inference', NULL);
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_fee'')', 'VALUES (1::bigint, 1::bigint, 1::bigint)', 'another fee is another word; none is 0');
SELECT is((SELECT fee FROM telemetry WHERE sampled_at = '2024-01-02 09:30+00'), 4::numeric, 'of two the lower stays');

-- a machine that moved twice: 9031 until the 2nd at noon, then 9032 until the 3rd at noon, then 9033
UPDATE node SET external_id = 'rack-7', joined_at = '2024-01-03 12:00+00', predecessor_id = 9032 WHERE node_id = 9033;
UPDATE node SET joined_at = '2024-01-02 12:00+00', left_at = '2024-01-03 12:00+00', predecessor_id = 9031 WHERE node_id = 9032;
UPDATE node SET joined_at = '2024-01-01 01:00+00', left_at = '2024-01-02 12:00+00' WHERE node_id = 9031;
UPDATE node SET external_id = '{12345678-0000-4000-8000-000000000000}'::uuid::text, left_at = '2024-01-03 00:00+00' WHERE node_id = 9034;
CREATE TABLE stage_named (external_id varchar(60), sampled_at timestamptz, ok bool, node_id bigint);
INSERT INTO stage_named (external_id, sampled_at, node_id, ok) SELECT e, t, n, true FROM (VALUES
	('rack-7', timestamptz '2024-01-01 00:59:59.999999+00', NULL), ('rack-7', '2024-01-01 01:00+00', NULL), ('rack-7', '2024-01-02 11:59:59.999999+00', NULL), ('rack-7', '2024-01-02 12:00+00', NULL),
	('rack-7', '2024-01-03 11:00+00', NULL), ('rack-7', '2024-01-03 12:00+00', NULL), ('12345678-0000-4000-8000-000000000000', '2024-01-02 23:00+00', NULL),
	('12345678-0000-4000-8000-000000000000', '2024-01-03 00:00+00', NULL), ('rack-8', '2024-01-02 12:00+00', NULL), (NULL, '2024-01-02 12:00+00', NULL), ('rack-7', '2024-01-02 20:00+00', 9035)) v (e, t, n);
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_named'')', 'VALUES (7::bigint, 0::bigint, 4::bigint)', 'nodes by their external_id');
SELECT results_eq($$ SELECT node_id, sampled_at FROM telemetry WHERE node_id BETWEEN 9031 AND 9035 ORDER BY 1, 2 $$,
	$$ VALUES (9031::bigint, timestamptz '2024-01-01 01:00+00'), (9031, '2024-01-02 11:59:59.999999+00'), (9032, '2024-01-02 12:00+00'), (9032, '2024-01-03 11:00+00'), (9033, '2024-01-03 12:00+00'),
		(9034, '2024-01-02 23:00+00'), (9035, '2024-01-02 20:00+00') $$, 'mean the stay of the time; a node_id goes before');
SELECT set_eq($$ SELECT reason, "row" ->> 'external_id' FROM telemetry_reject WHERE source = 'public.stage_named' $$,
	$$ VALUES ('before the node joined', 'rack-7'), ('after the node left', '12345678-0000-4000-8000-000000000000'), ('unknown node', 'rack-8'), ('node_id and external_id are missing', NULL) $$, 'and what is nobody''s is rejected');
UPDATE node SET external_id = 'rack-8', left_at = '2024-01-04 00:00+00' WHERE node_id = 9034;
DELETE FROM telemetry_reject WHERE reason NOT IN ('unknown node', 'after the node left');
SELECT results_eq($$ SELECT moved FROM ingest_telemetry('telemetry_reject') $$, 'VALUES (1::bigint)', 'and taken up again when it is somebody''s');
SELECT is(pg_temp.reason('9041', NULL, '2024-01-02 06:00:00.999999Z', '1', 't', NULL, NULL), 'before the node joined', 'a stay has a start');
SELECT is(pg_temp.reason('9041', NULL, '2024-01-03 12:00:01Z', '1', 't', NULL, NULL), 'after the node left', 'and an end');
-- many at once take the other way through the tables
CREATE TABLE stage_many AS SELECT CASE i % 3 WHEN 0 THEN 'rack-7' WHEN 1 THEN 'rack-8' ELSE 'rack-9' END AS external_id, timestamptz '2024-01-03 00:00+00' + i * interval '7.7 seconds' AS sampled_at, true AS ok FROM generate_series(1, 11000) i;
SELECT results_eq('SELECT moved, rejected FROM ingest_telemetry(''stage_many'')', 'VALUES (7333::bigint, 3667::bigint)', 'thousands of them');
SELECT is_empty($$ SELECT FROM telemetry t JOIN node n USING (node_id) WHERE node_id BETWEEN 9031 AND 9034 AND NOT t.sampled_at <@ tstzrange(n.joined_at, n.left_at) $$, 'each within its stay');

-- ---------- sources of all kinds ----------

TRUNCATE telemetry, telemetry_reject;
CREATE TYPE mood AS ENUM ('inference', 'gloom');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE stage_typed (ok int2, energy_mwh numeric, work float8, latency_ms float4, fee float8, sampled_at timestamp, service_type mood, gone text, node_id positive, "weird ""name'; --" jsonb);
ALTER TABLE stage_typed DROP COLUMN gone;
INSERT INTO stage_typed (ok, energy_mwh, work, latency_ms, sampled_at, service_type, node_id, "weird ""name'; --") VALUES
	(1, 5.00, 1e3, 0.1, '2024-01-01 10:00', 'inference', 9001, '{}'), (0, 6, NULL, NULL, '2024-01-01 10:00', NULL, 9001, NULL),
	(1, 5.5, 1, 1, '2024-01-01 11:00', 'inference', 9001, '{"a": [1, "b"]}'), (1, 'NaN', 1, 1, '2024-01-01 12:00', 'inference', 9001, NULL), (2, 5, 1, 1, '2024-01-01 13:00', 'inference', 9001, NULL),
	(1, 5, 1.5, 1, '2024-01-01 14:00', 'inference', 9001, NULL), (1, 5, 1e19, 1, '2024-01-01 15:00', 'inference', 9001, NULL), (1, 5, 'NaN', 'NaN', '2024-01-01 16:00', 'inference', 9001, NULL),
	(1, 5, 1, '-0', 'infinity', 'inference', 9001, NULL), (1, 5, 1, 1, '2024-01-01 17:00', 'gloom', 9001, NULL);
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_typed'')', 'VALUES (2::bigint, 0::bigint, 8::bigint)', 'typed columns');
SELECT results_eq('SELECT * FROM seen ORDER BY ok',
	$$ VALUES (9001::bigint, NULL, timestamptz '2024-01-01 10:00+00', NULL, false, NULL::bigint, NULL::numeric, 6::bigint), (9001, 'inference', '2024-01-01 10:00+00', 0.1::float4::float8, true, 1000, NULL, 5) $$,
	'are read as what they are, a time without zone as UTC');
SELECT results_eq($$ SELECT reason FROM telemetry_reject ORDER BY "row" ->> 'sampled_at' $$,
	$$ VALUES ('energy_mwh is not a whole number'), ('energy_mwh is not a whole number'), ('ok is not true or false'), ('work is not a whole number'), ('work is out of range'),
		('latency_ms is NaN; work is NaN'), ('unknown service type'), ('sampled_at is infinite') $$, 'or rejected');
SELECT is((SELECT "row" ->> 'weird "name''; --' FROM telemetry_reject WHERE "row" ->> 'sampled_at' = '2024-01-01 11:00:00'), '{"a": [1, "b"]}', 'with columns of any name');

CREATE TABLE stage_parts (node_id char(8), sampled_at varchar, ok text, service_type char(12)) PARTITION BY HASH (node_id);
CREATE TABLE stage_part_0 PARTITION OF stage_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE stage_part_1 PARTITION OF stage_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO stage_parts SELECT 9000 + i, '2024-01-02 00:00', 'on', 'inference' FROM generate_series(1, 10) i;
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_parts'')', 'VALUES (10::bigint, 0::bigint, 0::bigint)', 'a partitioned table, padded columns');
CREATE TABLE "Stage; ""x""" ("Node" text, ts text, fine text, extra text);
INSERT INTO "Stage; ""x""" VALUES ('9001', '2024-01-03 00:00', 't', 'keep me'), ('9001', '2024-01-03 01:00', 't', 'stay'), ('x', '2024-01-03 02:00', 't', 'me too');
CREATE VIEW "view's ""quoted""" AS SELECT "Node" AS node_id, ts AS sampled_at, fine AS ok, upper(extra) AS extra FROM "Stage; ""x""" WHERE extra <> 'stay';
SELECT results_eq($$ SELECT * FROM ingest_telemetry('"view''s ""quoted"""') $$, 'VALUES (1::bigint, 0::bigint, 1::bigint)', 'a view that gives columns their names');
SELECT results_eq('SELECT extra FROM "Stage; ""x"""', $$ VALUES ('stay'::text) $$, 'what it does not show stays');
SELECT results_eq($$ SELECT source, "row" ->> 'extra' FROM telemetry_reject ORDER BY reject_id DESC LIMIT 1 $$, $$ VALUES ('public."view''s ""quoted"""', 'ME TOO') $$, 'and it is named as it is');
CREATE TEMP TABLE stage_temp AS SELECT 9001 AS node_id, timestamptz '2024-01-03 05:00+00' AS sampled_at, true AS ok, repeat(md5(i::text), 100000) AS long FROM generate_series(1, 2) i;
UPDATE stage_temp SET node_id = 1 WHERE ctid = '(0,2)';
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_temp'')', 'VALUES (1::bigint, 0::bigint, 1::bigint)', 'a temporary table, values out of line');
SELECT is((SELECT length("row" ->> 'long') FROM telemetry_reject ORDER BY reject_id DESC LIMIT 1), 3200000, 'which are kept whole');
INSERT INTO stage_temp VALUES (1, '2024-01-03 05:00+00', true, repeat('x', 200000001));
SELECT throws_ok('SELECT ingest_telemetry(''stage_temp'')', '54000', NULL, 'which no reject can hold: an error, and nothing is lost');
CREATE TABLE stage_none (ok boolean, sampled_at timestamptz, node_id bigint);
SELECT results_eq('SELECT * FROM ingest_telemetry(''stage_none'')', 'VALUES (0::bigint, 0::bigint, 0::bigint)', 'no rows');

-- refused
SELECT throws_ok('SELECT ingest_telemetry(NULL)', '22004', NULL, 'no source');
SELECT throws_ok($$ SELECT ingest_telemetry('stage_none', NULL) $$, '22004', NULL, 'no tolerance');
SELECT throws_ok($$ SELECT ingest_telemetry('stage_none', '-1 s') $$, '22023', NULL, 'a negative tolerance');
SELECT throws_ok('SELECT ingest_telemetry(1::regclass)', '42P01', NULL, 'a table that is not there');
CREATE TABLE stage_lacking (node_id text, sampled_at text, "OK" text);
SELECT throws_like($$ SELECT ingest_telemetry('stage_lacking') $$, 'public.stage_lacking has no column ok', 'a missing column');
CREATE TABLE stage_date (node_id text, sampled_at date, ok text);
SELECT throws_like($$ SELECT ingest_telemetry('stage_date') $$, 'column sampled_at of public.stage_date is of type date, which cannot be read as a time', 'a day is no time');
SELECT throws_ok(format('SELECT ingest_telemetry(%L)', s), '22023', NULL, 'the ledger''s own: ' || s)
FROM unnest(ARRAY['telemetry', 'swarm_reward_internal.telemetry_20240102', 'epoch_node', 'swarm_reward_internal.telemetry_dirty']) s;
CREATE SEQUENCE stage_sequence;
CREATE INDEX stage_index ON stage_none (node_id);
SELECT throws_ok(format('SELECT ingest_telemetry(%L)', s), '42809', NULL, 'no table: ' || s)
FROM unnest(ARRAY['stage_sequence', 'stage_index', 'pg_class']) s;
CREATE VIEW over_own AS SELECT * FROM telemetry;
SELECT throws_ok($$ SELECT ingest_telemetry('over_own') $$, '22023', NULL, 'nor through a view');
CREATE VIEW over_many AS SELECT DISTINCT * FROM stage_none;
SELECT throws_ok($$ SELECT ingest_telemetry('over_many') $$, '55000', NULL, 'a view from which nothing can be deleted');
CREATE FUNCTION pg_temp.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
CREATE TRIGGER instead INSTEAD OF DELETE ON over_many FOR EACH ROW EXECUTE FUNCTION pg_temp.nothing();
SELECT throws_like($$ SELECT ingest_telemetry('over_many') $$, 'cannot ingest from public.over_many, where a trigger deletes instead', 'or something else does it');
CREATE TABLE stage_ruled (LIKE stage_none);
CREATE RULE also AS ON DELETE TO stage_ruled DO ALSO INSERT INTO stage_none VALUES (OLD.*);
SELECT throws_like($$ SELECT ingest_telemetry('stage_ruled') $$, 'cannot ingest from public.stage_ruled, where a rule changes what DELETE does', 'a rule');
CREATE RULE also AS ON DELETE TO stage_lacking DO INSTEAD NOTHING;
SELECT throws_ok($$ SELECT ingest_telemetry('stage_lacking') $$, '0A000', NULL, 'a rule that does nothing');
CREATE TABLE stage_heir (more text) INHERITS (stage_none);
SELECT throws_like($$ SELECT ingest_telemetry('stage_none') $$, 'cannot ingest from public.stage_none, from which other tables inherit', 'a table with heirs, whose columns would be lost');
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE stage_far (node_id bigint, sampled_at timestamptz, ok boolean) SERVER nowhere;
SELECT throws_like($$ SELECT ingest_telemetry('stage_far') $$, 'cannot ingest from public.stage_far, which is or has a foreign table', 'a foreign table');
CREATE TABLE stage_spread (node_id bigint, sampled_at timestamptz, ok boolean) PARTITION BY LIST (ok);
CREATE FOREIGN TABLE stage_spread_far PARTITION OF stage_spread FOR VALUES IN (true) SERVER nowhere;
SELECT throws_like($$ SELECT ingest_telemetry('stage_spread') $$, 'cannot ingest from public.stage_spread, which is or has a foreign table', 'or a part of it');

-- a trigger of somebody's on telemetry that keeps rows out would lose them
CREATE TABLE stage_kept (node_id bigint, sampled_at timestamptz, ok boolean);
INSERT INTO stage_kept VALUES (9001, '2024-01-03 07:00+00', true);
CREATE FUNCTION pg_temp.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER skip BEFORE INSERT ON swarm_reward_internal.telemetry_20240103 FOR EACH ROW EXECUTE FUNCTION pg_temp.skip();
SELECT throws_ok($$ SELECT ingest_telemetry('stage_kept') $$, '09000', NULL, 'rows that are kept out of telemetry are not lost');
DROP TRIGGER skip ON swarm_reward_internal.telemetry_20240103;
SELECT is((SELECT count(*) FROM stage_kept), 1::bigint, 'but still in the source');

-- ---------- rights ----------

CREATE ROLE sr_test_loader;
CREATE ROLE sr_test_operator;
CREATE ROLE sr_test_mallory;
CREATE SCHEMA mischief AUTHORIZATION sr_test_mallory;
GRANT USAGE ON SCHEMA mischief TO PUBLIC;
GRANT USAGE ON SCHEMA swarm_reward TO sr_test_loader, sr_test_operator, sr_test_mallory;
GRANT USAGE, CREATE ON SCHEMA public TO sr_test_loader, sr_test_operator, sr_test_mallory;
GRANT EXECUTE ON FUNCTION ingest_telemetry TO sr_test_operator;
CREATE TABLE stage_right (node_id bigint, sampled_at timestamptz, ok boolean);
ALTER TABLE stage_right OWNER TO sr_test_loader;
INSERT INTO stage_right VALUES (9001, '2024-01-03 08:00+00', true);
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace)
	AND p.proname IN ('ingest_telemetry', 'make_telemetry_partitions', 'keep_telemetry_partitions', 'drop_telemetry_partitions')
	AND has_function_privilege('sr_test_mallory', p.oid, 'execute') $$, 'not for everybody');
SET ROLE sr_test_mallory;
SELECT throws_ok($$ SELECT ingest_telemetry('stage_right') $$, '42501', NULL, 'indeed');
SET ROLE sr_test_operator;
SELECT throws_like($$ SELECT ingest_telemetry('stage_right') $$, 'permission denied for table stage_right', 'not from a table that one cannot read');
RESET ROLE;
GRANT SELECT ON stage_right TO sr_test_operator;
SET ROLE sr_test_operator;
SELECT throws_like($$ SELECT ingest_telemetry('stage_right') $$, 'permission denied for table stage_right', 'or not delete from');
RESET ROLE;
GRANT DELETE ON stage_right TO sr_test_operator;
SET ROLE sr_test_operator;
SELECT results_eq($$ SELECT moved FROM swarm_reward.ingest_telemetry('stage_right') $$, 'VALUES (1::bigint)', 'with both it needs no right on telemetry');
SELECT is(current_user::text, 'sr_test_operator', 'and one is oneself afterwards');
SELECT throws_ok('DELETE FROM swarm_reward.telemetry', '42501', NULL, 'without more rights than before');
RESET ROLE;
ALTER TABLE stage_right ENABLE ROW LEVEL SECURITY;
SET ROLE sr_test_operator;
SELECT throws_like($$ SELECT ingest_telemetry('stage_right') $$, 'cannot ingest from public.stage_right, where row-level security applies to you', 'row-level security is not got around');
RESET ROLE;

CREATE VIEW view_invoker WITH (security_invoker = true) AS SELECT * FROM stage_right;
ALTER VIEW view_invoker OWNER TO sr_test_loader;
GRANT SELECT, DELETE ON view_invoker TO sr_test_operator;
SET ROLE sr_test_operator;
SELECT throws_like($$ SELECT ingest_telemetry('view_invoker') $$, 'cannot ingest from public.view_invoker, a view with security_invoker of another owner', 'nor are the rights that a view asks of its caller');
RESET ROLE;

-- what a table brings with it runs with the rights of its owner, whoever ingests it
CREATE TABLE secret (word text);
SET ROLE sr_test_mallory;
CREATE TABLE ran (what text, who name);
GRANT INSERT ON ran TO PUBLIC;
CREATE FUNCTION evil_deed(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('mischief.armed', true) = 'yes' THEN
		BEGIN EXECUTE format('INSERT INTO public.ran VALUES (%L, current_user)', what); EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN EXECUTE 'ALTER ROLE sr_test_mallory SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN EXECUTE 'INSERT INTO public.secret VALUES (current_user)'; EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN EXECUTE 'SET ROLE NONE'; EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN EXECUTE 'SET SESSION AUTHORIZATION DEFAULT'; EXCEPTION WHEN OTHERS THEN NULL; END;
		PERFORM set_config('search_path', 'mischief, pg_catalog', false);
		PERFORM set_config('timezone', 'Asia/Kolkata', false);
	END IF;
	RETURN true;
END $$;
-- the planner may call it
CREATE FUNCTION evil(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.evil_deed(what); END $$;
-- whoever searches there first finds these
CREATE FUNCTION mischief.eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM public.evil_deed('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR mischief.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = mischief.eq);
CREATE FUNCTION evil_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.evil(TG_NAME); RETURN OLD; END $$;
CREATE TYPE evil_text AS (t text);
CREATE FUNCTION evil_cast(evil_text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM public.evil('cast'); RETURN ($1).t; END $$;
CREATE FUNCTION evil_json(evil_text) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM public.evil('json'); RETURN '{}'; END $$;
CREATE CAST (evil_text AS text) WITH FUNCTION evil_cast(evil_text);
CREATE CAST (evil_text AS json) WITH FUNCTION evil_json(evil_text);
CREATE TABLE stage_evil (node_id bigint, sampled_at timestamptz, ok boolean, extra evil_text);
INSERT INTO stage_evil VALUES (9001, '2024-01-03 09:00+00', true, ROW('a')), (1, '2024-01-03 09:00+00', true, ROW('b'));
CREATE INDEX ON stage_evil (node_id) WHERE evil('index');
CREATE TRIGGER before_row BEFORE DELETE ON stage_evil FOR EACH ROW EXECUTE FUNCTION evil_trigger();
CREATE TRIGGER after_statement AFTER DELETE ON stage_evil FOR EACH STATEMENT EXECUTE FUNCTION evil_trigger();
CREATE VIEW view_evil AS SELECT node_id, sampled_at, ok, extra FROM stage_evil WHERE evil('view');
RESET ROLE;
SET LOCAL mischief.armed = 'yes';
SET LOCAL search_path = public, swarm_reward;
SET LOCAL timezone = 'Europe/Rome';
SELECT results_eq($$ SELECT * FROM ingest_telemetry('stage_evil') $$, 'VALUES (1::bigint, 0::bigint, 1::bigint)', 'a superuser ingests a table that is up to no good');
SELECT set_eq('SELECT DISTINCT what, who FROM ran', $$ VALUES ('index', 'sr_test_mallory'::name), ('before_row', 'sr_test_mallory'), ('after_statement', 'sr_test_mallory') $$,
	'its code runs as its owner, and that of types not at all');
SELECT is((SELECT "row" ->> 'extra' FROM telemetry_reject ORDER BY reject_id DESC LIMIT 1), '(b)', 'whose values are kept');
SELECT ok(NOT (SELECT rolsuper FROM pg_roles WHERE rolname = 'sr_test_mallory') AND NOT EXISTS (SELECT FROM secret), 'nothing was gained by it');
SELECT is(current_setting('search_path') || current_user || current_setting('timezone'), 'public, swarm_reward' || session_user || 'Europe/Rome', 'nothing of it stays behind');
SET LOCAL mischief.armed = 'no';
INSERT INTO stage_evil VALUES (9001, '2024-01-03 09:01+00', true, NULL);
DELETE FROM ran;
SET LOCAL mischief.armed = 'yes';
SELECT lives_ok($$ SELECT ingest_telemetry('view_evil') $$, 'the same through its view');
SELECT set_eq('SELECT DISTINCT what, who FROM ran', $$ VALUES ('index', 'sr_test_mallory'::name), ('view', 'sr_test_mallory'), ('before_row', 'sr_test_mallory'), ('after_statement', 'sr_test_mallory') $$, 'is no other');
SET LOCAL mischief.armed = 'no';
CREATE CONSTRAINT TRIGGER later AFTER DELETE ON stage_evil DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil_trigger();
INSERT INTO stage_evil VALUES (9001, '2024-01-03 09:02+00', true, NULL);
SELECT throws_like($$ SELECT ingest_telemetry('stage_evil') $$, 'cannot fire deferred trigger within security-restricted operation', 'nor when the transaction ends');
SELECT * FROM finish();
ROLLBACK;
