-- Hourly summaries: whatever was rolled up, and whatever was written since, a
-- period read from summaries equals the same period read from raw rows, to the bit.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL search_path = swarm_reward, swarm_reward_internal, public;
SELECT plan(68);
-- uniform in [0, 1), the same on every machine
CREATE FUNCTION pg_temp.r(seed int, what text, i bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || substr(md5(seed || ' ' || what || ' ' || i), 1, 8))::bit(32)::bigint / 4294967296.0::float8 $$;
\o /dev/null
SELECT make_telemetry_partitions('2022-03-01 00:00+00', '2022-03-05 00:00+00');
\o
-- summaries of three kinds: with slots of 1 minute, of 7 minutes, of a day
INSERT INTO policy (policy_id, name, effective_from, telemetry_slot) VALUES
	(7001, 'seven', '2022-03-03 00:00+00', '7 minutes'), (7002, 'day', '2022-03-04 11:00+00', '1 day');

CREATE TYPE pg_temp.work AS (work numeric, metered_work numeric, fee numeric, energy_mwh numeric);
-- what an epoch of this period would read
CREATE FUNCTION pg_temp.telemetry_window(period tstzrange, slot interval)
RETURNS TABLE (node_id bigint, service_type code, summary telemetry_summary, work_summary telemetry_summary, work numeric, metered_work numeric, fee numeric, energy_mwh numeric)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	-- of heartbeats nothing but the summary is read
	RETURN QUERY EXECUTE format('SELECT t.node_id, t.service_type, t.summary, t.work_summary, (CASE WHEN t.service_type IS NOT NULL THEN (t.work, t.metered_work, t.fee, t.energy_mwh)::pg_temp.work END).* FROM (%s) t', in_shares(telemetry_query(period, slot), 2));
END $$;
-- the oracle: raw rows, nothing else
CREATE FUNCTION pg_temp.raw_window(period tstzrange, slot interval)
RETURNS TABLE (node_id bigint, service_type code, summary telemetry_summary, work_summary telemetry_summary, work numeric, metered_work numeric, fee numeric, energy_mwh numeric) LANGUAGE sql STABLE AS $$
	SELECT t.node_id, t.service_type, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, slot), rollup(work_summary(t.latency_ms, t.work, slot)) FILTER (WHERE t.ok AND t.work > 0),
		(CASE WHEN t.service_type IS NOT NULL THEN (coalesce(sum(t.work) FILTER (WHERE t.ok), 0), coalesce(sum(t.work) FILTER (WHERE t.ok AND t.energy_mwh IS NOT NULL), 0),
			coalesce(sum(t.fee) FILTER (WHERE t.ok), 0), sum(t.energy_mwh))::pg_temp.work END).*
	FROM telemetry t JOIN node n USING (node_id)
	WHERE t.sampled_at >= lower(period) AND t.sampled_at < upper(period)
		AND t.sampled_at >= n.joined_at AND (n.left_at IS NULL OR t.sampled_at < n.left_at)
	GROUP BY t.node_id, t.service_type
$$;
-- rows of one window and not of the other, by their text: numerics with another scale differ too
CREATE FUNCTION pg_temp.difference(period tstzrange, slot interval) RETURNS bigint LANGUAGE sql AS $$
	WITH a AS MATERIALIZED (SELECT w::text FROM pg_temp.telemetry_window(period, slot) w), b AS MATERIALIZED (SELECT w::text FROM pg_temp.raw_window(period, slot) w)
	SELECT (SELECT count(*) FROM (TABLE a EXCEPT ALL TABLE b) x) + (SELECT count(*) FROM (TABLE b EXCEPT ALL TABLE a) x)
$$;

-- 12 nodes that join and leave at odd times, three services, batches of rows over
-- four days, about one in three minutes
CREATE FUNCTION pg_temp.nodes(seed int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO service_type (code) VALUES ('a'), ('b') ON CONFLICT DO NOTHING;
	INSERT INTO provider (provider_id, name) VALUES (7000, 'seven') ON CONFLICT DO NOTHING;
	INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at, left_at)
	SELECT 7000 + i, 7000, 'POINT(7 7)', 100000, j, l
	FROM generate_series(1, 12) i,
		LATERAL (SELECT date_trunc(CASE WHEN i % 3 = 0 THEN 'hour' ELSE 'second' END, timestamptz '2022-03-01 00:00+00' + pg_temp.r(seed, 'j', i) * interval '30 hours') AS j) a,
		LATERAL (SELECT CASE WHEN pg_temp.r(seed, 'l?', i) < 0.5 THEN date_trunc(CASE WHEN i % 4 = 0 THEN 'hour' ELSE 'second' END, j + interval '1 hour' + pg_temp.r(seed, 'l', i) * interval '60 hours') END AS l) b
	ON CONFLICT (node_id) DO UPDATE SET joined_at = excluded.joined_at, left_at = excluded.left_at
$$;
CREATE FUNCTION pg_temp.batch(seed int, step int) RETURNS bigint LANGUAGE sql AS $$
	WITH put AS (
		INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh)
		SELECT 7001 + trunc(12 * r[1]), s, timestamptz '2022-03-01 00:00+00' + trunc(h + w * r[2] * 60) * interval '1 minute' + trunc(3 * r[3]) * interval '20 seconds',
			CASE WHEN r[4] < 0.9 THEN 400 * r[5] END, r[6] < 0.9,
			CASE WHEN s IS NULL THEN 0 ELSE trunc(100 * r[7]) END, CASE WHEN r[7] < 0.3 THEN trunc(9e30 * r[7]) END, CASE WHEN r[8] < 0.5 THEN trunc(1000 * r[8]) END
		FROM (SELECT pg_temp.r(seed, 'h', step) * 60 * 96 AS h, trunc(1 + pg_temp.r(seed, 'w', step) * 40) AS w, trunc(pg_temp.r(seed, 'n', step) * 400)::int AS n) p,
			LATERAL (SELECT array_agg(pg_temp.r(seed, 'x' || k, step * 1000 + i)) AS r, i FROM generate_series(1, p.n) i, generate_series(1, 9) k GROUP BY i) v,
			LATERAL (SELECT (ARRAY[NULL, 'a', 'b'])[1 + trunc(3 * r[9])::int] AS s) c
		WHERE h + w * r[2] * 60 < 60 * 96
		ON CONFLICT DO NOTHING RETURNING 1)
	SELECT count(*) FROM put
$$;
CREATE TABLE pg_temp.found (seed int, step int, what text, wrong bigint);
CREATE TABLE pg_temp.did (what text, n bigint);
CREATE FUNCTION pg_temp.walk(seed int, steps int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	p tstzrange;
	s interval;
	what text;
	n bigint;
BEGIN
	-- what the walk before left is not forgotten, but marked as gone
	TRUNCATE telemetry;
	PERFORM pg_temp.nodes(seed);
	FOR k IN 1 .. steps LOOP
		what := (ARRAY['batch', 'batch', 'batch', 'roll', 'roll some', 'delete', 'move', 'member', 'partition', 'mark'])[1 + trunc(10 * pg_temp.r(seed, 'what', k))::int];
		n := 1;
		CASE what
		WHEN 'batch' THEN n := pg_temp.batch(seed, k);
		WHEN 'roll' THEN SELECT count(*) INTO n FROM roll_telemetry_hours('2022-03-05 00:00+00');
		WHEN 'roll some' THEN SELECT count(*) INTO n FROM roll_telemetry_hours(timestamptz '2022-03-01 00:00+00' + pg_temp.r(seed, 'until', k) * interval '4 days', 1 + trunc(pg_temp.r(seed, 'max', k) * 30)::int);
		WHEN 'delete' THEN
			DELETE FROM telemetry t WHERE pg_temp.r(seed, 'd' || k || t.service_key || t.node_id, extract(epoch FROM t.sampled_at)::bigint) < 0.01;
			GET DIAGNOSTICS n = ROW_COUNT;
		WHEN 'move' THEN	-- to another day, service and result
			UPDATE telemetry t SET sampled_at = timestamptz '2022-03-04 23:59:59+00' - (t.sampled_at - '2022-03-01 00:00+00') + k * interval '1 microsecond', ok = NOT t.ok
			WHERE pg_temp.r(seed, 'm' || k || t.service_key || t.node_id, extract(epoch FROM t.sampled_at)::bigint) < 0.01
				AND t.sampled_at > '2022-03-01 00:00:01+00';
			GET DIAGNOSTICS n = ROW_COUNT;
		WHEN 'member' THEN
			UPDATE node SET joined_at = joined_at - pg_temp.r(seed, 'jj', k) * interval '3 hours',
				left_at = left_at + pg_temp.r(seed, 'll', k) * interval '3 hours' WHERE node_id = 7001 + trunc(12 * pg_temp.r(seed, 'jm', k));
		WHEN 'partition' THEN	-- not by way of the parent
			INSERT INTO swarm_reward_internal.telemetry_20220302 (node_id, sampled_at, ok, latency_ms)
			SELECT 7001 + trunc(12 * pg_temp.r(seed, 'pn', k)), timestamptz '2022-03-02 00:00+00' + pg_temp.r(seed, 'pt', k) * interval '24 hours', true, 1;
		ELSE
			SELECT mark_telemetry_hours(tstzrange(timestamptz '2022-03-01 00:00+00' + pg_temp.r(seed, 'mark', k) * interval '4 days', NULL)) INTO n;
		END CASE;
		INSERT INTO pg_temp.did VALUES (what, n);
		-- a period with whole hours, and one with odd bounds
		p := tstzrange(timestamptz '2022-03-01 00:00+00' + trunc(48 * pg_temp.r(seed, 'p', k)) * interval '1 hour',
			timestamptz '2022-03-05 00:00+00' - trunc(47 * pg_temp.r(seed, 'q', k)) * interval '1 hour');
		s := (ARRAY[interval '1 minute', '1 minute', '1 day', '90 minutes', '7 minutes'])[1 + trunc(5 * pg_temp.r(seed, 's', k))::int];
		INSERT INTO pg_temp.found VALUES (seed, k, what || ', whole hours', pg_temp.difference(p, s));
		p := tstzrange(lower(p) + 0.9 * pg_temp.r(seed, 'pp', k) * (upper(p) - lower(p)), upper(p) - pg_temp.r(seed, 'qq', k) * interval '1 minute');
		INSERT INTO pg_temp.found VALUES (seed, k, what || ', odd bounds', pg_temp.difference(p, interval '1 minute'));
	END LOOP;
	INSERT INTO pg_temp.did SELECT 'read from summaries', count(*) FROM telemetry_rolled WHERE NOT EXISTS (SELECT FROM telemetry_dirty WHERE hour_of(since) = hour) AND samples > 0;
	INSERT INTO pg_temp.found SELECT seed, 0, 'verify_telemetry_hours', count(*) FROM verify_telemetry_hours('[2022-03-01 00:00+00,2022-03-05 00:00+00)');
	-- and once everything is rolled up again
	PERFORM roll_telemetry_hours('2022-03-05 00:00+00');
	INSERT INTO pg_temp.found SELECT seed, 0, 'verify_telemetry_hours at the end', count(*) FROM verify_telemetry_hours('[2022-03-01 00:00+00,2022-03-05 00:00+00)');
	INSERT INTO pg_temp.found SELECT seed, 0, 'nothing is left to do', count(*) FROM pending_telemetry_hours('2022-03-05 00:00+00');
	INSERT INTO pg_temp.found SELECT seed, 0, 'no hour is dirty', count(*) FROM telemetry_dirty;
	INSERT INTO pg_temp.found SELECT seed, 0, 'rows that came less rows that went are those that are there', abs(came - gone - (SELECT count(*) FROM telemetry))
		FROM telemetry_changes('[2022-03-01 00:00+00,2022-03-05 00:00+00)');
	INSERT INTO pg_temp.found SELECT seed, 0, 'samples of each hour', count(*) FROM telemetry_rolled o
		WHERE o.samples <> (SELECT count(*) FROM telemetry t WHERE t.sampled_at >= o.hour AND t.sampled_at < o.hour + interval '1 hour');
	INSERT INTO pg_temp.found SELECT seed, 0, 'telemetry_hour against plain SQL', count(*)
		FROM (SELECT a::text FROM (SELECT node_id, service_type::text, hour, samples(summary), errors(summary), work, fee, energy_mwh FROM telemetry_hour) a
			EXCEPT ALL
			SELECT b::text FROM (SELECT node_id, service_type::text, date_trunc('hour', sampled_at, 'UTC'), count(*), count(*) FILTER (WHERE NOT ok),
				coalesce(sum(work) FILTER (WHERE ok), 0), coalesce(sum(fee) FILTER (WHERE ok), 0), sum(energy_mwh) FROM telemetry GROUP BY 1, 2, 3) b) x;
END $$;
\o /dev/null
SELECT pg_temp.walk(seed, 30) FROM generate_series(1, 4) seed;
\o
SELECT is((SELECT string_agg(format('seed %s, step %s, %s: %s', seed, step, what, wrong), E'\n') FROM pg_temp.found WHERE wrong <> 0), NULL, 'summaries and raw rows agree, whatever happens');
SELECT is((SELECT count(*) FROM (SELECT what FROM pg_temp.did GROUP BY what HAVING sum(n) >= 10) d), 9::bigint, 'and everything has happened');
SELECT is((SELECT array_agg(DISTINCT slot ORDER BY slot) FROM telemetry_rolled WHERE hour > '2022-03-01'), ARRAY[interval '1 minute', '7 minutes', '24 hours'], 'with each slot');

-- one late row: that hour, that summary, and no other
\o /dev/null
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 7000 + i, '2022-03-02 13:20:00.000003+00', 5, true FROM generate_series(1, 12) i;
SELECT roll_telemetry_hours('2022-03-05 00:00+00');
\o
CREATE TABLE pg_temp.version AS SELECT tableoid AS part, ctid AS place, hour, node_id FROM telemetry_hour;
CREATE VIEW pg_temp.touched AS
SELECT hour, node_id FROM (SELECT tableoid AS part, ctid AS place, hour, node_id FROM telemetry_hour) b
	FULL JOIN pg_temp.version a USING (part, place, hour, node_id)
WHERE a IS NULL OR b IS NULL;
SELECT is_empty('SELECT * FROM roll_telemetry_hours(''2022-03-05 00:00+00'')', 'rolling up again does nothing');
SELECT is_empty('SELECT * FROM pg_temp.touched', 'and touches nothing');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-03-02 13:59:59.999999+00', 5, true);
SELECT is((SELECT count(*) FROM pending_telemetry_hours('2022-03-02 13:59:59.999999+00')), 0::bigint, 'an hour that has not ended can wait');
SELECT results_eq('SELECT hour, slot, reason, came, gone FROM pending_telemetry_hours()', $$ VALUES (timestamptz '2022-03-02 13:00+00', interval '1 minute', 'dirty', 1::bigint, 0::bigint) $$, 'a late row makes its hour dirty');
CREATE TABLE pg_temp.rolled AS TABLE telemetry_rolled;
SELECT results_eq('SELECT hour, reason, changed FROM roll_telemetry_hours()', $$ VALUES (timestamptz '2022-03-02 13:00+00', 'dirty', 1::bigint) $$, 'only that hour is rolled up again, with one summary');
SELECT is_empty($$ SELECT * FROM pg_temp.touched WHERE node_id <> 7001 OR hour <> '2022-03-02 13:00+00' $$, 'the other summaries are untouched');
SELECT isnt_empty('SELECT * FROM pg_temp.touched', 'that one is not');
SELECT results_eq('SELECT a.hour, a.rolls - b.rolls, a.samples - b.samples FROM telemetry_rolled a FULL JOIN pg_temp.rolled b USING (hour) WHERE a IS DISTINCT FROM b',
	$$ VALUES (timestamptz '2022-03-02 13:00+00', 1, 1::bigint) $$, 'and so is the record of the roll-ups');

-- an aborted roll-up leaves everything as it was
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 7001, h + interval '7.5 minutes', 5, true FROM generate_series(timestamptz '2022-03-01 00:00+00', '2022-03-04 23:00+00', '1 hour') h;
CREATE TABLE pg_temp.state AS SELECT (SELECT count(*) FROM telemetry_dirty), (SELECT md5(string_agg(r::text, ',' ORDER BY hour)) FROM telemetry_rolled r) AS rolled,
	(SELECT md5(string_agg(h::text, ',' ORDER BY h::text)) FROM telemetry_hour h) AS hours, (SELECT md5(string_agg(a::text, ',' ORDER BY a::text)) FROM telemetry_arrival a) AS arrivals;
DO $$ BEGIN
	PERFORM roll_telemetry_hours('2022-03-05 00:00+00');
	RAISE EXCEPTION 'power cut';
EXCEPTION WHEN raise_exception THEN NULL;
END $$;
SELECT results_eq($$ SELECT (SELECT count(*) FROM telemetry_dirty), (SELECT md5(string_agg(r::text, ',' ORDER BY hour)) FROM telemetry_rolled r),
	(SELECT md5(string_agg(h::text, ',' ORDER BY h::text)) FROM telemetry_hour h), (SELECT md5(string_agg(a::text, ',' ORDER BY a::text)) FROM telemetry_arrival a) $$,
	'TABLE pg_temp.state', 'an aborted roll-up has changed nothing');
SELECT is(pg_temp.difference('[2022-03-01 00:00+00,2022-03-05 00:00+00)', '1 minute'), 0::bigint, 'nor what a period reads');
-- step by step, oldest first
SELECT is((SELECT array_agg(hour) FROM roll_telemetry_hours('2022-03-05 00:00+00', 1)), ARRAY[timestamptz '2022-03-01 00:00+00'], 'one hour at a time, the oldest first');
SELECT is((SELECT count(*) FROM roll_telemetry_hours('2022-03-05 00:00+00', 40)), 40::bigint, 'then forty, over two days');
SELECT is(pg_temp.difference('[2022-03-01 00:00+00,2022-03-05 00:00+00)', '1 minute'), 0::bigint, 'half done reads the same');
SELECT is((SELECT count(*) FROM roll_telemetry_hours('2022-03-05 00:00+00')), 55::bigint, 'then the rest');
CREATE TABLE pg_temp.stepwise AS SELECT node_id, service_type, hour, summary::text, work_summary::text, work::text, metered_work::text, fee::text, energy_mwh::text FROM telemetry_hour;
DELETE FROM telemetry_hour;
DELETE FROM telemetry_rolled;
SELECT is((SELECT count(*) FROM roll_telemetry_hours('2022-03-05 00:00+00') WHERE reason = 'new' AND hour >= '2022-03-01 00:00+00'), 96::bigint, 'from nothing, at once');
SELECT results_eq('SELECT node_id, service_type, hour, summary::text, work_summary::text, work::text, metered_work::text, fee::text, energy_mwh::text FROM telemetry_hour ORDER BY 3, 1, 2', 'SELECT * FROM pg_temp.stepwise ORDER BY 3, 1, 2', 'gives the same summaries as step by step');
SELECT throws_ok('SELECT roll_telemetry_hours(NULL, 0)', '22023', 'cannot roll up at most 0 hours', 'no hours at all are refused');

-- whoever writes, and however, marks
CREATE FUNCTION pg_temp.dirty() RETURNS text LANGUAGE sql AS $$
	WITH d AS (DELETE FROM telemetry_dirty RETURNING since, came, gone)
	SELECT string_agg(concat_ws(' ', to_char(d.since AT TIME ZONE 'UTC', 'DD HH24:MI'), d.came, d.gone), ', ' ORDER BY d.since) FROM d
$$;
COPY telemetry (node_id, sampled_at, latency_ms, ok) FROM stdin;
7001	2022-03-01 05:00:00.000001+00	1	t
7001	2022-03-01 05:59:59.999999+00	1	t
7002	2022-03-03 06:00:00.000001+00	1	t
\.
SELECT is(pg_temp.dirty(), '01 05:00 2 0, 03 06:00 1 0', 'COPY');
COPY swarm_reward_internal.telemetry_20220301 (node_id, sampled_at, latency_ms, ok) FROM stdin;
7001	2022-03-01 07:00:00.000001+00	1	t
\.
SELECT is(pg_temp.dirty(), '01 07:00 1 0', 'COPY into a partition');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-03-01 07:00:00.000001+00', 1, true) ON CONFLICT DO NOTHING;
SELECT is(pg_temp.dirty(), NULL, 'a row that was there already marks nothing');
UPDATE telemetry SET ok = false WHERE node_id = 7001 AND sampled_at = '2022-03-01 07:00:00.000001+00';
SELECT is(pg_temp.dirty(), '01 07:00 1 1', 'UPDATE');
UPDATE telemetry SET sampled_at = '2022-03-02 08:00:00.000001+00' WHERE node_id = 7001 AND sampled_at = '2022-03-01 07:00:00.000001+00';
SELECT is(pg_temp.dirty(), '01 07:00 0 1, 02 08:00 1 0', 'UPDATE into another partition');
MERGE INTO telemetry t USING (VALUES (7001, timestamptz '2022-03-02 08:00:00.000001+00'), (7001, '2022-03-02 09:00:00.000001+00')) v (node_id, at) ON t.node_id = v.node_id AND t.sampled_at = v.at
WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (node_id, sampled_at, latency_ms, ok) VALUES (v.node_id, v.at, 1, true);
SELECT is(pg_temp.dirty(), '02 08:00 0 1, 02 09:00 1 0', 'MERGE');
DELETE FROM swarm_reward_internal.telemetry_20220302 WHERE node_id = 7001 AND sampled_at = '2022-03-02 09:00:00.000001+00';
SELECT is(pg_temp.dirty(), '02 09:00 0 1', 'DELETE from a partition');
CREATE ROLE telemetry_hour_writer;
GRANT USAGE ON SCHEMA swarm_reward TO telemetry_hour_writer;
GRANT INSERT ON telemetry TO telemetry_hour_writer;
SET LOCAL ROLE telemetry_hour_writer;
INSERT INTO swarm_reward.telemetry (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-03-02 10:00:00.000001+00', 1, true);
RESET ROLE;
SELECT is(pg_temp.dirty(), '02 10:00 1 0', 'a role that may write telemetry and nothing else');
SET LOCAL timezone = 'Asia/Kathmandu';
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-03-02 10:00:00.000002+00', 1, true);
RESET timezone;
SELECT is(pg_temp.dirty(), '02 10:00 1 0', 'hours are those of UTC');
SAVEPOINT a;
TRUNCATE swarm_reward_internal.telemetry_20220304;
SELECT results_eq('SELECT sum(gone)::bigint, min(hour_of(since))::text FROM telemetry_dirty', $$ SELECT sum(samples)::bigint, min(hour)::text FROM telemetry_rolled WHERE hour >= '2022-03-04 00:00+00' AND samples > 0 $$, 'TRUNCATE of a partition');
ROLLBACK TO a;
SAVEPOINT a;
SET LOCAL session_replication_role = replica;
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-03-04 20:00:00.000001+00', 1, true);
SET LOCAL session_replication_role = origin;
SELECT bag_eq($$ SELECT * FROM verify_telemetry_hours('[2022-03-04 00:00+00,2022-03-05 00:00+00)') $$, $$ VALUES (timestamptz '2022-03-04 20:00+00', 7001::bigint, NULL::code) $$, 'what was written behind the triggers is found');
SELECT is(mark_telemetry_hours('[2022-03-04 20:59:59+00,2022-03-04 21:00+00)'), 1::bigint, 'and marked by hand');
SELECT is(mark_telemetry_hours('empty') + mark_telemetry_hours(NULL), 0::bigint, 'an empty period marks nothing');
\o /dev/null
SELECT roll_telemetry_hours('2022-03-05 00:00+00');
\o
SELECT is_empty($$ SELECT * FROM verify_telemetry_hours('[2022-03-04 00:00+00,2022-03-05 00:00+00)') $$, 'so that it is mended');
ROLLBACK TO a;
\o /dev/null
SELECT mark_telemetry_hours('(,)');
SELECT roll_telemetry_hours('2022-03-05 00:00+00');
\o

-- other slots
SAVEPOINT a;
INSERT INTO epoch (epoch_id, period, budget) VALUES (7000, '[2022-03-01 00:00+00,2022-03-05 00:00+00)', 1);
SELECT is((SELECT count(*) FROM pending_telemetry_hours('2022-03-05 00:00+00') WHERE reason = 'slot' AND slot = '1 minute'), 48::bigint, 'hours are rolled up again where an epoch is planned under a policy with another slot');
\o /dev/null
SELECT roll_telemetry_hours('2022-03-05 00:00+00');
\o
SELECT is(pg_temp.difference('[2022-03-01 00:00+00,2022-03-05 00:00+00)', '1 minute'), 0::bigint, 'and read the same');
SELECT throws_ok($$ SELECT * FROM pg_temp.telemetry_window('[2022-03-01 00:00+00,2022-03-05 00:00+00)', '1 month') $$, '22023', NULL, 'a slot that has no fixed length is an error');
SELECT throws_ok($$ SELECT * FROM pg_temp.telemetry_window('[2022-03-01 00:00+00,2022-03-05 00:00+00)', '0') $$, '22023', NULL, 'and one without a length');
ROLLBACK TO a;

-- whole hours need no raw rows
UPDATE node SET joined_at = '2022-03-01 00:00+00', left_at = NULL WHERE provider_id = 7000;
CREATE TABLE pg_temp.raw AS SELECT w::text FROM pg_temp.raw_window('[2022-03-01 01:00+00,2022-03-03 00:00+00)', '1 minute') w;
SELECT set_eq($$ SELECT w::text FROM pg_temp.telemetry_window('[2022-03-01 01:00+00,2022-03-03 00:00+00)', '1 minute') w $$, 'TABLE pg_temp.raw', 'before the raw rows are dropped');
DROP TABLE swarm_reward_internal.telemetry_20220302;
SELECT set_eq($$ SELECT w::text FROM pg_temp.telemetry_window('[2022-03-01 01:00+00,2022-03-03 00:00+00)', '1 minute') w $$, 'TABLE pg_temp.raw', 'and after');
SELECT throws_ok($$ SELECT * FROM pg_temp.telemetry_window('[2022-03-01 00:00+00,2022-03-02 12:30+00)', '1 minute') $$, '55000', 'the raw telemetry of the hour 2022-03-02 12:00:00+00, which is needed, was dropped', 'part of an hour needs them');
SELECT throws_ok($$ SELECT * FROM pg_temp.telemetry_window('[2022-03-01 00:00+00,2022-03-03 00:00+00)', '2 minutes') $$, '55000', NULL, 'and so does another slot');
UPDATE node SET joined_at = '2022-03-02 13:30+00' WHERE node_id = 7001;
SELECT throws_ok($$ SELECT * FROM pg_temp.telemetry_window('[2022-03-01 00:00+00,2022-03-03 00:00+00)', '1 minute') $$, '55000', NULL, 'and a node that joined within an hour');
UPDATE node SET joined_at = '2022-03-01 00:00+00' WHERE node_id = 7001;
SELECT lives_ok($$ SELECT make_telemetry_partitions('2022-03-02', '2022-03-03') $$, 'a new partition in place of the one dropped');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-03-02 13:00:00.000007+00', 1, true);
SELECT set_eq($$ SELECT w::text FROM pg_temp.telemetry_window('[2022-03-01 01:00+00,2022-03-03 00:00+00)', '1 minute') w $$, 'TABLE pg_temp.raw', 'is not taken for all that there was');
SELECT results_eq('SELECT hour, reason FROM roll_telemetry_hours(''2022-03-05 00:00+00'')', $$ VALUES (timestamptz '2022-03-02 13:00+00', 'counted') $$, 'nor rolled up');
SELECT set_eq($$ SELECT w::text FROM pg_temp.telemetry_window('[2022-03-01 01:00+00,2022-03-03 00:00+00)', '1 minute') w $$, 'TABLE pg_temp.raw', 'so that the summaries stand');
SELECT is((SELECT a.came - a.gone - r.samples FROM telemetry_arrival a JOIN telemetry_rolled r ON r.hour = a.since WHERE r.hour = '2022-03-02 13:00+00'), 1::bigint, 'but the row is counted');
SAVEPOINT late;
INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at) VALUES (7099, 7000, 'POINT(1 1)', 1000, '2022-03-02 13:20+00');
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (7099, '2022-03-02 13:40+00', 1, true);
SELECT set_eq($$ SELECT w::text FROM pg_temp.telemetry_window('[2022-03-01 01:00+00,2022-03-03 00:00+00)', '1 minute') w $$, 'TABLE pg_temp.raw', 'nor is what comes late read of a node that joined within such an hour');
ROLLBACK TO late;
DROP TABLE swarm_reward_internal.telemetry_hour_20220301;
SELECT is(pg_temp.difference('[2022-03-01 00:00+00,2022-03-02 00:00+00)', '1 minute'), 0::bigint, 'without summaries raw rows are read');
SELECT is((SELECT make_telemetry_partitions('2022-03-01', '2022-03-02')), 1, 'a new partition for summaries');
SELECT is(pg_temp.difference('[2022-03-01 00:00+00,2022-03-02 00:00+00)', '1 minute'), 0::bigint, 'which is not taken for a day without telemetry');
SELECT is((SELECT count(*) FROM roll_telemetry_hours('2022-03-05 00:00+00') WHERE reason = 'slot'), 24::bigint, 'they are made again');
SELECT is(pg_temp.difference('[2022-03-01 00:00+00,2022-03-02 00:00+00)', '1 minute'), 0::bigint, 'and read the same');
DROP TABLE swarm_reward_internal.telemetry_hour_20220301;
SELECT is((SELECT count(*) FROM roll_telemetry_hours('2022-03-05 00:00+00') WHERE reason = 'slot'), 24::bigint, 'and rolling up makes a missing partition itself');
SELECT is_empty('SELECT * FROM pending_telemetry_hours(''2022-03-05 00:00+00'')', 'with nothing left to do');
SELECT is(pg_temp.difference('[2022-03-01 00:00+00,2022-03-02 00:00+00)', '1 minute'), 0::bigint, 'and to the same');

-- the most that rows may say
SELECT make_telemetry_partitions('2022-07-01 00:00+00', '2022-07-02 00:00+00') \g /dev/null
INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh)
SELECT 7001, 'a', timestamptz '2022-07-01 13:00:07+00' + i * interval '1 second', 1, true, 1000000000000000, 99999999999999999999999999999999999999, 9223372036854775807 FROM generate_series(1, 3) i;
SELECT lives_ok('SELECT * FROM roll_telemetry_hours()', 'the largest fees of an hour add up');
SELECT results_eq($$ SELECT fee, work FROM telemetry_hour WHERE (node_id, service_type::text, hour) = (7001, 'a', '2022-07-01 13:00+00') $$,
	$$ SELECT sum(fee), sum(work) FROM telemetry WHERE (node_id, service_type::text) = (7001, 'a') AND ok AND sampled_at >= '2022-07-01 13:00+00' AND sampled_at < '2022-07-01 14:00+00' $$, 'to what the raw rows give');

-- other partitions than ours
CREATE TABLE pg_temp.partitions AS SELECT * FROM telemetry_partition('telemetry');
CREATE TABLE swarm_reward.telemetry_rest PARTITION OF telemetry DEFAULT;
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-04-01 13:00+00', 1, true), (7001, '2022-04-01 14:30+00', 1, true);
SELECT set_eq($$ SELECT * FROM telemetry_partition('telemetry') $$, 'SELECT partition, period, true FROM pg_temp.partitions', 'a default partition is for no time in particular');
SELECT set_eq($$ SELECT reason, changed FROM roll_telemetry_hours() $$, $$ VALUES ('counted', 0::bigint) $$, 'what is in it is not rolled up');
SELECT is(pg_temp.difference('[2022-03-03 00:00+00,2022-05-01 00:00+00)', '1 minute'), 0::bigint, 'but read');
SELECT is_empty($$ SELECT * FROM pg_temp.telemetry_window('empty', '1 minute') $$, 'an empty one holds nothing');
CREATE TABLE swarm_reward.telemetry_may PARTITION OF telemetry FOR VALUES FROM ('2022-05-01 00:00+00') TO ('2022-06-01 00:00+00');
INSERT INTO swarm_reward.telemetry_may (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-05-01 13:00+00', 1, true);
SELECT is_empty($$ SELECT * FROM roll_telemetry_hours() $$, 'a partition that does not mark its hours is not rolled up');
SELECT is(pg_temp.difference('[2022-05-01 00:00+00,2022-05-02 00:00+00)', '1 day'), 0::bigint, 'but read');
SELECT watch_telemetry_partition('telemetry_may');
SELECT is((SELECT sum(samples) FROM roll_telemetry_hours()), 1::numeric, 'with triggers it is rolled up');
ALTER TABLE swarm_reward.telemetry_may DISABLE TRIGGER mark_telemetry_insert;
INSERT INTO swarm_reward.telemetry_may (node_id, sampled_at, latency_ms, ok) VALUES (7001, '2022-05-01 13:30+00', 1, true);
SELECT is(pg_temp.difference('[2022-05-01 00:00+00,2022-05-02 00:00+00)', '1 day'), 0::bigint, 'and where they are switched off, raw rows are read');
ALTER TABLE telemetry DISABLE TRIGGER mark_telemetry_delete;
DELETE FROM telemetry WHERE sampled_at > '2022-03-03 00:00+00' AND node_id <= 7006;
SELECT is(pg_temp.difference('[2022-03-03 00:00+00,2022-03-04 00:00+00)', '7 minutes'), 0::bigint, 'also of the whole');
SELECT * FROM finish();
ROLLBACK;
