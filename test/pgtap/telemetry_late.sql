-- Epochs from summaries and from raw rows are the same epochs; late telemetry
-- has computed epochs computed again, and final ones never.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(49);

-- The generated networks, with samples all over the day, members that join and
-- leave between samples of one hour, and epochs whose bounds are no whole hours.
CREATE TABLE pg_temp.planned (epoch_id bigint, period tstzrange, budget numeric);
CREATE FUNCTION pg_temp.odd(shift interval) RETURNS void LANGUAGE sql AS $$
	UPDATE policy SET telemetry_slot = '6 hours', uptime_floor = 0.05, uptime_target = 0.3 WHERE policy_id = 1000;
	UPDATE telemetry SET sampled_at = sampled_at + (node_id * 977 % 80000) * interval '1 second';
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
		SELECT node_id, service_type, sampled_at + interval '1 minute', latency_ms * 2, NOT ok OR node_id % 3 = 0, work, energy_mwh FROM telemetry;
	UPDATE node n SET joined_at = t.at FROM (SELECT node_id, min(sampled_at) + interval '30 seconds' AS at FROM telemetry GROUP BY 1) t WHERE t.node_id = n.node_id AND n.node_id % 2 = 0;
	UPDATE node n SET left_at = t.at FROM (SELECT node_id, max(sampled_at) - interval '30 seconds' AS at FROM telemetry GROUP BY 1) t WHERE t.node_id = n.node_id AND n.left_at IS NOT NULL;
	DELETE FROM pg_temp.planned;
	INSERT INTO pg_temp.planned SELECT epoch_id, period, budget FROM epoch;
	DELETE FROM epoch;
	INSERT INTO epoch (epoch_id, period, budget) SELECT epoch_id, tstzrange(lower(period) + shift, upper(period) + shift), budget FROM pg_temp.planned;
$$;
CREATE FUNCTION pg_temp.late(rows_ int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
	SELECT node_id, service_type, sampled_at + interval '2 minutes', 900, node_id % 2 = 0, work, energy_mwh FROM telemetry
	WHERE sampled_at < '2021-02-20' ORDER BY md5(node_id || service_key || sampled_at::text) LIMIT rows_;
	DELETE FROM telemetry WHERE md5('gone' || node_id || service_key || sampled_at::text) < '01';
$$;
\o /dev/null
SELECT pg_temp.play('raw', seed, 16, $$ SELECT pg_temp.odd('0'); SELECT pg_temp.late(50) $$) FROM generate_series(1, 1) seed;
SELECT pg_temp.play('rolled', seed, 16, $$ SELECT pg_temp.odd('0'); SELECT pg_temp.late(50); SELECT roll_telemetry_hours() $$) FROM generate_series(1, 1) seed;
SELECT pg_temp.play('rolled before', seed, 16, $$ SELECT pg_temp.odd('0'); SELECT roll_telemetry_hours(); SELECT pg_temp.late(50); SELECT roll_telemetry_hours('2021-01-30 00:00+00') $$) FROM generate_series(1, 1) seed;
SELECT pg_temp.play('raw', seed, 16, $$ SELECT pg_temp.odd('17 minutes 3.5 seconds'); SELECT pg_temp.late(50) $$) FROM generate_series(4, 4) seed;
SELECT pg_temp.play('rolled', seed, 16, $$ SELECT pg_temp.odd('17 minutes 3.5 seconds'); SELECT pg_temp.late(50); SELECT roll_telemetry_hours() $$) FROM generate_series(4, 4) seed;
SELECT pg_temp.play('rolled before', seed, 16, $$ SELECT pg_temp.odd('17 minutes 3.5 seconds'); SELECT roll_telemetry_hours(); SELECT pg_temp.late(50); SELECT roll_telemetry_hours('2021-01-30 00:00+00') $$) FROM generate_series(4, 4) seed;
\o
SELECT is((SELECT count(DISTINCT (seed, epoch_id, digest)) FROM pg_temp.pool), 8::bigint, 'the digest of an epoch does not depend on what was rolled up');
SELECT is((SELECT count(DISTINCT (label, seed, epoch_id)) FROM pg_temp.pool), 24::bigint, 'of 24 epochs');
SELECT is((SELECT count(DISTINCT component) FROM pg_temp.paid WHERE amount > 0), 6::bigint, 'that paid in every component');
SELECT ok((SELECT bool_and(verified) FROM pg_temp.pool), 'and verify');
\o /dev/null
SELECT pg_temp.play('without', 1, 16, $$ SELECT pg_temp.odd('0') $$);
\o
SELECT ok((SELECT count(DISTINCT digest) > 4 FROM pg_temp.pool WHERE seed = 1), 'late rows make a difference');

-- late rows, from the close to the end
\o /dev/null
SELECT pg_temp.build(4, 20);
\o
CREATE FUNCTION pg_temp.add(at timestamptz) RETURNS void LANGUAGE sql AS $$ INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT node_id, at, 999, false FROM node WHERE provider_id > 1000 AND joined_at <= '2021-01-20' $$;
CREATE TABLE pg_temp.n AS SELECT count(*) AS n FROM node WHERE provider_id > 1000 AND joined_at <= '2021-01-20';
SELECT cmp_ok((SELECT n FROM pg_temp.n), '>', 0::bigint, 'nodes that can be late');
SELECT is((SELECT array_agg(computations) FROM epoch_telemetry), ARRAY[0, 0, 0, 0], 'nothing is computed yet');
SELECT is((SELECT count(*) FROM epoch_telemetry WHERE late_came IS NULL AND NOT stale), 4::bigint, 'and nothing late');
CALL run_epoch(1001);
CALL run_epoch(1002);
CALL run_epoch(1003, 'the board wants to see it');
SELECT results_eq('SELECT epoch_id, computation, computed_by, reason, late_came::int, late_gone::int FROM epoch_computation ORDER BY 1',
	$$ VALUES (1001::bigint, 1, session_user, 'first computation', 0, 0), (1002, 1, session_user, 'first computation', 0, 0), (1003, 1, session_user, 'the board wants to see it', 0, 0) $$,
	'each computation is recorded');
SELECT results_eq('SELECT epoch_id, late_came::int, late_gone::int, stale FROM epoch_telemetry WHERE computations > 0 ORDER BY 1', $$ VALUES (1001::bigint, 0, 0, false), (1002, 0, 0, false), (1003, 0, 0, false) $$, 'nothing is late');
CREATE TABLE pg_temp.first AS SELECT epoch_id, digest FROM epoch;
SELECT pg_temp.add('2021-01-25 10:00+00');
SELECT pg_temp.add('2021-02-10 00:00:00.000001+00');	-- of the next epoch
DELETE FROM telemetry WHERE sampled_at = '2021-02-05 00:00+00' AND service_type IS NULL AND node_id = (SELECT min(node_id) FROM telemetry WHERE sampled_at = '2021-02-05 00:00+00');
SELECT results_eq('SELECT epoch_id, late_came::bigint, late_gone::int, stale FROM epoch_telemetry WHERE computations > 0 ORDER BY 1',
	$$ SELECT x.e, x.came * n, x.gone, x.stale FROM pg_temp.n, (VALUES (1001::bigint, 0, 0, false), (1002, 1, 1, true), (1003, 1, 0, true)) x (e, came, gone, stale) $$, 'late rows are counted where they belong');
\o /dev/null
SELECT roll_telemetry_hours();
\o
SELECT results_eq('SELECT epoch_id, late_came::bigint, late_gone::int, stale FROM epoch_telemetry WHERE computations > 0 ORDER BY 1',
	$$ SELECT x.e, x.came * n, x.gone, x.stale FROM pg_temp.n, (VALUES (1001::bigint, 0, 0, false), (1002, 1, 1, true), (1003, 1, 0, true)) x (e, came, gone, stale) $$, 'rolling up changes no count');
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
SELECT throws_ok($$ UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002 $$, '55000',
	format('epoch 1002 cannot become final: since it was computed %s rows of its telemetry came and 1 went', n), 'an epoch cannot become final without them') FROM pg_temp.n;
SELECT throws_ok('CALL run_epoch(1002, '''')', '22023', NULL, 'an empty reason is none');
CALL run_late_epochs();
SELECT results_eq('SELECT epoch_id, computation, reason, late_came::bigint, late_gone::int FROM epoch_computation WHERE computation > 1 ORDER BY 1',
	$$ SELECT x.e, x.c, replace(x.reason, 'N', n::text), x.came * n, x.gone FROM pg_temp.n, (VALUES (1002::bigint, 2, 'late telemetry: N rows came, 1 went', 1, 1), (1003, 2, 'epoch 1002 before it was computed again', 1, 0)) x (e, c, reason, came, gone) $$,
	'they are computed again, and the ones after them, with the reason');
SELECT isnt((SELECT digest FROM epoch WHERE epoch_id = 1002), (SELECT digest FROM pg_temp.first WHERE epoch_id = 1002), 'to another result');
SELECT is_empty('SELECT * FROM epoch_telemetry WHERE stale', 'which is up to date');
SELECT is_empty('SELECT * FROM epoch e JOIN (SELECT DISTINCT ON (epoch_id) epoch_id, digest FROM epoch_computation ORDER BY epoch_id, computation DESC) c USING (epoch_id) WHERE c.digest <> e.digest', 'the record has the digests');
SELECT is((SELECT digest FROM epoch_computation WHERE epoch_id = 1002 AND computation = 1), (SELECT digest FROM pg_temp.first WHERE epoch_id = 1002), 'those of the past too');
CREATE ROLE telemetry_late_reader;
GRANT USAGE ON SCHEMA swarm_reward TO telemetry_late_reader;
GRANT SELECT ON epoch_telemetry, reporter_watermark, telemetry_watermark TO telemetry_late_reader;
SET LOCAL ROLE telemetry_late_reader;
SELECT lives_ok('SELECT * FROM swarm_reward.epoch_telemetry, swarm_reward.telemetry_watermark, swarm_reward.reporter_watermark', 'the views are all that one needs the right to');
RESET ROLE;
SELECT is_empty('SELECT t.* FROM epoch_telemetry t LEFT JOIN LATERAL late_telemetry(epoch_id) l ON true WHERE (t.closes_at, t.late_came, t.late_gone) IS DISTINCT FROM (epoch_closes_at(epoch_id), l.came, l.gone)', 'and say what the functions say');
CALL run_late_epochs();
SELECT is((SELECT count(*) FROM epoch_computation), 5::bigint, 'nothing more to do');
CALL run_epoch(1003);
CALL run_epoch(1003, 'audit');
SELECT is((SELECT array_agg(reason ORDER BY computation) FROM epoch_computation WHERE epoch_id = 1003),
	ARRAY['the board wants to see it', 'epoch 1002 before it was computed again', 'no reason given', 'audit'], 'reasons given and not given');
SELECT is((SELECT count(DISTINCT digest) FROM epoch_computation WHERE epoch_id = 1003 AND computation > 1), 1::bigint, 'computing again from the same gives the same digest');
SELECT throws_ok('UPDATE epoch_computation SET reason = ''x''', '23001', NULL, 'the record does not change');
SELECT throws_ok('DELETE FROM epoch_computation', '23001', NULL, 'nor shrink');
SELECT throws_ok('TRUNCATE epoch_computation', '23001', NULL, 'at all');

-- after the end
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002;
CREATE TABLE pg_temp.sealed AS SELECT e.epoch_id, e.digest, v.check_name, v.ok, v.detail FROM epoch e, verify_epoch(e.epoch_id) v WHERE e.epoch_id <= 1002;
SELECT pg_temp.add('2021-01-25 11:00+00');
SELECT results_eq('SELECT epoch_id, late_came::bigint, late_gone::int, stale FROM epoch_telemetry WHERE status = ''final'' ORDER BY 1', $$ SELECT x.e, x.came * n, 0, false FROM pg_temp.n, (VALUES (1001::bigint, 0), (1002, 1)) x (e, came) $$, 'what comes for a final epoch is kept and counted');
SELECT is((SELECT count(*) FROM telemetry WHERE sampled_at = '2021-01-25 11:00+00'), (SELECT n FROM pg_temp.n), 'all of it');
SELECT throws_ok('CALL run_epoch(1002)', '23001', NULL, 'it is not computed again');
CALL run_late_epochs();
\o /dev/null
SELECT roll_telemetry_hours();
\o
CALL run_epoch(1003);
SELECT results_eq('SELECT late_came::bigint FROM epoch_telemetry WHERE epoch_id = 1002', 'SELECT n FROM pg_temp.n', 'nothing takes the count away');
SELECT set_eq('SELECT e.epoch_id, e.digest, v.check_name, v.ok, v.detail FROM epoch e, verify_epoch(e.epoch_id) v WHERE e.epoch_id <= 1002', 'TABLE pg_temp.sealed', 'and nothing of it has changed');
SELECT ok(bool_and(ok), 'it verifies') FROM pg_temp.sealed;
SELECT is((SELECT count(*) FROM epoch_computation WHERE epoch_id = 1002), 2::bigint, 'and was not computed since');

-- epochs that meet within an hour: what comes for the second is not late for the first
\o /dev/null
SELECT make_telemetry_partitions('2023-01-01', '2023-01-03');
\o
INSERT INTO epoch (epoch_id, period, budget) VALUES (1010, '[2023-01-01 00:00+00,2023-01-01 12:30+00)', 5), (1011, '[2023-01-01 12:30+00,2023-01-02 00:00+00)', 5), (1012, '[2023-01-02 00:00+00,2023-01-02 12:00+00)', 5);
SELECT pg_temp.add('2023-01-01 12:10+00');
CALL run_epoch(1004);
CALL run_epoch(1010);
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT node_id, at, 10, true FROM (SELECT min(node_id) AS node_id FROM node WHERE provider_id > 1000) n,
	(VALUES (timestamptz '2023-01-01 12:29:59.999999+00'), ('2023-01-01 12:30+00'), ('2023-01-01 12:59+00'), ('2023-01-01 13:00+00')) v (at);
SELECT results_eq('SELECT since, came::int FROM telemetry_dirty WHERE since >= ''2023-01-01'' ORDER BY 1', $$ VALUES (timestamptz '2023-01-01 12:00+00', (SELECT n::int FROM pg_temp.n)), ('2023-01-01 12:00+00', 1), ('2023-01-01 12:30+00', 2), ('2023-01-01 13:00+00', 1) $$, 'marks on both sides of the moment where they meet');
SELECT is((SELECT late_came FROM epoch_telemetry WHERE epoch_id = 1010), 1::numeric, 'one row is late');
CALL run_epoch(1011);
CALL run_epoch(1012);
\o /dev/null
SELECT roll_telemetry_hours();
\o
SELECT is((SELECT array_agg(late_came ORDER BY epoch_id) FROM epoch_telemetry WHERE epoch_id IN (1010, 1011, 1012)), ARRAY[1, 0, 0]::numeric[], 'also when rolled up, and in no other epoch');
CALL run_late_epochs();
SELECT is((SELECT array_agg(reason ORDER BY epoch_id) FROM epoch_computation WHERE epoch_id >= 1010 AND computation = 2),
	ARRAY['late telemetry: 1 rows came, 0 went', 'epoch 1010 before it was computed again', 'epoch 1010 before it was computed again'], 'which the first, and with it the others, are computed again for');

-- grace
INSERT INTO policy (policy_id, name, effective_from, grace_period) VALUES (1001, 'patient', '2023-02-01 00:00+00', '2 days');
INSERT INTO epoch (epoch_id, period, budget, grace_period) VALUES (1020, '[2023-02-01 00:00+00,2023-02-02 00:00+00)', 5, NULL), (1021, '[2023-02-02 00:00+00,2023-02-03 00:00+00)', 5, '90 minutes');
SELECT is(ARRAY[epoch_closes_at(1012), epoch_closes_at(1020), epoch_closes_at(1021), epoch_closes_at(NULL)],
	ARRAY['2023-01-02 13:00+00', '2023-02-04 00:00+00', '2023-02-03 01:30+00', NULL]::timestamptz[], 'an epoch closes after its own grace period, or its policy''s');
SELECT throws_ok('UPDATE epoch SET grace_period = ''-1 minute'' WHERE epoch_id = 1020', '23514', NULL, 'which is not negative');
INSERT INTO epoch (epoch_id, period, budget) VALUES (1030, tstzrange(now() - interval '2 hours', now() - interval '30 minutes'), 5);
SELECT is((SELECT array_agg(closed ORDER BY epoch_id) FROM epoch_telemetry WHERE epoch_id IN (1021, 1030)), ARRAY[true, false], 'an hour unless said otherwise');
UPDATE epoch SET grace_period = '10 minutes' WHERE epoch_id = 1012;
SELECT is_empty('SELECT * FROM verify_epoch(1012) WHERE NOT ok', 'it is no input of a computed epoch');

-- watermarks
\o /dev/null
DELETE FROM telemetry;
DELETE FROM telemetry_reporter;
SELECT roll_telemetry_hours();
SELECT make_telemetry_partitions(now() - interval '1 day', now() + interval '2 days');
\o
SELECT results_eq('SELECT watermark, newest, reporters, silent FROM telemetry_watermark', $$ VALUES (NULL::timestamptz, NULL::timestamptz, 0::bigint, 0::bigint) $$, 'no telemetry, no watermark');
UPDATE node SET status = 'active', left_at = NULL WHERE node_id BETWEEN 1001 AND 1006;
INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1001, '2023-01-02 11:58+00', true), (1001, '2023-01-02 09:00+00', true), (1002, '2023-01-02 11:59+00', true), (1003, '2023-01-02 11:00+00', true), (1004, '2023-01-02 10:59:59+00', true), (1005, '2023-01-02 12:00+00', false);
CREATE VIEW pg_temp.mark AS SELECT node_id, to_char(last_at AT TIME ZONE 'UTC', 'HH24:MI:SS') AS last_at, silent FROM reporter_watermark WHERE node_id BETWEEN 1001 AND 1006 ORDER BY 1;
CREATE TABLE pg_temp.want (node_id bigint, last_at text, silent boolean);
INSERT INTO pg_temp.want VALUES (1001, '11:58:00', false), (1002, '11:59:00', false), (1003, '11:00:00', false), (1004, '10:59:59', true), (1005, '12:00:00', false);
SELECT results_eq('TABLE pg_temp.mark', 'TABLE pg_temp.want', 'a watermark for each reporter');
SELECT results_eq('SELECT watermark, newest, reporters, silent FROM telemetry_watermark', $$ VALUES (timestamptz '2023-01-02 11:00+00', timestamptz '2023-01-02 12:00+00', 4::bigint, 1::bigint) $$, 'and one for all, which does not wait for the silent');
\o /dev/null
SELECT roll_telemetry_hours('2023-01-02 12:00+00');
\o
SELECT results_eq('TABLE pg_temp.mark', 'TABLE pg_temp.want', 'the same when rolled up');
SELECT is((SELECT complete FROM epoch_telemetry WHERE epoch_id = 1012), false, 'the epoch is not complete yet');
INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1001, '2023-01-02 12:00+00', true), (1002, '2023-01-02 12:01+00', true);
UPDATE node SET status = 'suspended' WHERE node_id = 1003;
SELECT is((SELECT array_agg(complete ORDER BY epoch_id) FROM epoch_telemetry WHERE epoch_id IN (1011, 1012, 1020)), ARRAY[true, true, false], 'it is when all have reported beyond its end who still report');
INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1005, now() - interval '10 minutes', true), (1006, now() + interval '25 hours', true);
SELECT results_eq('SELECT watermark, newest, reporters FROM telemetry_watermark', $$ VALUES (now() - interval '10 minutes', now(), 2::bigint) $$, 'a clock that is ahead of ours is taken for ours, and silences nobody');
SELECT * FROM finish();
ROLLBACK;
