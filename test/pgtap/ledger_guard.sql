-- What is computed stays as it is: seals, order, policies, recomputation.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan((37 + count(*))::int) FROM sealed_relation();
\o /dev/null
SELECT pg_temp.build(4, 20);
\o

SELECT throws_ok('CALL run_epoch(1)', 'P0002', NULL, 'no such epoch');
SELECT throws_ok('CALL run_epoch(1002)', '55000', NULL, 'an earlier epoch is not computed');
INSERT INTO epoch (epoch_id, period, budget) VALUES (1999, '[2999-01-01 00:00+00,2999-02-01 00:00+00)', 5);
SELECT throws_ok('CALL run_epoch(1999)', '55000', NULL, 'an epoch that has not ended');
SELECT throws_ok($$ UPDATE epoch SET status = 'computed' WHERE epoch_id = 1001 $$, '23001', NULL, 'planned cannot become computed');
SELECT throws_ok($$ UPDATE epoch SET status = 'open' WHERE epoch_id = 1001 $$, '23514', NULL, 'an epoch cannot be opened without policy and order');
SELECT throws_ok($$ SELECT * FROM verify_epoch(1001) $$, '55000', NULL, 'nothing to verify yet');
CALL run_epoch(1001);
CALL run_epoch(1002);
SELECT is((SELECT array_agg(status ORDER BY epoch_id) FROM epoch WHERE epoch_id < 1999), ARRAY['computed', 'computed', 'planned', 'planned'], 'two epochs computed');
SELECT is((SELECT policy_id FROM epoch WHERE epoch_id = 1002), 1000::bigint, 'under the policy in effect');
SELECT is_empty('SELECT * FROM verify_epoch(1002) WHERE NOT ok', 'which verify');

-- sealed tables
SELECT throws_ok(format('UPDATE %I SET epoch_id = epoch_id WHERE epoch_id = 1002', relation), '23001', NULL, 'cannot update ' || relation)
FROM sealed_relation();
SELECT throws_ok($$ DELETE FROM reward WHERE epoch_id = 1002 $$, '23001', NULL, 'cannot delete rewards');
SELECT throws_ok($$ INSERT INTO reward SELECT epoch_id, node_id, provider_id, 'specialization', 1, 0 FROM epoch_node n
	WHERE epoch_id = 1002 AND NOT EXISTS (SELECT FROM reward r WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id AND r.component = 'specialization') LIMIT 1 $$,
	'23001', NULL, 'cannot add a reward');
SELECT throws_ok('TRUNCATE reward', '23001', NULL, 'cannot truncate rewards');
SELECT throws_ok('UPDATE epoch_seal SET row_count = 0 WHERE epoch_id = 1002', '23001', NULL, 'cannot change a seal');
SELECT throws_ok('DELETE FROM epoch WHERE epoch_id = 1002', '23001', NULL, 'cannot delete the epoch');
SELECT throws_ok('UPDATE epoch SET budget = 1 WHERE epoch_id = 1002', '23001', NULL, 'cannot change its budget');
SELECT throws_ok($$ UPDATE epoch SET demand = zero_coverage(4) WHERE epoch_id = 1002 $$, '23001', NULL, 'cannot change its fields');
SELECT throws_ok($$ UPDATE epoch SET status = 'open' WHERE epoch_id = 1001 $$, '23001', NULL, 'cannot open an epoch that another starts from');
SELECT throws_ok($$ INSERT INTO epoch (period, budget) VALUES ('[2020-01-01 00:00+00,2020-02-01 00:00+00)', 1) $$, '23001', NULL, 'cannot plan an epoch before computed ones');
SELECT throws_ok($$ INSERT INTO epoch (period, budget) VALUES ('[2021-01-05 00:00+00,2021-02-01 00:00+00)', 1) $$, '23P01', NULL, 'periods cannot overlap');
SELECT throws_ok($$ UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002 $$, '23001', NULL, 'epochs become final in order');

-- policies
SELECT throws_ok('UPDATE policy SET supply_target = 7 WHERE policy_id = 1000', '23001', NULL, 'a used policy cannot change');
SELECT throws_ok('DELETE FROM specialization WHERE policy_id = 1000', '23001', NULL, 'nor lose rules');
SELECT throws_ok($$ INSERT INTO specialization (policy_id, code, metric, bound, target, weight) VALUES (1000, 'more', 'energy_per_work', 2, 1, 1) $$, '23001', NULL, 'nor gain rules');
SELECT throws_ok('UPDATE policy SET supply_target = 7 WHERE policy_id = 1', '23001', NULL, 'a shipped policy cannot change');
SELECT throws_ok($$ INSERT INTO policy (name, new_regions_bps) VALUES ('x', 1) $$, '23514', NULL, 'weights must sum to 10 000');
SELECT lives_ok($$ INSERT INTO policy (policy_id, name) VALUES (1001, 'draft'); UPDATE policy SET supply_target = 7 WHERE policy_id = 1001; DELETE FROM policy WHERE policy_id = 1001 $$,
	'an unused policy may change and go');

-- later edits change nothing of the past
CREATE TABLE pg_temp.before AS SELECT epoch_id, digest FROM epoch;
UPDATE node SET location = 'POINT(1 1)', service_radius_m = 1 WHERE node_id > 1000;
UPDATE demand SET weight = 1;
UPDATE resource_type SET unit_value = 3, initial_price = 3 WHERE code LIKE 't\_%';
UPDATE region SET target_fraction = 0.1;
UPDATE service_type SET premium = 9 WHERE code LIKE 't\_%';
SELECT is_empty('SELECT * FROM verify_epoch(1002) WHERE NOT ok', 'an epoch verifies after everything live has changed');
CALL run_epoch(1001);
SELECT isnt((SELECT digest FROM epoch WHERE epoch_id = 1001), (SELECT digest FROM pg_temp.before WHERE epoch_id = 1001), 'recomputing takes the changes in');
SELECT isnt((SELECT digest FROM epoch WHERE epoch_id = 1002), (SELECT digest FROM pg_temp.before WHERE epoch_id = 1002), 'also in the epoch after it');
SELECT is_empty('SELECT * FROM verify_epoch(1001) WHERE NOT ok UNION ALL SELECT * FROM verify_epoch(1002) WHERE NOT ok', 'and both verify');
CREATE TABLE pg_temp.again AS SELECT epoch_id, digest FROM epoch;
CALL run_epoch(1001);
SELECT results_eq('SELECT epoch_id, digest FROM epoch ORDER BY 1', 'SELECT epoch_id, digest FROM pg_temp.again ORDER BY 1', 'recomputing without changes gives the same digests');

-- a flipped bit is found, whoever flipped it
SET LOCAL session_replication_role = replica;
UPDATE reward SET amount = amount + 1 WHERE ctid = (SELECT ctid FROM reward WHERE epoch_id = 1002 ORDER BY node_id, component LIMIT 1);
SELECT ok((SELECT count(*) >= 3 FROM verify_epoch(1002) WHERE NOT ok), 'a unit more in one reward is found by seal, sum and recomputation');
UPDATE reward SET amount = amount - 1 WHERE ctid = (SELECT ctid FROM reward WHERE epoch_id = 1002 ORDER BY node_id, component LIMIT 1);
SELECT is_empty('SELECT * FROM verify_epoch(1002) WHERE NOT ok', 'and gone when put back');
UPDATE epoch_node SET uptime = uptime * (1 - 1e-16) WHERE epoch_id = 1002 AND node_id = (SELECT min(node_id) FROM epoch_node WHERE epoch_id = 1002 AND uptime > 0);
SELECT ok((SELECT NOT ok FROM verify_epoch(1002) WHERE check_name = 'seal of epoch_node'), 'the last bit of an uptime is found');
SET LOCAL session_replication_role = origin;

-- final
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
SELECT throws_ok('CALL run_epoch(1001)', '23001', NULL, 'a final epoch is not computed again');
SELECT throws_ok($$ UPDATE epoch SET note = 'x' WHERE epoch_id = 1001 $$, '23001', NULL, 'nor changed');
SELECT throws_ok($$ UPDATE epoch SET status = 'open' WHERE epoch_id = 1001 $$, '23001', NULL, 'nor opened');
SELECT * FROM finish();
ROLLBACK;
