-- Guards, corrections, and the end of every epoch, on a small network.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(28);
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);

-- facts that an epoch has used
SELECT throws_ok($$ UPDATE node SET location = 'POINT(1 1)' WHERE node_id = 1 $$, '23001', NULL, 'a stay that was used keeps its place');
SELECT throws_ok($$ UPDATE node SET provider_id = 2 WHERE node_id = 1 $$, '23001', NULL, 'and its provider');
SELECT throws_ok($$ UPDATE node SET left_at = '2024-02-10' WHERE node_id = 1 $$, '23001', NULL, 'it does not leave in the past');
SELECT lives_ok($$ UPDATE node SET left_at = '2024-04-10' WHERE node_id = 1 $$, 'but it can leave later');
SELECT throws_ok('DELETE FROM node WHERE node_id = 1', '23001', NULL, 'and cannot be deleted');
SELECT lives_ok($$ UPDATE node SET name = 'one', external_id = 'uuid-1' WHERE node_id = 1 $$, 'names decide nothing');
SELECT throws_ok($$ INSERT INTO node (provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (3, 'h1', 'POINT(0 45)', 1000, '2024-01-05') $$, '23P01', NULL, 'one machine is in one stay at a time');
SELECT throws_ok($$ UPDATE policy_resource SET unit_value = 6 $$, '23001', NULL, 'a policy that was used keeps its unit values');
SELECT throws_ok($$ INSERT INTO specialization (policy_id, code, metric, bound, target) SELECT policy_id, 'more', 'p50_latency_ms', 9, 1 FROM policy WHERE name = 'p' $$, '23001', NULL, 'and takes no more rules');
SELECT throws_ok($$ SELECT new_policy('p', 'back then', '2024-02-15') $$, '23001', NULL, 'none takes effect before the end of a computed epoch');
SELECT new_policy('starter', 'priced', NULL, '{"supply_target": 0.5, "resource_gaps_price_max": 7}', day_price => 100) AS priced \gset
SELECT is((SELECT ARRAY[p.new_regions_price_max, p.geographic_gaps_price_max, p.resource_gaps_price_max, p.network_capacity_price_max, p.resource_types_price_max, p.service_types_price_max]
	FROM policy p WHERE p.policy_id = :priced), '{100, 50, 7, 50, 25, NULL}', 'a price for a day of contribution sets the ceilings that are not named');
SELECT throws_ok($$ UPDATE region SET boundary = 'MULTIPOLYGON(((0 40,30 40,30 55,0 55,0 40)))' WHERE code = 'eu' $$, '23001', NULL, 'a region that was used keeps its boundary');
SELECT throws_ok($$ UPDATE policy SET note = 'x' WHERE name = 'starter' $$, '23001', NULL, 'what ships does not change');

-- a move: another stay
SELECT replace_node(4, '2024-04-02', 'POINT(9.5 49)') AS moved \gset
SELECT is((SELECT predecessor_id FROM node WHERE node_id = :moved), 4::bigint, 'a move is another stay');
SELECT is((SELECT array_agg(units) FROM node_resource WHERE node_id = (SELECT max(node_id) FROM node)), ARRAY[4.000000000], 'which has the resources');
SELECT is((SELECT left_at FROM node WHERE node_id = 4), '2024-04-02', 'and the old one has ended');
SELECT is((SELECT count(*) FROM swarm_reward_internal.stale_epoch_reasons()), 0::bigint, 'what happens later makes no epoch stale');

-- a correction makes it stale, and it is computed again until its window ends
SELECT correct_node(2, '{"location": [-100, 40.2]}', 'a typing error') \g /dev/null
SELECT is((SELECT array_agg(epoch_id ORDER BY epoch_id) FROM swarm_reward_internal.stale_epoch_reasons()), ARRAY[1, 2, 3]::bigint[], 'a correction of the past does');
SELECT is((SELECT reason FROM audit WHERE relation = 'node' AND key = '{"node_id": 2}' ORDER BY audit_id DESC LIMIT 1), 'a typing error', 'and is in audit with its reason');
SELECT is((SELECT action || ' ' || epoch_id || ' ' || reason FROM swarm_reward_internal.next_epoch_step()), 'compute 1 facts have changed', 'what is due next is to compute it again');
CALL run_epoch(1);
SELECT is((SELECT count(*) FROM swarm_reward_internal.stale_epoch_reasons()), 0::bigint, 'then none is stale');
SELECT is((SELECT reason FROM epoch_computation WHERE epoch_id = 1 ORDER BY computation DESC LIMIT 1), 'facts have changed', 'and why is recorded');

-- late telemetry until the window ends, and not after
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) VALUES (1, '2024-01-10 00:00:30+00', 20, true);
SELECT is((SELECT action || ' ' || epoch_id FROM swarm_reward_internal.next_epoch_step()), 'compute 1', 'late telemetry is taken in');
UPDATE epoch SET first_computed_at = now() - interval '8 days';
SELECT is((SELECT action || ' ' || epoch_id FROM swarm_reward_internal.next_epoch_step()), 'finalize 1', 'but delays nothing when the window has ended');

-- few reports, nobody at all
INSERT INTO epoch (epoch_id, period, budget) VALUES (4, '[2024-04-03,2024-04-04)', 5), (5, '[2010-01-01,2010-02-01)', 5);
UPDATE epoch SET policy_id = (SELECT policy_id FROM policy WHERE name = 'p') WHERE epoch_id = 5;
CALL run_epoch(4);
SELECT ok((SELECT held_reason FROM epoch WHERE epoch_id = 4) LIKE 'few reports: %', 'an epoch of which few have reported is held');
SELECT reopen_epoch(4, 'to be done again') \g /dev/null
SELECT is((SELECT status FROM epoch WHERE epoch_id = 4), 'planned', 'and can be opened again');
SELECT is((SELECT count(*) FROM reward WHERE epoch_id = 4), 0::bigint, 'with nothing left of it');
SELECT throws_ok($$ UPDATE epoch SET period = '[2024-03-01,2024-03-30)' WHERE epoch_id = 3 $$, '23001', NULL, 'a computed one keeps its period');
SELECT * FROM finish();
ROLLBACK;
