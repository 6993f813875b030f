-- Policies: emission, versions that take effect from an epoch on, what a used one refuses.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(48);

-- the schedule
INSERT INTO policy (policy_id, name, emission, emission_decay) VALUES
	(2001, 'halves', 1000, 0.5), (2002, 'steady', 777, 0), (2003, 'none', NULL, 0.5), (2004, 'large', 1e37, 0.000000000001), (2005, 'nothing', 0, 0.1);
SELECT is((SELECT array_agg(budget ORDER BY emission_no) FROM emission_schedule(2001, 12)), ARRAY[1000, 500, 250, 125, 62, 31, 15, 7, 3, 1, 0, 0]::numeric[], 'half of the one before, rounded down');
SELECT is((SELECT array_agg(total ORDER BY emission_no) FROM emission_schedule(2001, 4)), ARRAY[1000, 1500, 1750, 1875]::numeric[], 'running total');
SELECT is((SELECT array_agg(budget) FROM emission_schedule(2002, 3)), ARRAY[777, 777, 777]::numeric[], 'without decay');
SELECT is_empty('SELECT * FROM emission_schedule(2003, 3)', 'without emission');
SELECT is(emission(2003, 1), NULL, 'which is NULL');
SELECT is(emission(2004, 3), 9999999999980000000000010000000000000::numeric, 'exact in thirty-eight digits');
SELECT is(emission(2005, 3), 0::numeric, 'nothing stays nothing');
SELECT is_empty($$ SELECT p.policy_id, s.emission_no FROM policy p, emission_schedule(p.policy_id, 40) s WHERE p.policy_id > 2000 AND s.budget <> emission(p.policy_id, s.emission_no) $$, 'schedule and single emissions agree');
SELECT is_empty($$ SELECT e, d, s.* FROM generate_series(1, 30) i, LATERAL (SELECT trunc((1e6 * pg_temp.r(1, 'e', i))::numeric) AS e, trunc((0.5 * pg_temp.r(1, 'd', i))::numeric, 12) AS d) v,
	LATERAL (WITH RECURSIVE x AS (SELECT 1 AS n, e AS budget, e AS total UNION ALL SELECT n + 1, next_emission(budget, d), total + next_emission(budget, d) FROM x WHERE n < 60) SELECT * FROM x) s
	WHERE s.total > e / d OR s.budget > e * (1 - d) ^ (n - 1) OR s.budget <= e * (1 - d) ^ (n - 1) - 1 / d OR s.budget <> trunc(s.budget) $$,
	'emissions are integers just below emission * (1 - decay) ^ (n - 1), together at most emission / decay');
SELECT throws_ok('SELECT emission(1, 0)', '22023', NULL, 'emissions are counted from 1');
SELECT throws_ok('SELECT emission(99999, 1)', 'P0002', NULL, 'of an unknown policy');
SELECT throws_ok('SELECT * FROM emission_schedule(99999, 1)', 'P0002', NULL, 'no schedule either');
SELECT throws_ok($$ INSERT INTO policy (name, emission_decay) VALUES ('x', 1) $$, '23514', NULL, 'a decay below 1');
SELECT throws_ok($$ INSERT INTO policy (name, emission) VALUES ('x', -1) $$, '23514', NULL, 'an emission of at least 0');
SELECT throws_ok($$ INSERT INTO policy (name, emission) VALUES ('x', 'NaN') $$, '23514', NULL, 'that is a number');
SELECT throws_ok($$ INSERT INTO policy (name, telemetry_slot) VALUES ('x', '1 month') $$, '23514', NULL, 'a slot of a fixed length');

-- epochs without a budget
SELECT throws_ok($$ INSERT INTO epoch (period) VALUES ('[2022-01-01 00:00+00,2022-02-01 00:00+00)') $$, '23502', NULL, 'a budget where the policy in effect has no emission');
\o /dev/null
DELETE FROM policy WHERE policy_id > 2000;
SELECT pg_temp.build(4, 20);
DELETE FROM epoch;
UPDATE policy SET emission = 1000001, emission_decay = 0.25 WHERE policy_id = 1000;
INSERT INTO policy (policy_id, name, effective_from, emission, emission_decay, grid_order, supply_target, growth_target, telemetry_slot, min_beacons)
	VALUES (1001, 'second version', '2021-02-15 00:00+00', 500, 0.1, 4, 20, 300, '1 day', 0);
\o
-- the fourth first, as an epoch may be planned in any order; the first a baseline
INSERT INTO epoch (epoch_id, period) VALUES (1004, '[2021-03-02 00:00+00,2021-03-22 00:00+00)');
INSERT INTO epoch (epoch_id, period) SELECT 1000 + k, tstzrange(timestamptz '2021-01-01 00:00+00' + (k - 1) * interval '20 days', timestamptz '2021-01-01 00:00+00' + k * interval '20 days')
	FROM generate_series(2, 3) k;
INSERT INTO epoch (epoch_id, period, budget) VALUES (1001, '[2021-01-01 00:00+00,2021-01-21 00:00+00)', 0);
SELECT results_eq('SELECT epoch_id, budget, emission_no FROM epoch ORDER BY 1', $$ VALUES (1001::bigint, 0::numeric, NULL::int), (1002, 1000001, 1), (1003, 750000, 2), (1004, 500, 1) $$,
	'epochs without a budget take their policy''s emissions in order, a given budget is none of them');
UPDATE epoch SET budget = 42 WHERE epoch_id = 1003;
SELECT is((SELECT emission_no FROM epoch WHERE epoch_id = 1003), NULL, 'giving a budget takes an epoch out of the count');
UPDATE epoch SET budget = NULL WHERE epoch_id = 1003;
SELECT is((SELECT (budget, emission_no)::text FROM epoch WHERE epoch_id = 1003), '(750000,2)', 'taking it away puts it back');
UPDATE epoch SET budget = 1 WHERE epoch_id = 1002;
UPDATE epoch SET budget = NULL WHERE epoch_id = 1002;
SELECT is((SELECT (budget, emission_no)::text FROM epoch WHERE epoch_id = 1002), '(1000001,1)', 'later epochs do not count');
UPDATE epoch SET note = 'x' WHERE epoch_id = 1003;
SELECT is((SELECT (budget, emission_no)::text FROM epoch WHERE epoch_id = 1003), '(750000,2)', 'other changes leave it alone');
INSERT INTO epoch (epoch_id, period, policy_id) VALUES (1009, '[2021-05-01 00:00+00,2021-05-02 00:00+00)', 1000);
SELECT is((SELECT (budget, emission_no)::text FROM epoch WHERE epoch_id = 1009), '(562500,3)', 'an epoch that names its policy takes that one''s');
DELETE FROM epoch WHERE epoch_id = 1009;

-- what is counted for good when an epoch is opened
UPDATE epoch SET budget = 7 WHERE epoch_id = 1002;	-- 1003 would be the first emission now
CALL run_epoch(1001);
CALL run_epoch(1002);
CALL run_epoch(1003);
SELECT is((SELECT (budget, emission_no)::text FROM epoch WHERE epoch_id = 1003), '(1000001,1)', 'opening counts again');
SELECT is((SELECT policy_id FROM epoch WHERE epoch_id = 1003), 1000::bigint, 'the version in effect at its start');
CALL run_epoch(1004);
SELECT is((SELECT policy_id FROM epoch WHERE epoch_id = 1004), 1001::bigint, 'the next epoch starts under the new version');
SELECT is((SELECT (budget, emission_no)::text FROM epoch WHERE epoch_id = 1004), '(500,1)', 'with the new version''s first emission');
SELECT is((SELECT sum(budget) FROM epoch_pool WHERE epoch_id = 1004), 500::numeric, 'which the pools split');
SELECT is_empty('SELECT e, v.* FROM generate_series(1001, 1004) e, verify_epoch(e) v WHERE NOT ok', 'all verify');
SELECT is((SELECT array_agg(detail ORDER BY e) FROM generate_series(1001, 1004) e, verify_epoch(e) v WHERE check_name = 'emission of the policy'),
	ARRAY['the budget was given', 'the budget was given', 'emission 1', 'emission 1'], 'which says where each budget came from');
SELECT throws_ok('UPDATE epoch SET budget = NULL WHERE epoch_id = 1004', '23001', NULL, 'a computed epoch keeps its budget');
SELECT throws_ok('UPDATE epoch SET emission_no = 2 WHERE epoch_id = 1004', '23001', NULL, 'and its number');
CALL run_epoch(1003);
SELECT is((SELECT array_agg((budget, emission_no)::text ORDER BY epoch_id) FROM epoch WHERE epoch_id IN (1003, 1004)), ARRAY['(1000001,1)', '(500,1)'], 'also when computed again');

-- a later version leaves earlier epochs alone
CREATE TABLE pg_temp.before AS SELECT epoch_id, digest FROM epoch;
INSERT INTO policy (policy_id, name, effective_from, emission) VALUES (1002, 'backdated', '2020-06-01', 9), (1003, 'third version', '2021-03-02 00:00+00', 9);
CALL run_epoch(1002);
SELECT results_eq('SELECT epoch_id, digest FROM epoch ORDER BY 1', 'SELECT epoch_id, digest FROM pg_temp.before ORDER BY 1', 'a computed epoch keeps its version, also when computed again');
INSERT INTO epoch (epoch_id, period) VALUES (1005, '[2021-03-22 00:00+00,2021-04-01 00:00+00)');
SELECT is((SELECT budget FROM epoch WHERE epoch_id = 1005), 9::numeric, 'the next one takes the third');
SELECT throws_ok('UPDATE policy SET emission = 1 WHERE policy_id = 1001', '23001', NULL, 'the emission of a used policy cannot change');
SELECT throws_ok('DELETE FROM policy WHERE policy_id = 1001', '23001', NULL, 'a used policy cannot go');
UPDATE policy SET emission = 10 WHERE policy_id = 1003;
SELECT is((SELECT budget FROM epoch WHERE epoch_id = 1005), 9::numeric, 'a planned epoch shows what was planned');
UPDATE policy SET emission = NULL WHERE policy_id = 1003;
SELECT throws_ok('CALL run_epoch(1005)', '23502', NULL, 'and is not opened when its policy''s emission is gone');
UPDATE policy SET emission = 11 WHERE policy_id = 1003;
CALL run_epoch(1005);
SELECT is((SELECT budget FROM epoch WHERE epoch_id = 1005), 11::numeric, 'but gets what the policy says when it is opened');
SELECT throws_ok('TRUNCATE specialization', '23001', NULL, 'rules cannot be truncated away');
SELECT throws_ok('TRUNCATE policy CASCADE', '23001', NULL, 'nor policies');

SET LOCAL session_replication_role = replica;
UPDATE epoch SET emission_no = 2 WHERE epoch_id = 1003;
SELECT ok((SELECT NOT ok FROM verify_epoch(1003) WHERE check_name = 'emission of the policy'), 'a wrong count is found');
UPDATE epoch SET emission_no = 1, budget = 999 WHERE epoch_id = 1003;
SELECT ok((SELECT NOT ok FROM verify_epoch(1003) WHERE check_name = 'emission of the policy'), 'and a wrong emission');
SET LOCAL session_replication_role = origin;

-- the one that ships
SELECT is((SELECT array_agg(policy_id) FROM policy WHERE is_builtin), ARRAY[1]::bigint[], 'one policy ships');
SELECT is(policy_in_effect('1066-10-14'), 1::bigint, 'it is in effect until there is another');
SELECT is((SELECT emission FROM policy WHERE policy_id = 1), NULL, 'it mints nothing of its own');
SELECT is_empty($$ SELECT a.attname FROM pg_attribute a WHERE a.attrelid IN ('policy'::regclass, 'specialization'::regclass) AND a.attnum > 0 AND NOT a.attisdropped
	AND col_description(a.attrelid, a.attnum) IS NULL $$, 'every column has its comment');
SELECT * FROM finish();
ROLLBACK;
