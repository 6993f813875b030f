-- Late telemetry: until the challenge window of an epoch ends it leads to a recomputation, what comes
-- later is kept, counted and delays nothing. And epochs over summaries are those over raw rows.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL search_path = swarm_reward, swarm_reward_internal, public;
\ir small.psql
SELECT plan(37);

-- a row for each of two nodes
CREATE FUNCTION pg_temp.add(at timestamptz) RETURNS void LANGUAGE sql AS
$$ INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT n, at, 999, false FROM (VALUES (1), (4)) v (n) $$;
-- what has come too late for each computed epoch
CREATE VIEW pg_temp.late AS
SELECT e.epoch_id, (t.came - c.came)::int AS came, (t.gone - c.gone)::int AS gone, stale_reason(e) AS stale
FROM epoch e, LATERAL (SELECT * FROM epoch_computation c WHERE c.epoch_id = e.epoch_id ORDER BY c.computation DESC LIMIT 1) c, LATERAL telemetry_changes(e.period) t
ORDER BY e.epoch_id;
CREATE FUNCTION pg_temp.digests() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(concat_ws(' ', epoch_id, digest), E'\n' ORDER BY epoch_id) FROM epoch $$;
-- the challenge windows of these epochs have ended
CREATE FUNCTION pg_temp.time_goes_by(VARIADIC epochs bigint[]) RETURNS void LANGUAGE sql AS $$ UPDATE epoch SET first_computed_at = now() - interval '8 days' WHERE epoch_id = ANY (epochs) $$;
UPDATE policy SET telemetry_slot = '6 hours' WHERE name = 'p';

-- whatever was rolled up before or after: the same epochs, also where their bounds are no whole hours
-- and nodes come and go within hours
SAVEPOINT odd;
UPDATE node SET joined_at = '2024-02-20 07:12:13' WHERE node_id = 6;
UPDATE node SET left_at = '2024-02-20 07:12:13' WHERE node_id = 5;
UPDATE epoch SET period = '[2024-03-01 00:17:03.5, 2024-03-31)' WHERE epoch_id = 3;
UPDATE epoch SET period = '[2024-02-01 00:17:03.5, 2024-03-01 00:17:03.5)' WHERE epoch_id = 2;
UPDATE epoch SET period = '[2024-01-01 00:17:03.5, 2024-02-01 00:17:03.5)' WHERE epoch_id = 1;
CREATE TEMP TABLE result (how text, digests text);
DO $$
DECLARE
	how text;
BEGIN
	FOREACH how IN ARRAY ARRAY['raw', 'rolled up', 'rolled up, then late rows', 'late rows rolled up in part'] LOOP
		BEGIN
			IF how LIKE 'rolled%' THEN PERFORM roll_telemetry_hours('2024-05-01'); END IF;
			PERFORM pg_temp.add('2024-02-10 10:10:10'), pg_temp.add('2024-03-10 10:10:10');
			DELETE FROM telemetry WHERE node_id = 3 AND sampled_at BETWEEN '2024-02-20 10:00' AND '2024-02-21 11:00';
			IF how = 'rolled up' THEN PERFORM roll_telemetry_hours('2024-05-01'); END IF;
			IF how LIKE '%in part' THEN PERFORM roll_telemetry_hours('2024-02-20 20:00'); END IF;
			CALL run_epoch(1); CALL run_epoch(2); CALL run_epoch(3);
			RAISE EXCEPTION USING ERRCODE = 'UE001', MESSAGE = pg_temp.digests();
		EXCEPTION WHEN SQLSTATE 'UE001' THEN
			INSERT INTO result VALUES (how, SQLERRM);
		END;
	END LOOP;
END $$;
SELECT is((SELECT count(DISTINCT digests) FROM result), 1::bigint, 'the digest of an epoch does not depend on what was rolled up, and when');
SELECT is((SELECT count(*) FROM result WHERE length(digests) > 190), 4::bigint, 'of three epochs, four times');
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
SELECT isnt((SELECT digests FROM result LIMIT 1), pg_temp.digests(), 'late rows make a difference');
ROLLBACK TO odd;

-- late rows, from the first computation to the end
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3, 'the board wants to see it');
CREATE TEMP TABLE first AS SELECT epoch_id, digest FROM epoch;
SELECT results_eq('SELECT epoch_id, computation, computed_by, reason FROM epoch_computation ORDER BY 1',
	$$ VALUES (1::bigint, 1, session_user, 'first computation'), (2, 1, session_user, 'first computation'), (3, 1, session_user, 'the board wants to see it') $$, 'each computation is recorded');
SELECT results_eq('TABLE pg_temp.late', $$ VALUES (1::bigint, 0, 0, NULL), (2, 0, 0, NULL), (3, 0, 0, NULL) $$, 'nothing is late');
SELECT pg_temp.add('2024-02-25 10:00:01') \g /dev/null
SELECT pg_temp.add('2024-03-01 00:00:00.000001') \g /dev/null
DELETE FROM telemetry WHERE sampled_at = '2024-02-05 00:00' AND node_id = 1;
CREATE TEMP TABLE want AS SELECT * FROM (VALUES (1::bigint, 0, 0, NULL), (2, 2, 1, 'late telemetry: 2 rows came, 1 went'), (3, 2, 0, 'late telemetry: 2 rows came, 0 went')) v (epoch_id, came, gone, stale);
SELECT results_eq('TABLE pg_temp.late', 'TABLE want', 'late rows are counted where they belong');
SELECT roll_telemetry_hours('2024-05-01') \g /dev/null
SELECT results_eq('TABLE pg_temp.late', 'TABLE want', 'rolling up changes no count');
SELECT throws_ok('CALL run_epoch(2, '''')', '22023', NULL, 'an empty reason is none');
SELECT results_eq('SELECT * FROM next_epoch_step()', $$ VALUES (2::bigint, 'compute', 'late telemetry: 2 rows came, 1 went') $$, 'within the window the scheduler takes them in');
CALL run_epoch(2);
SELECT results_eq('SELECT epoch_id, computation, reason FROM epoch_computation WHERE computation > 1 ORDER BY 1',
	$$ VALUES (2::bigint, 2, 'late telemetry: 2 rows came, 1 went'), (3, 2, 'epoch 2 before it was computed again') $$, 'and the epochs after it, with the reason');
SELECT isnt((SELECT digest FROM epoch WHERE epoch_id = 2), (SELECT digest FROM first WHERE epoch_id = 2), 'to another result');
SELECT is_empty('SELECT * FROM stale_epoch_reasons()', 'which is up to date');
SELECT is_empty('SELECT * FROM next_epoch_step() WHERE epoch_id IS NOT NULL', 'nothing more is due');
SELECT is_empty('SELECT FROM epoch e JOIN (SELECT DISTINCT ON (epoch_id) epoch_id, digest FROM epoch_computation ORDER BY epoch_id, computation DESC) c USING (epoch_id) WHERE c.digest <> e.digest', 'the record has the digests');
SELECT is((SELECT digest FROM epoch_computation WHERE epoch_id = 2 AND computation = 1), (SELECT digest FROM first WHERE epoch_id = 2), 'those of the past too');
CALL run_epoch(3);
CALL run_epoch(3, 'audit');
SELECT is((SELECT array_agg(reason ORDER BY computation) FROM epoch_computation WHERE epoch_id = 3),
	ARRAY['the board wants to see it', 'epoch 2 before it was computed again', 'no reason given', 'audit'], 'reasons given and not given');
SELECT is((SELECT count(DISTINCT digest) FROM epoch_computation WHERE epoch_id = 3 AND computation > 1), 1::bigint, 'computing again from the same gives the same digest');
SELECT throws_ok(format('%s epoch_computation%s', what, more), '23001', NULL, what || ': the record does not change')
FROM (VALUES ('UPDATE', ' SET reason = ''x'''), ('DELETE FROM', ''), ('TRUNCATE', '')) v (what, more);

-- the window counts from the first computation, however often rows come
SELECT ok(bool_and(first_computed_at <= computed_at AND epoch_final_from(e) = first_computed_at + interval '7 days'), 'the window starts with the first computation') FROM epoch e WHERE epoch_id < 4;
UPDATE epoch SET first_computed_at = first_computed_at - interval '1 day' WHERE epoch_id = 2;
CREATE TEMP TABLE start AS SELECT first_computed_at FROM epoch WHERE epoch_id = 2;
CALL run_epoch(2);
SELECT is((SELECT first_computed_at FROM epoch WHERE epoch_id = 2), (SELECT first_computed_at FROM start), 'and not anew with each');
SELECT pg_temp.add('2024-01-25 10:00:01') \g /dev/null
SELECT pg_temp.add('2024-02-25 11:00:01') \g /dev/null
SELECT throws_like('CALL finalize_epoch(1)', '%its challenge window ends at%', 'before its end nothing is final');
SELECT pg_temp.time_goes_by(1) \g /dev/null
SELECT results_eq('SELECT * FROM next_epoch_step()', $$ VALUES (1::bigint, 'finalize', NULL) $$, 'then it is, without what came since');
CALL finalize_epoch(1);
SELECT is((SELECT status FROM epoch WHERE epoch_id = 1), 'final', 'indeed');
SELECT results_eq('SELECT * FROM next_epoch_step()', $$ VALUES (2::bigint, 'compute', 'late telemetry: 2 rows came, 0 went') $$, 'the next one is not over yet');
CALL run_epoch(2);
SELECT pg_temp.time_goes_by(2, 3) \g /dev/null
-- one late heartbeat after another stops nothing
SELECT pg_temp.add('2024-02-26 11:00:01') \g /dev/null
SELECT is((SELECT action FROM next_epoch_step()), 'finalize', 'nobody can delay an epoch by a heartbeat');
CALL finalize_epoch(2);
CREATE TEMP TABLE sealed AS SELECT e.epoch_id, e.digest, v.check_name, v.ok, v.detail FROM epoch e, verify_epoch(e.epoch_id) v WHERE e.epoch_id <= 2;
SELECT pg_temp.add('2024-02-27 11:00:01') \g /dev/null
SELECT roll_telemetry_hours('2024-05-01') \g /dev/null
SELECT results_eq('SELECT epoch_id, came, gone FROM pg_temp.late WHERE epoch_id < 3 ORDER BY 1', $$ VALUES (1::bigint, 2, 0), (2, 4, 0) $$, 'what comes for a final epoch is kept and counted');
SELECT is((SELECT count(*) FROM telemetry WHERE sampled_at = '2024-02-27 11:00:01'), 2::bigint, 'all of it');
SELECT throws_ok('CALL run_epoch(2)', '23001', NULL, 'it is not computed again');
CALL run_epoch(3);
SELECT set_eq('SELECT e.epoch_id, e.digest, v.check_name, v.ok, v.detail FROM epoch e, verify_epoch(e.epoch_id) v WHERE e.epoch_id <= 2', 'TABLE sealed', 'and nothing of it changes');
SELECT ok(bool_and(ok), 'it verifies') FROM sealed;

-- epochs that meet within an hour: what comes for the second is not late for the first
CALL finalize_epoch(3);
SELECT make_telemetry_partitions('2024-04-01', '2024-04-04') \g /dev/null
INSERT INTO epoch (epoch_id, period, budget) VALUES (5, '[2024-04-01,2024-04-01 12:30)', 5), (6, '[2024-04-01 12:30,2024-04-02)', 5);
SELECT pg_temp.add('2024-04-01 12:10') \g /dev/null
CALL run_epoch(5);
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT 1, at, 10, true FROM (VALUES (timestamptz '2024-04-01 12:29:59.999999'), ('2024-04-01 12:30'), ('2024-04-01 12:59'), ('2024-04-01 13:00')) v (at);
SELECT results_eq('SELECT since, came::int FROM telemetry_dirty WHERE since >= ''2024-04-01'' ORDER BY 1',
	$$ VALUES (timestamptz '2024-04-01 12:00', 2), ('2024-04-01 12:00', 1), ('2024-04-01 12:30', 2), ('2024-04-01 13:00', 1) $$, 'marks on both sides of the moment where they meet');
SELECT is((SELECT came FROM pg_temp.late WHERE epoch_id = 5), 1, 'one row is late');
CALL run_epoch(6);
SELECT roll_telemetry_hours('2024-05-01') \g /dev/null
SELECT is((SELECT array_agg(came ORDER BY epoch_id) FROM pg_temp.late WHERE epoch_id IN (5, 6)), ARRAY[1, 0], 'also when rolled up, and in no other epoch');
SELECT is((SELECT reason FROM next_epoch_step()), 'late telemetry: 1 rows came, 0 went', 'for which the first is computed again');

-- grace
SELECT is(epoch_closes_at(e), upper(e.period) + interval '1 hour', 'an epoch waits an hour before it is computed, unless its policy says otherwise') FROM epoch e WHERE epoch_id = 6;
SELECT * FROM finish();
ROLLBACK;
