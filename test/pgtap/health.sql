-- health: one row for each alarm of doc/operations.md, each of which rings when it should and is quiet when not.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT no_plan();
CREATE FUNCTION pg_temp.rings(what text) RETURNS text LANGUAGE sql AS $$ SELECT severity FROM health WHERE "check" = what $$;
DELETE FROM telemetry;
DELETE FROM swarm_reward_internal.telemetry_dirty;

SELECT is((SELECT count(*) FROM health), 12::bigint, 'twelve alarms');
SELECT is_empty('SELECT FROM health WHERE what_to_do IS NULL OR value IS NULL OR severity NOT IN (''ok'', ''warning'', ''critical'')', 'each with a severity, a value and what to do');
SELECT is(severity || ' ' || value, 'ok none', 'no epoch failed') FROM health WHERE "check" = 'epoch failed';
SELECT is(pg_temp.rings('epoch overdue'), 'critical', 'epochs are overdue');
SELECT is((SELECT since FROM health WHERE "check" = 'epoch overdue'), '2024-02-01 01:00+00'::timestamptz, 'since the first was due');
SELECT is(pg_temp.rings('telemetry arrives'), 'critical', 'no telemetry came');
SELECT is(pg_temp.rings('telemetry partitions'), 'critical', 'and there is no partition for it');
SELECT is(pg_temp.rings('epochs planned'), 'warning', 'nothing is planned for now');
SELECT is(pg_temp.rings('hours rolled up'), 'ok', 'who never rolls up has no alarm');
SELECT keep_telemetry_partitions('2 days') \g /dev/null
SELECT is(pg_temp.rings('telemetry partitions'), 'warning', 'two days ahead are few');
SELECT keep_telemetry_partitions('7 days') \g /dev/null
SELECT is(pg_temp.rings('telemetry partitions'), 'ok', 'a week is well');
INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, now(), true);
SELECT is(pg_temp.rings('telemetry arrives'), 'ok', 'a heartbeat comes');
INSERT INTO swarm_reward_internal.telemetry_rolled VALUES (swarm_reward_internal.hour_of(now() - interval '8 hours'), '1 minute', 0, 1, now());
SELECT is(pg_temp.rings('hours rolled up'), 'warning', 'nobody rolls up any more');
INSERT INTO telemetry_reject (source, "row", reason) VALUES ('x', '{}', 'unknown node');
SELECT is(pg_temp.rings('rejected telemetry'), 'warning', 'a row is turned away');
SELECT plan_epochs(now() + interval '1 day', '1 day', 5) \g /dev/null
SELECT is(pg_temp.rings('epochs planned'), 'ok', 'epochs are planned');

CALL run_epoch(1);
SELECT is(pg_temp.rings('epoch held'), 'warning', 'nobody reported: it is held');
SELECT release_epoch(1, 'a test') \g /dev/null
SELECT is(pg_temp.rings('epoch held'), 'ok', 'released');
SELECT challenge_epoch(1, 1, 'a test') \g /dev/null
SELECT is(pg_temp.rings('challenges'), 'warning', 'somebody objects');
UPDATE epoch SET first_computed_at = now() - interval '8 days' WHERE epoch_id = 1;
SELECT is(pg_temp.rings('epoch not final'), 'warning', 'it could be final');
CALL finalize_epoch(1);
SELECT is(pg_temp.rings('epoch not final') || pg_temp.rings('challenges'), 'okok', 'and is');
SELECT swarm_reward_internal.record_epoch_failure(2, 'compute', '23514', 'trouble', '', '') \g /dev/null
SELECT is(pg_temp.rings('epoch failed'), 'critical', 'an epoch fails');
INSERT INTO epoch_beacon VALUES (1, 1, 'POINT(0 0)', 10, 2);
SELECT is(pg_temp.rings('beacons'), 'warning', 'a beacon accuses many');
SELECT is(pg_temp.rings('payouts under way'), 'ok', 'no payout is under way');
INSERT INTO payout (status, total, payments, root, released_at) VALUES ('released', 5, 1, sha256(''), now() - interval '4 days');
SELECT is(pg_temp.rings('payouts under way'), 'warning', 'one is for too long');
SELECT is_empty($$ SELECT "check" FROM health WHERE "check" NOT IN ('epoch failed', 'epoch overdue', 'epoch not final', 'epoch held', 'epochs planned', 'challenges', 'beacons', 'telemetry arrives',
	'telemetry partitions', 'hours rolled up', 'rejected telemetry', 'payouts under way') $$, 'all of them were heard');
SELECT is((SELECT count(*) FROM check_epoch(2) WHERE "check" = 'regions whose boundary crosses itself'), 0::bigint, 'check_epoch has nothing to say of boundaries');
INSERT INTO region VALUES ('bow', 'bowtie', 'MULTIPOLYGON(((30 0,40 10,40 0,30 10,30 0)))');
SELECT is((SELECT value FROM check_epoch(2) WHERE "check" = 'regions whose boundary crosses itself'), 'bow', 'but of a bowtie');
SELECT * FROM finish();
ROLLBACK;
