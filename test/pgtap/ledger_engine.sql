-- The engine on a small network: exact, reproducible, the same from raw rows and summaries, verified.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(21);

CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
CREATE TEMP TABLE digest AS SELECT epoch_id, digest FROM epoch;

SELECT is_empty('SELECT v.* FROM epoch e, verify_epoch(e.epoch_id) v WHERE NOT v.ok', 'every check of every epoch holds');
SELECT is((SELECT count(*) FROM verify_epoch(3)), 33::bigint, 'and there are many');
SELECT is(sum(budget + carried_in), sum(paid + carried_out + treasury), 'pools balance') FROM epoch_pool;
SELECT is((SELECT sum(amount) FROM reward), (SELECT sum(paid) FROM epoch_pool), 'rewards are what pools paid');
SELECT is((SELECT sum(budget) FROM epoch_pool WHERE epoch_id = 2), 1000000::numeric, 'budgets are split to the last unit');
SELECT is_empty('SELECT FROM epoch_pool WHERE payable > floor(price_max * score::numeric) + 1', 'no pool pays more than its ceiling');
SELECT is((SELECT array_agg(component ORDER BY component) FROM epoch_pool WHERE epoch_id = 1 AND component IN ('geographic_gaps', 'resource_gaps', 'network_capacity') AND score = 0),
	ARRAY['geographic_gaps', 'network_capacity', 'resource_gaps']::code[], 'a network without a past has no growth');

-- again, and from summaries
CALL run_epoch(2);
SELECT is((SELECT count(*) FROM digest JOIN epoch USING (epoch_id, digest)), 3::bigint, 'computed again everything is the same to the bit');
SELECT is((SELECT reason FROM epoch_computation WHERE epoch_id = 3 ORDER BY computation DESC LIMIT 1), 'epoch 2 before it was computed again', 'and what comes after it is computed again, too');
SELECT isnt((SELECT count(*) FROM swarm_reward_internal.roll_telemetry_hours('2024-04-01')), 0::bigint, 'telemetry is rolled up');
CALL run_epoch(1);
SELECT is((SELECT count(*) FROM digest JOIN epoch USING (epoch_id, digest)), 3::bigint, 'from summaries everything is the same to the bit');
SELECT is_empty('SELECT * FROM swarm_reward_internal.verify_telemetry_hours(''[2023-12-01,2024-05-01)'')', 'summaries are those of the raw rows');

-- terms by hand, for node 3: hardware of its own at 41 N, there from 10 February
SELECT is(tenure, 10 / 60.0::float8, 'tenure: in its 20 days of February it grew from 0 to a third') FROM epoch_node WHERE epoch_id = 2 AND node_id = 3;
SELECT is(round(freshness::numeric, 12), round(1 - 10 / 180.0, 12), 'freshness') FROM epoch_node WHERE epoch_id = 2 AND node_id = 3;
SELECT is(round(n.tenure::numeric, 12), round((5 * 20 / 60.0 + 1 * 5 / 60.0) / 6, 12), 'the same hardware at the same place goes on under another provider, but for a sixth unit that is new') FROM epoch_node n WHERE n.epoch_id = 2 AND n.node_id = 6;
SELECT is(region, 'us'::code, 'a place off the coast belongs to the nearest region') FROM epoch_node WHERE epoch_id = 2 AND node_id = 5;
SELECT is((SELECT array_agg(counts ORDER BY node_id) FROM epoch_node WHERE epoch_id = 2), ARRAY[true, true, true, true, true, true], 'all count: without hardware_id only who was there all the time');
SELECT is(count(*), 0::bigint, 'an outage is nobody''s downtime') FROM epoch_node WHERE epoch_id = 3 AND uptime < 0.99;
SELECT is(r.units, 8 * 29 / 29.0::float8, 'units are averaged over the epoch') FROM epoch_node_resource r WHERE epoch_id = 2 AND node_id = 1 AND resource_type = 'cpu';
SELECT ok(price / price_before <= 1.125 ^ (29 / 30.0) + 1e-12, 'no price moves faster than the step') FROM epoch_resource WHERE epoch_id = 2 AND resource_type = 'gpu';
SELECT is(round(next_reference::numeric, 9), round((units + (reference - units) * 2 ^ (-29 / 60.0))::numeric, 9), 'a reference follows half-way in a half-life') FROM epoch_resource WHERE epoch_id = 2 AND resource_type = 'gpu';
SELECT * FROM finish();
ROLLBACK;
