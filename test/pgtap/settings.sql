-- What a session has set, how it writes times, numbers and intervals, changes nothing of what an epoch is.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT no_plan();

-- within hours of the end, where an IST of Kolkata that is taken for Israel's is another time
INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (7, 3, 'h7', 'POINT(150 -80)', 1000, '2024-03-31 01:30');
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
CREATE TEMP TABLE plain AS SELECT epoch_id, digest, facts FROM epoch;
CREATE TEMP TABLE plain_check AS SELECT e.epoch_id, c."check", c.severity, CASE WHEN c.value !~ '[0-9]:[0-9]' THEN c.value END AS value FROM epoch e, check_epoch(e.epoch_id) c;
CREATE TEMP TABLE plain_what AS SELECT e.epoch_id, s.* FROM epoch e, simulate_node('POINT(11 50.5)', 200000, '{"gpu": 3}', e.epoch_id) s;
CREATE TEMP TABLE plain_map AS SELECT reward_map(3, 200000, '{"gpu": 3}') AS map;

SET LOCAL extra_float_digits = -15;
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL intervalstyle = 'sql_standard';
SET LOCAL timezone = 'Asia/Kolkata';
SET LOCAL bytea_output = 'escape';
SET LOCAL array_nulls = off;
SET LOCAL standard_conforming_strings = off;
SET LOCAL quote_all_identifiers = on;
SELECT is_empty($$ SELECT e.epoch_id, v.check_name, v.detail FROM epoch e, verify_epoch(e.epoch_id) v WHERE NOT v.ok $$, 'what was computed before is verified');
SELECT is_empty($$ SELECT * FROM swarm_reward_internal.stale_epoch_reasons() $$, 'and is not stale');
SELECT set_eq($$ SELECT e.epoch_id, c."check", c.severity, CASE WHEN c.value !~ '[0-9]:[0-9]' THEN c.value END FROM epoch e, check_epoch(e.epoch_id) c $$, 'TABLE plain_check', 'its checks are the same');
SELECT results_eq($$ SELECT e.epoch_id, s.* FROM epoch e, simulate_node('POINT(11 50.5)', 200000, '{"gpu": 3}', e.epoch_id) s ORDER BY 1, 2 $$, 'SELECT * FROM plain_what ORDER BY 1, 2', 'what one more node would have earned is the same');
SELECT ok(reward_map(3, 200000, '{"gpu": 3}') = map, 'and everywhere else') FROM plain_map;
CALL run_epoch(1);
SELECT is_empty($$ SELECT e.epoch_id FROM epoch e JOIN plain p ON p.epoch_id = e.epoch_id WHERE (e.digest, e.facts) IS DISTINCT FROM (p.digest, p.facts) $$, 'what is computed again is the same to the bit');
SELECT is_empty($$ SELECT e.epoch_id, v.check_name, v.detail FROM epoch e, verify_epoch(e.epoch_id) v WHERE NOT v.ok $$, 'and is verified');
DROP EXTENSION swarm_reward CASCADE;
SELECT throws_ok('CREATE EXTENSION swarm_reward', '55000', 'swarm_reward cannot be installed with standard_conforming_strings = off', 'what would change the script itself is refused');
SELECT * FROM finish();
ROLLBACK;
